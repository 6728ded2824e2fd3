"""README's way to a first real connection, as the commands that it prints: nothing is typed here that is not there."""

from __future__ import annotations

import re
from pathlib import Path

SECTION = "## Your first real connection"
RUNNABLE = ("./cjsm ", "cp ", "mkdir ", "ssh-keyscan ", "ssh-keygen ", "openssl ")
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}(?:-[A-Z]+)+\b")
# between backquotes, or in lines of its own below a step; a backslash at the end continues a command
COMMAND = re.compile(r"`([^`\n]+)`|^ {4,}((?:[^\n]*\\\n)*[^\n]+)$", re.MULTILINE)


def commands(readme: Path) -> list[str]:
    """Every command of the numbered steps, in their order."""
    section = readme.read_text().split(SECTION, 1)[1].split("\n## ", 1)[0]
    found = (re.sub(r"\s*\\\n\s*", " ", span or block).strip() for span, block in COMMAND.findall(section))
    return [line.removeprefix("$ ") for line in found if line.removeprefix("$ ").startswith(RUNNABLE)]
