"""bench review: many bundles in one command; each has a real one's files, signed anew by an organisation of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cjsm_connect.bench import measure
from cjsm_connect.evidence import SIGNATURE_FILES, STATEMENT, archive, bundle, keys, statement
from cjsm_connect.lab import Lab
from cjsm_connect.results import CjsmError

PASSPHRASE = "for this measurement only"  # noqa: S105


@dataclass(frozen=True)
class Options:
    """What is measured, and how often."""

    lab: str
    number: int = 1000
    rounds: int = 3


def run(rooms: Any, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure `cjsm review` on `number` bundles.

    Raises:
        CjsmError: there is no bundle of the lab to begin with, or not every bundle was judged.
    """
    model = _model(Lab(options.lab).organisation_folder)
    with tempfile.TemporaryDirectory(prefix="cjsm-bench-") as place:
        folder = Path(place)
        say(f"making {options.number} bundles like {model.name}")
        size = _made(model, folder, options.number)
        say(f"reviewing them, {options.rounds} rounds")
        argv = [str(rooms.root / "cjsm"), "review", str(folder / "bundles"), "--key", str(folder / "keys"), "--json"]
        rounds = [measure.weighed(argv, expected=(0, 1)) for _ in range(options.rounds)]
        _all_judged(rounds[-1].stdout, options.number)
    seconds = sorted(one.seconds for one in rounds)[len(rounds) // 2]
    found = {
        "bundles": options.number,
        "bundle_bytes": size,
        "review_s": round(seconds, 2),
        "bundles_per_s": round(options.number / seconds, 1),
        "memory_mib": max(one.mebibytes for one in rounds),
    }
    command = {"review": "./cjsm review FOLDER --key KEYS --json"}
    return {"name": "review", "machine": measure.machine(), "figures": found, "ratios": {}, "command": command}


def _model(folder: Path) -> Path:
    made = sorted((folder / "evidence").glob("*.tar"))
    if not made:
        raise CjsmError("expected a bundle of the lab to make others like it, found none; make one: cjsm evidence")
    return made[-1]


def _made(model: Path, folder: Path, number: int) -> int:
    """Write the bundles and their keys; the size of one bundle in bytes."""
    files = archive.unpack(model.read_bytes())
    said = statement.read(files[STATEMENT])
    payload = {name: content for name, content in files.items() if name not in SIGNATURE_FILES}
    now = datetime.now(UTC)
    term = statement.validity(now, 30, None)
    for name in ("bundles", "keys"):
        (folder / name).mkdir()
    size = 0
    for count in range(number):
        whose = f"Council {count}"
        own = folder / f"organisation-{count}"
        own.mkdir()
        key = keys.create(own, whose, PASSPHRASE, now)
        about = {"organisation": whose, "not_before": term.not_before, "not_after": term.not_after}
        told = said.model_copy(update={"predicate": said.predicate.model_copy(update=about)})
        content = archive.pack(bundle.sign(payload, told, key), now)
        (folder / "bundles" / f"{count:05}.tar").write_bytes(content)
        (own / keys.PUBLIC).rename(folder / "keys" / f"{count:05}.pub")
        size = len(content)
    return size


def _all_judged(text: str, number: int) -> None:
    judged = [row for row in json.loads(text)["records"] if row["decision"] != "not judged"]
    if len(judged) != number:
        raise CjsmError(f"expected {number} bundles judged, found {len(judged)}: the time says nothing")
