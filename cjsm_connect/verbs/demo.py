"""demo: the whole job on the lab, from nothing, by the commands that a person would type."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cjsm_connect.lab import entry, machine
from cjsm_connect.lab.topology import checked_name
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


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo is given: the clone's root, and the name of the lab."""

    root: Path
    lab: str

    @property
    def organisation(self) -> Path:
        """The lab's organisation."""
        return entry.organisation_folder(self.lab)

    @property
    def suffix(self) -> str:
        """What names the lab in a command to type."""
        return "" if self.lab == entry.DEFAULT else f" --lab {self.lab}"


@click.command("demo")
@click.option("--lab", "name", default=entry.DEFAULT, show_default=True, help="The lab's name.")
@click.pass_obj
def command(rooms: Any, name: str) -> None:
    """The whole job on the lab, from nothing: real hosts, real mail over mutual TLS, checks, signed evidence.

    Needs root on Debian. Installs what the lab needs, saying so. The lab is left up to look around in.
    """
    machine.require(lambda text: click.echo(text, err=True))
    stage, started = Stage(rooms.root, checked_name(name)), time.monotonic()
    times = [taken(stage, number, step) for number, step in enumerate(STEPS, 1)]
    verified = verify(stage)
    summary(times, time.monotonic() - started, verified, stage)


def taken(stage: Stage, number: int, step: Step) -> tuple[Step, float]:
    """Run one step with its output shown; returns its seconds.

    Raises:
        CjsmError: it did not end as it should; the lab is left as it is.
    """
    arguments = arguments_of(stage, step)
    typed = "cjsm " + " ".join(arguments)
    click.secho(f"\n[{number}/{len(STEPS) + 1}] {step.title}\n      $ {typed}", bold=True, err=True)
    started = time.monotonic()
    code = subprocess.run([sys.executable, str(stage.root / "cli.py"), *arguments], check=False).returncode
    if code != step.code:
        raise CjsmError(
            f"the demo stopped: `{typed}` ended with {code}, expected {step.code}. The lab is left up to look at: "
            f"cjsm lab status{stage.suffix}"
        )
    return step, time.monotonic() - started


def arguments_of(stage: Stage, step: Step) -> list[str]:
    """A step as it is typed: `lab` is told which lab, everything but `verify` whose organisation."""
    verb, *rest = step.arguments
    if verb == "lab":
        return [verb, rest[0], *stage.suffix.split(), *rest[1:]]
    return [verb, *rest] if verb == "verify" else [verb, "--org", str(stage.organisation), *rest]


def verify(stage: Stage) -> str:
    """Verify the newest bundle as the engineer would; returns its path.

    Raises:
        CjsmError: there is none, or it does not verify.
    """
    folder = stage.organisation
    bundles = sorted((folder / "evidence").glob("evidence-*.tar"), key=lambda path: path.stat().st_mtime)
    if not bundles:
        raise CjsmError("the demo stopped: `cjsm evidence` left no bundle")
    bundle = str(bundles[-1])
    step = Step("The engineer verifies it offline", ("verify", bundle, "--key", str(folder / "evidence.pub")))
    taken(stage, len(STEPS) + 1, step)
    return bundle


def summary(times: list[tuple[Step, float]], total: float, bundle: str, stage: Stage) -> None:
    """What was done, how long it took, where the result is, and what to type next."""
    click.secho("\nThe demo is complete.\n", bold=True, err=True)
    for step, seconds in times:
        click.echo(f"  {seconds:6.1f} s  {step.title}", err=True)
    click.echo(f"  {total:6.1f} s  in all\n", err=True)
    click.echo(bundle)
    click.echo(
        f"\nThe report for the engineer is report.html inside the bundle: tar -xOf {bundle} report.html > report.html\n"
        f"The lab is still up. Look around: cjsm lab status{stage.suffix}; break something: cjsm lab fault --list\n"
        f"Next: cjsm lab down{stage.suffix}",
        err=True,
    )
