"""`cjsm lab`: real hosts on this machine, with a simulated hub."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cjsm_connect.lab import entry
from cjsm_connect.verbs.fault import fault_command
from cjsm_connect.verbs.matrix import matrix_command


def named(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option that every verb of the lab has: which lab."""
    return click.option("--lab", "name", default=entry.DEFAULT, show_default=True, help="The lab's name.")(function)


def laboratory(name: str) -> Any:
    """The lab, talking on stderr. Imported here: `shell` and `--help` do without what it needs."""
    from cjsm_connect.lab.laboratory import Lab

    return Lab(name, say=lambda text: click.echo(text, err=True))


def told(name: str, done: str, started: float, following: str) -> None:
    """The last lines of a verb: what was done, how long it took, and the next command."""
    suffix = "" if name == entry.DEFAULT else f" --lab {name}"
    click.echo(f"lab '{name}' {done} in {time.monotonic() - started:.1f} s", err=True)
    click.echo(f"next: cjsm {following}{suffix}", err=True)


@click.group()
def command() -> None:
    """Real hosts on this machine: relay, mail server and firewall, a simulated hub, and the internet outside.

    Needs Linux (Debian) and root. Nothing of it touches the machine's own network.
    """


@command.command()
@named
@click.option("--from", "label", default="bare", show_default=True, help="Start from a state kept on this machine.")
@click.option("--relays", default=1, show_default=True, help="How many relays stand side by side; at most 18.")
@click.option("--scenario", default="", help="`existing`: a mail server that somebody else has set up and uses.")
def up(name: str, label: str, relays: int, scenario: str) -> None:
    """Start the lab, building its images the first time. Harmless when it runs already."""
    started = time.monotonic()
    laboratory(name).up(label, relays=relays, scenario=scenario)
    told(name, "is up", started, "lab status")


@command.command()
@named
def down(name: str) -> None:
    """End the lab and remove every trace of it, also of one whose start was killed."""
    started = time.monotonic()
    laboratory(name).down()
    told(name, "is gone", started, "lab up")


@command.command()
@named
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def status(name: str, as_json: bool) -> None:
    """Show each host, its address and how it is; exit code 1 unless all are `running`."""
    from cjsm_connect.lab import labels

    rows = laboratory(name).status()
    if as_json:
        found = {"lab": name, "hosts": [asdict(row) for row in rows], "labels": labels.saved(name)}
        click.echo(json.dumps(found, indent=2))
    else:
        for row in rows:
            click.echo(f"{row.host:<10}{row.address:<16}{row.state}")
        click.echo(f"saved states: {', '.join(labels.saved(name))}", err=True)
    sys.exit(any(row.state != "running" for row in rows))


@command.command(name="exec", context_settings={"ignore_unknown_options": True})
@named
@click.argument("host")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str, host: str, argv: tuple[str, ...]) -> None:
    """Run a command as root in a host: cjsm lab exec relay -- postqueue -p"""
    from cjsm_connect.lab import hosts
    from cjsm_connect.lab.members import chosen

    command_line = hosts.entering(name, chosen(name, [host])[0], list(argv))
    os.execvp(command_line[0], command_line)  # noqa: S606


@command.command(context_settings={"ignore_unknown_options": True})
@named
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
def shell(name: str, argv: tuple[str, ...]) -> None:
    """Run a command, or a shell, as the lab's administrator: cjsm lab shell -- pyinfra inventories/lab/inventory.py"""
    # pyinfra and pytest are those of this environment, whether or not it was activated
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    entry.execute(name, list(argv) or [os.environ.get("SHELL", "/bin/sh")])


@command.command()
@named
@click.argument("hosts", nargs=-1)
def sign(name: str, hosts: tuple[str, ...]) -> None:
    """Play the operator: certify what the hosts asked for in the organisation's certificates folder."""
    written = laboratory(name).sign(hosts)
    for chain in written:
        click.echo(str(chain))
    if not written:
        click.echo("no certificate was asked for yet: `cjsm apply` fetches the requests from the hosts", err=True)
    click.echo("next: cjsm apply", err=True)


@command.command()
@named
@click.argument("label", default="healthy")
@click.option("--keep", is_flag=True, help="Keep it on this machine, for `lab up --from`.")
def save(name: str, label: str, keep: bool) -> None:
    """Freeze the present state of all hosts under a label; the lab starts again on top of it."""
    started = time.monotonic()
    lab = laboratory(name)
    lab.save(label)
    if keep:
        lab.keep(label)
    told(name, f"is saved as '{label}'", started, f"lab reset --label {label}")


@command.command()
@named
@click.option("--label", default="healthy", show_default=True, help="The state to go back to; `bare` always exists.")
@click.argument("hosts", nargs=-1)
def reset(name: str, label: str, hosts: tuple[str, ...]) -> None:
    """Start hosts, or all, again as they were when a label was saved."""
    started = time.monotonic()
    laboratory(name).reset(hosts, label)
    told(name, f"is back at '{label}'", started, "lab status")


command.add_command(fault_command)
command.add_command(matrix_command)
