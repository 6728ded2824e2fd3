"""README's way to a first real connection, as the commands that it prints: nothing is typed here that is not there."""

from __future__ import annotations

import re
from pathlib import Path

SECTION = "## Your first real connection"
RUNNABLE = ("./cjsm ", "cp ", "mkdir ", "ssh-keyscan ", "ssh-keygen ", "openssl ")
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}(?:-[A-Z]+)*\b")


def commands(readme: Path) -> list[str]:
    """Every command of the numbered steps, in their order: in a line of its own, or in the text between backquotes."""
    section = readme.read_text().split(SECTION, 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", section, re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block, span in found for line in (block.splitlines() or [span])]
    return [line for line in lines if line.startswith(RUNNABLE)]
