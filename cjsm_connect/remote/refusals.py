"""What the scanner has refused in the last day, told apart: malware, and what could not be looked at whole.

From clamav-milter's own lines in the journal (LogInfected Full, clamav-milter.conf(5)). Standard library of Python 3.9.
"""

from __future__ import annotations

import re
from typing import Any

from cjsm_connect.remote import common

JOURNAL = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--since=-1day", "--identifier=clamav-milter"]
FOUND = re.compile(r"^Message \S+ from .* infected by (\S+)$")
# what our own checks have sent; behind the recipient stands what the sender wrote
SELF_TEST = re.compile(r"^Message \S+ from <[^>]*> to <[^> ]*@selftest\.invalid> with subject ")
LIMITS = ("Heuristics.Limits.Exceeded.",)
ENCRYPTED = ("Heuristics.Encrypted.", "YARA.Cjsm_Encrypted_")
UNOPENED = ("YARA.Cjsm_Unopened_",)
MOST = 5


def observe() -> dict[str, Any]:
    """How many messages were refused as malware, limits, encrypted, unopened; and the names most often given."""
    code, out, _ = common.attempt([*JOURNAL, "--grep=infected by"], seconds=10)
    return counted(out) if not code else counted("")


def counted(lines: str) -> dict[str, Any]:
    """The same of clamav-milter's lines."""
    kinds = dict.fromkeys(("malware", "limits", "encrypted", "unopened"), 0)
    names: dict[str, int] = {}
    for line in sorted(set(lines.splitlines())):  # each comes twice: by syslog(3), and as what the program prints
        found = FOUND.match(line)
        if found and not SELF_TEST.match(line):
            kinds[kind(found.group(1))] += 1
            names[found.group(1)] = names.get(found.group(1), 0) + 1
    often = sorted(names, key=lambda name: (-names[name], name))[:MOST]
    return {**kinds, "names": {name: names[name] for name in often}}


def kind(name: str) -> str:
    """What a name that the scanner gives stands for."""
    if name.startswith(LIMITS):
        return "limits"
    if name.startswith(ENCRYPTED):
        return "encrypted"
    return "unopened" if name.startswith(UNOPENED) else "malware"
