"""Other tools that look at TLS of mail servers, asked the same: STARTTLS, versions accepted, chain, names, dates.

sslyze (AGPL) is started in an environment of its own; testssl.sh is Debian's. Neither is part of the product.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cjsm_connect.bench import environment, measure
from cjsm_connect.results import CjsmError

LOCK = Path(__file__).with_name("requirements-sslyze.txt")
# sslyze's and testssl.sh's names of a version, by ours
SSLYZE = {"TLSv1": "tls_1_0", "TLSv1.1": "tls_1_1", "TLSv1.2": "tls_1_2", "TLSv1.3": "tls_1_3"}
TESTSSL = {"TLSv1": "TLS1", "TLSv1.1": "TLS1_1", "TLSv1.2": "TLS1_2", "TLSv1.3": "TLS1_3"}
ASKED = ["--starttls=smtp", "--certinfo", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"]
TARGETS = {"probe": 20, "sslyze": 20, "testssl": 2}  # of one command; testssl.sh takes one after the other


@dataclass(frozen=True)
class Compared:
    """Seconds a target of each tool, how often ours fits in theirs, and their commands."""

    figures: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)


NONE = Compared()


def compared(root: Path, folder: Path, targets: Sequence[str], say: Callable[[str], None]) -> Compared:
    """Ask the same targets with each tool; `targets` are at least 20 of one test server.

    Raises:
        CjsmError: testssl.sh is missing, or the tools do not agree on the versions that are accepted.
    """
    argv = _commands(root, folder, targets)
    taken = {}
    for name, command in argv.items():
        say(f"{name}: {TARGETS[name]} targets")
        _answers(folder, name).unlink(missing_ok=True)
        taken[name] = measure.weighed(command, expected=(0, 1)).seconds / TARGETS[name]
    _agree({"probe": _probe(folder), "sslyze": _sslyze(folder), "testssl": _testssl(folder)})
    return Compared(
        {f"{name}_s_a_target": round(seconds, 3) for name, seconds in taken.items()},
        {f"{name}_to_probe": round(taken[name] / taken["probe"], 1) for name in ("sslyze", "testssl")},
        {"sslyze": f"sslyze {' '.join(ASKED)} HOST:PORT...", "testssl": "testssl -t smtp -p -S HOST:PORT"},
    )


def _commands(root: Path, folder: Path, targets: Sequence[str]) -> dict[str, list[str]]:
    if not (testssl := shutil.which("testssl")):
        raise CjsmError("expected testssl.sh to measure beside; install it: apt-get install testssl.sh, or --no-peers")
    sslyze = environment.made(root, "sslyze", LOCK) / "bin" / "sslyze"
    some = {name: list(targets[:number]) for name, number in TARGETS.items()}
    (folder / "few").write_text("".join(f"{target}\n" for target in some["testssl"]))
    ours = ["--rate", "0", "--pause", "0", "--out", str(_answers(folder, "probe"))]
    theirs = ["--quiet", "--warnings", "off", "-t", "smtp", "-p", "-S", "--jsonfile", str(_answers(folder, "testssl"))]
    return {
        "probe": [str(root / "cjsm"), "probe", *some["probe"], *ours],
        "sslyze": [str(sslyze), *ASKED, f"--json_out={_answers(folder, 'sslyze')}", *some["sslyze"]],
        "testssl": [testssl, *theirs, "--file", str(folder / "few")],
    }


def _answers(folder: Path, name: str) -> Path:
    return folder / f"{name}.answers"


def _probe(folder: Path) -> set[str]:
    with _answers(folder, "probe").open(encoding="utf-8") as lines:
        versions: Mapping[str, str] = json.loads(lines.readline())["versions"]
    return {version for version, said in versions.items() if said == "accepted"}


def _sslyze(folder: Path) -> set[str]:
    (first, *_) = json.loads(_answers(folder, "sslyze").read_text())["server_scan_results"]
    found = first["scan_result"]
    return {
        ours for ours, theirs in SSLYZE.items() if found[f"{theirs}_cipher_suites"]["result"]["accepted_cipher_suites"]
    }


def _testssl(folder: Path) -> set[str]:
    rows = {row["id"]: row["finding"] for row in json.loads(_answers(folder, "testssl").read_text())}
    return {ours for ours, theirs in TESTSSL.items() if rows[theirs].startswith("offered")}


def _agree(accepted: Mapping[str, set[str]]) -> None:
    if len(set(map(frozenset, accepted.values()))) != 1:
        raise CjsmError(f"expected every tool to find the same versions accepted, found {accepted}")
