"""demo: the whole job on the lab, from nothing, by the commands that a person would type."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import click

from cjsm_connect.lab import machine
from cjsm_connect.results import CjsmError


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the demo, why it is typed, and the exit code that it must end with."""

    title: str
    arguments: tuple[str, ...]
    code: int = 0


STEPS = (
    Step("Start from nothing: end a lab that may be up", ("lab", "down")),
    Step("Five real hosts: relay, mail server, firewall, a simulated hub, the internet outside", ("lab", "up")),
    Step("Make the bare hosts what organisation.toml says; certificates are asked for", ("apply", "--yes")),
    Step("Play the operator: certify what the hosts asked for", ("lab", "sign")),
    Step("Install the returned certificates: the connection opens", ("apply", "--yes")),
    Step("Apply once more: nothing is left to do", ("apply", "--yes")),
    Step("Keep this state, to come back to", ("lab", "save", "healthy")),
    Step(
        "Break it: stop the virus scanner on the relay",
        ("lab", "exec", "relay", "--", "systemctl", "stop", "clamav-daemon.service", "clamav-daemon.socket"),
    ),
    Step("The checks notice, and say which requirement is not met", ("check", "--only", "antivirus"), code=1),
    Step("Back to the healthy state", ("lab", "reset", "relay")),
    Step("Check everything, mail both ways included, and write the signed evidence", ("evidence",)),
)


@click.command("demo")
@click.pass_obj
def command(rooms: Any) -> None:
    """The whole job on the lab, from nothing: real hosts, real mail over mutual TLS, checks, signed evidence.

    Needs root on Debian. Installs what the lab needs, saying so. The lab is left up to look around in.
    """
    machine.require(lambda text: click.echo(text, err=True))
    started = time.monotonic()
    times = [taken(rooms, number, step) for number, step in enumerate(STEPS, 1)]
    verified = verify(rooms)
    summary(times, time.monotonic() - started, verified)


def taken(rooms: Any, number: int, step: Step) -> tuple[Step, float]:
    """Run one step with its output shown; returns its seconds.

    Raises:
        CjsmError: it did not end as it should; the lab is left as it is.
    """
    typed = "cjsm " + " ".join(step.arguments)
    click.secho(f"\n[{number}/{len(STEPS) + 1}] {step.title}\n      $ {typed}", bold=True, err=True)
    started = time.monotonic()
    code = subprocess.run(argv(rooms, *step.arguments), check=False).returncode
    if code != step.code:
        raise CjsmError(
            f"the demo stopped: `{typed}` ended with {code}, expected {step.code}. The lab is left up to look at: "
            "cjsm lab status"
        )
    return step, time.monotonic() - started


def argv(rooms: Any, *arguments: str) -> list[str]:
    """A verb in a process of its own; everything but `lab` is about the lab's organisation."""
    organisation = [] if arguments[0] in ("lab", "verify") else ["--org", str(rooms.root / "inventories" / "lab")]
    return [sys.executable, str(rooms.root / "cli.py"), arguments[0], *organisation, *arguments[1:]]


def verify(rooms: Any) -> str:
    """Verify the newest bundle as the engineer would; returns its path.

    Raises:
        CjsmError: there is none, or it does not verify.
    """
    folder = rooms.root / "inventories" / "lab"
    bundles = sorted((folder / "evidence").glob("evidence-*.tar"), key=lambda path: path.stat().st_mtime)
    if not bundles:
        raise CjsmError("the demo stopped: `cjsm evidence` left no bundle")
    bundle = str(bundles[-1])
    step = Step("The engineer verifies it offline", ("verify", bundle, "--key", str(folder / "evidence.pub")))
    taken(rooms, len(STEPS) + 1, step)
    return bundle


def summary(times: list[tuple[Step, float]], total: float, bundle: str) -> None:
    """What was done, how long it took, where the result is, and what to type next."""
    click.secho("\nThe demo is complete.\n", bold=True, err=True)
    for step, seconds in times:
        click.echo(f"  {seconds:6.1f} s  {step.title}", err=True)
    click.echo(f"  {total:6.1f} s  in all\n", err=True)
    click.echo(bundle)
    click.echo(
        f"\nThe report for the engineer is report.html inside the bundle: tar -xOf {bundle} report.html > report.html\n"
        "The lab is still up. Look around: cjsm lab status; break something: cjsm lab fault --list\n"
        "Next: cjsm lab down",
        err=True,
    )
