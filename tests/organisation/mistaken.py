"""Organisation folders with one mistake each: the shipped example, edited as a file of bad/ says.

A file of bad/ holds `edits` (pairs of old and new text of organisation.toml), `append`, other `files`, and the
problem that must be reported: `file` (organisation.toml unless said), `key`, `found`, `expected`.
"""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parents[2] / "inventories/example"
BAD = Path(__file__).resolve().parent / "bad"


@dataclass(frozen=True)
class Mistake:
    """A mistake by its name, and the problem that it must lead to."""

    name: str
    recipe: dict[str, Any]

    @property
    def reported(self) -> tuple[str, str, str, str]:
        """File, key, found, expected: each at least a part of what must be said."""
        recipe = self.recipe
        return recipe.get("file", "organisation.toml"), recipe["key"], recipe["found"], recipe["expected"]

    def build(self, folder: Path) -> Path:
        """The example with this mistake, written to a folder."""
        shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
        self.apply(folder)
        return folder

    def apply(self, folder: Path) -> None:
        """Make the mistake in a copy of the example."""
        file = folder / "organisation.toml"
        text = file.read_text()
        for old, new in self.recipe.get("edits", ()):
            assert text.count(old) == 1, f"{self.name}: the example has {text.count(old)} times {old!r}"
            text = text.replace(old, new)
        file.write_text(text + self.recipe.get("append", ""))
        for name, content in self.recipe.get("files", {}).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(content)
            (folder / name).chmod(0o644)


def mistakes() -> list[Mistake]:
    """All mistakes of bad/, by name."""
    return [Mistake(file.stem, tomllib.loads(file.read_text())) for file in sorted(BAD.glob("*.toml"))]
