"""bench probe: many targets, answered by a local test server that shares the cores. Nothing leaves this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cjsm_connect.bench import measure, scanners
from cjsm_connect.results import CjsmError

SERVERS = Path(__file__).with_name("mail_servers.py")
MANY_TIMES = 12


@dataclass(frozen=True)
class Options:
    """What is measured: so many targets, and twelve times as many to see whether memory grows; and beside others."""

    number: int = 1000
    rounds: int = 3
    peers: bool = True


def run(rooms: Any, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure `cjsm probe` on targets of 127.0.0.0/8.

    Raises:
        CjsmError: not every target answered.
    """
    with tempfile.TemporaryDirectory(prefix="cjsm-bench-") as place, _servers(Path(place)) as port:
        folder = Path(place)
        say(f"{options.number} targets, {options.rounds} rounds")
        rounds = [_probed(rooms.root, folder, port, options.number) for _ in range(options.rounds)]
        say(f"{MANY_TIMES * options.number} targets")
        many = _probed(rooms.root, folder, port, MANY_TIMES * options.number)
        beside = scanners.compared(rooms.root, folder, addresses(20, port), say) if options.peers else scanners.NONE
    seconds = median(one.seconds for one in rounds)
    found = {
        "targets": options.number,
        "probe_s": round(seconds, 2),
        "targets_per_s": round(options.number / seconds, 1),
        "memory_mib": max(one.mebibytes for one in rounds),
        f"memory_{MANY_TIMES}_times_mib": many.mebibytes,
        f"probe_{MANY_TIMES}_times_s": round(many.seconds, 2),
    }
    return {
        "name": "probe",
        "machine": measure.machine(),
        "figures": found | beside.figures,
        "ratios": beside.ratios,
        "command": {"probe": "./cjsm probe --targets FILE --rate 0 --pause 0 --out FILE", **beside.commands},
    }


def _probed(root: Path, folder: Path, port: int, number: int) -> measure.Weighed:
    targets, out = folder / "targets", folder / "answers.jsonl"
    targets.write_text("".join(f"{target}\n" for target in addresses(number, port)))
    out.unlink(missing_ok=True)
    argv = [str(root / "cjsm"), "probe", "--targets", str(targets), "--rate", "0", "--pause", "0", "--out", str(out)]
    done = measure.weighed(argv)
    with out.open(encoding="utf-8") as lines:
        answered = sum(json.loads(line)["outcome"] == "answered" for line in lines)
    if answered != number:
        raise CjsmError(f"expected {number} answers, found {answered}: the time says nothing")
    return done


def addresses(number: int, port: int) -> list[str]:
    """So many addresses of loopback, each of which the test server answers."""
    return [f"127.1.{count // 250}.{count % 250 + 1}:{port}" for count in range(number)]


@contextmanager
def _servers(folder: Path) -> Iterator[int]:
    """The test server in a process of its own; its port."""
    chain = folder / "chain.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", "/CN=relay.example", "-addext", "subjectAltName=DNS:relay.example", "-days", "1"]
    made = ["openssl", "req", "-x509", *curve, *subject, "-keyout", str(chain), "-out", f"{chain}.crt"]
    subprocess.run(made, check=True, capture_output=True)
    chain.write_text(chain.read_text() + Path(f"{chain}.crt").read_text())
    argv = [sys.executable, str(SERVERS), str(chain)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
