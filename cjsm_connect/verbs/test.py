"""test: the test suite of a clone. Plain: demo if root; lint, types, imports; unit; lab if root."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

LINT = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "-q", "."),
    ("mypy",),
    ("lint-imports", "--no-cache"),
)
TIERS = {"demo": "demo", "unit": "not lab and not vm and not slow", "lab": "lab and not demo", "vm": "vm"}
WHOLE_UNIT = "not lab and not vm"
# a CI run says by itself what failed, where its time goes, and ends before it is ended
SPOKEN = ("-vv", "--durations=15", "--session-timeout=3000")
SIDE_BY_SIDE = ("-n", "2", "--dist", "worksteal")
TWO_LABS = ("-n", "2", "--dist", "loadscope")  # a lab for each of two workers: most of a test on real hosts is waiting
ALONE = {"demo": (), "unit": SIDE_BY_SIDE, "lab": TWO_LABS, "vm": ()}  # when nothing narrows the tier


@click.command("test", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[demo|unit|lab|vm] [PYTEST OPTIONS]")
@click.pass_obj
def command(rooms: Any, arguments: tuple[str, ...]) -> None:
    """The test suite. Without a tier: when this is root on Linux the README's demo, twice, from a fresh clone without
    `.venv` and images; lint, types and imports; all of unit; and, again as root, lab.

    `unit` alone is the quick loop: it leaves out what takes seconds. `vm` runs only when it is named: clocks, encrypted
    disks and a new kernel in a virtual machine (root on Linux, x86_64; minutes).

    What follows the tier goes to pytest: `-k firewall`, `-x`; `--keep` leaves a broken lab up.
    """
    tier, rest = (arguments[0], arguments[1:]) if arguments[:1] and arguments[0] in TIERS else ("", arguments)
    if tier:
        sys.exit(pytest(rooms.root, TIERS[tier], rest or ALONE[tier]))
    real_hosts = os.geteuid() == 0 and sys.platform == "linux"
    steps = [pytest(rooms.root, TIERS["demo"], (*SPOKEN, *rest))] if real_hosts else []
    steps += [lint(rooms.root), pytest(rooms.root, WHOLE_UNIT, (*SIDE_BY_SIDE, *rest))]
    if real_hosts:
        steps.append(pytest(rooms.root, TIERS["lab"], (*SPOKEN, *TWO_LABS, *rest)))
    else:
        click.echo("cjsm: the tiers demo and lab were not run: they need root on Linux", err=True)
    sys.exit(max(steps))


def lint(root: Path) -> int:
    """Lint, format, types and the direction of imports; 0 when all are clean."""
    bin_folder = Path(sys.executable).parent
    codes = []
    for program, *flags in LINT:
        started = time.monotonic()
        done = subprocess.run([bin_folder / program, *flags], cwd=root, capture_output=True, text=True, check=False)
        if done.returncode:
            click.echo(done.stdout + done.stderr, err=True)
        word = "failed" if done.returncode else "ok"
        click.echo(f"{program}: {word} ({time.monotonic() - started:.1f} s)", err=True)
        codes.append(done.returncode)
    return max(codes)


def pytest(root: Path, chosen: str, rest: tuple[str, ...]) -> int:
    """The tests that a marker expression chooses, in a process of its own; its exit code.

    5, no test chosen, is fine when -k narrows.
    """
    argv = [sys.executable, "-m", "pytest", "-q", "-m", chosen, *rest]
    code = subprocess.run(argv, cwd=root, check=False).returncode
    return 0 if code == 5 and rest else code
