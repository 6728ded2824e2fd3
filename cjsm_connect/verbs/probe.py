"""probe: a relay, or many, as a stranger sees them from here. Says EHLO, STARTTLS and QUIT, and nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click

from cjsm_connect.engineer import campaign, probe, targets
from cjsm_connect.remote import handshake
from cjsm_connect.results import CjsmError

NAMES_AT_ONCE = 64
PATH = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("probe")
@click.argument("hosts", nargs=-1, metavar="[HOST[:PORT]...]")
@click.option("--targets", "file", type=PATH, help="A file of targets, one a line; # begins a comment.")
@click.option("--certificate", type=PATH, help="Our client certificate: a chain file, key first or beside it as .key.")
@click.option("--ca", type=PATH, help="Verify the chain with these authorities.")
@click.option("--bind", metavar="ADDRESS", help="The address of ours to come from.")
@click.option("--helo", help="The name to say in EHLO; this machine's by default.")
@click.option("--versions/--no-versions", default=True, help="Try every TLS version, a session each.")
@click.option("--at-once", default=100, show_default=True, type=click.IntRange(1, 1000), help="Targets at a time.")
@click.option(
    "--rate", default=20.0, show_default=True, type=click.FloatRange(0), help="Targets begun a second; 0: all."
)
@click.option("--out", type=click.Path(path_type=Path), help="Add the answers to this file; done targets are left out.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines on standard output.")
def command(hosts: tuple[str, ...], file: Path | None, out: Path | None, as_json: bool, **asked: Any) -> None:
    """What a mail server shows to who only says EHLO, STARTTLS and QUIT: address, names, greeting, TLS versions, chain,
    whether it asks for a client certificate. Sends no mail and tries no address.

    Exit code: 0 every target answered, 1 at least one did not, 2 could not run.
    """
    wanted = targets.unique([*map(targets.parse, hosts), *(targets.load(file) if file else [])])
    if not wanted:
        raise CjsmError("expected targets: HOST[:PORT]..., or --targets FILE; found none")
    rest = campaign.left(wanted, out) if out else wanted
    if len(rest) < len(wanted):
        click.echo(f"cjsm: {len(wanted) - len(rest)} of {len(wanted)} targets are in {out} already", err=True)
    at_once, rate = asked.pop("at_once"), asked.pop("rate")
    manner = _manner(**asked)
    answers = campaign.asked(rest, lambda target: probe.probe(target, manner), at_once, rate)
    answered = asyncio.run(_told(answers, len(rest), out, as_json))
    if out:
        click.echo(f"Next: {len(rest)} answers are in {out}", err=True)
    sys.exit(answered < len(rest))


def _manner(*, certificate: Path | None, ca: Path | None, bind: str | None, helo: str | None, versions: bool) -> Any:
    """How to ask, with files and addresses of our own tried before any target is."""
    given = {"certificate": str(certificate) if certificate else None, "authorities_file": str(ca) if ca else None}
    try:
        handshake.context(given)
    except (OSError, ValueError) as error:
        raise CjsmError(f"--certificate and --ca: expected PEM files that can be loaded, found: {error}") from error
    if bind:
        _bindable(bind)
    name = helo or socket.getfqdn()
    if not name.isascii() or not name.isprintable() or " " in name:
        raise CjsmError(f"--helo {name!r}: expected a host name")
    controls = probe.unoffered() if versions else {}
    return probe.Manner(name, given["certificate"], given["authorities_file"], bind, versions, controls)


def _bindable(address: str) -> None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as tried:
            tried.bind((address, 0))
    except OSError as error:
        raise CjsmError(f"--bind {address}: expected an address of this machine; {error.strerror or error}") from error


async def _told(answers: AsyncIterator[dict[str, Any]], number: int, out: Path | None, as_json: bool) -> int:
    """Tell each answer as it comes; how many targets answered."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(NAMES_AT_ONCE))  # getaddrinfo(3) blocks
    answered = 0
    with ExitStack() as stack:
        file = _opened(out, stack) if out else None
        many = number > 1 and not as_json and sys.stderr.isatty()
        bar = stack.enter_context(click.progressbar(length=number, label="targets", file=sys.stderr)) if many else None
        async for facts in answers:
            answered += facts["outcome"] == "answered"
            _tell(facts, file, as_json)
            if bar:
                bar.update(1)
    return answered


def _opened(out: Path, stack: ExitStack) -> IO[str]:
    try:
        campaign.mended(out)
        return stack.enter_context(out.open("a", encoding="utf-8"))
    except OSError as error:
        raise CjsmError(f"--out {out}: expected a file that can be written; {error.strerror}") from error


def _tell(facts: dict[str, Any], file: IO[str] | None, as_json: bool) -> None:
    line = json.dumps(facts, ensure_ascii=False)
    if file:
        file.write(line + "\n")
        file.flush()
    if as_json:
        click.echo(line)
    elif not file:
        click.echo("\n".join(described(facts)))


def described(facts: dict[str, Any]) -> list[str]:
    """One target for people."""
    session = facts.get("session", {})
    tls = session.get("tls") or {}
    word = "answered" if facts["outcome"] == "answered" else facts["outcome"].replace("_", " ").upper()
    said = facts.get("said") or session.get("said", "")
    first = (tls.get("certificates") or [{}])[0]
    rows = {
        "address": ", ".join(facts.get("addresses", [])),
        "name of it": facts.get("ptr", ""),
        "greeting": session.get("greeting", {}).get("text", ""),
        "STARTTLS": session.get("starttls", ""),
        "size": f"{session['size']} bytes" if session.get("size") else "",
        "TLS": f"{tls['version']}, {tls['cipher']}" if tls.get("version") else "",
        "certificate": first.get("subject") or first.get("problem", ""),
        "issued by": first.get("issuer", ""),
        "its names": ", ".join(first.get("names", [])),
        "valid": " to ".join(first[name] for name in ("not_before", "not_after") if name in first),
        "name matches": {True: "yes", False: "NO", None: ""}[tls.get("name_matches")],
        "chain": _chain(session.get("chain")),
        "client cert.": session.get("client_certificate", ""),
        **facts.get("versions", {}),
    }
    head = f"{facts['target']}: {word}{f': {said}' if said else ''} ({facts['seconds']} s)"
    return [head, *(f"  {name:<14} {text}" for name, text in rows.items() if text)]


def _chain(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    word = {True: "verifies", False: "DOES NOT VERIFY"}.get(found["verified"], "could not be told")
    return f"{word}{': ' if found['said'] else ''}{found['said']}"
