"""probe: a relay, or many, as a stranger sees them from here: EHLO, STARTTLS and QUIT, and no more without leave."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

import click

from cjsm_connect import printable, terminal
from cjsm_connect.engineer import against, campaign, ciphers, claims, probe, targets
from cjsm_connect.engineer.claims import Claims
from cjsm_connect.engineer.described import described, found_something
from cjsm_connect.engineer.session import Manner
from cjsm_connect.engineer.targets import Target
from cjsm_connect.remote import handshake
from cjsm_connect.results import CjsmError
from cjsm_connect.verbs._terminal import tell

NAMES_AT_ONCE = 64
PATH = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("probe")
@click.argument("hosts", nargs=-1, metavar="[HOST[:PORT]...]")
@click.option("--targets", "file", type=PATH, help="A file of targets, one a line; # begins a comment.")
@click.option("--certificate", type=PATH, help="Our client certificate: a chain file, key first or beside it as .key.")
@click.option("--key", type=PATH, help="The key of --certificate, if it is elsewhere.")
@click.option("--ca", type=PATH, help="Verify the chain with these authorities.")
@click.option("--against", type=PATH, help="Compare with the claims of this bundle; without HOST: its relays.")
@click.option("--evidence-key", type=PATH, help="The evidence.pub that the bundle of --against is verified with.")
@click.option("--nonce", help="The text that you gave the organisation to sign.")
@click.option("--expect-blocked", is_flag=True, help="Nobody should answer here: no answer is as designed.")
@click.option("--bind", metavar="ADDRESS", help="The address of ours to come from.")
@click.option("--helo", help="The name to say in EHLO; this machine's by default.")
@click.option("--versions/--no-versions", default=True, help="Try every TLS version, a session each.")
@click.option("--ciphers", "suites", is_flag=True, help="Try every cipher suite of TLS 1.2, a session each.")
@click.option("--active", is_flag=True, help="Try what should be refused, up to RCPT, where there is leave for it.")
@click.option("--at-once", default=100, show_default=True, type=click.IntRange(1, 1000), help="Targets at a time.")
@click.option(
    "--rate", default=20.0, show_default=True, type=click.FloatRange(0), help="Targets begun a second; 0: all."
)
@click.option(
    "--pause",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 60),
    help="Seconds between sessions with one target.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Add the answers to this file; done targets are left out.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines on standard output.")
def command(hosts: tuple[str, ...], file: Path | None, out: Path | None, as_json: bool, **asked: Any) -> None:
    """What a mail server shows to who only says EHLO, STARTTLS and QUIT: address, names, greeting, TLS versions, chain,
    whether it asks for a client certificate. Sends no mail, and tries no address unless somebody has authorised that.

    A line of --targets: HOST[:PORT] [authorised-by="NAME" on=YYYY-MM-DD domain=DOMAIN]

    Exit code: 0 every target answered, or did not where that is claimed; 1 one did not, accepted what it should refuse,
    or contradicts the bundle; 2 could not run.
    """
    said = _claims(asked.pop("against"), asked.pop("evidence_key"), asked.pop("nonce"))
    blocked = asked.pop("expect_blocked")
    if said and blocked:
        raise CjsmError("--expect-blocked: the bundle of --against says who is let in; give one of the two")
    wanted = targets.unique([*map(targets.parse, hosts), *(targets.load(file) if file else [])])
    if said:
        wanted = [said.allowed(target) for target in wanted] or _claimed(said, active=asked["active"])
    if not wanted:
        raise CjsmError("expected targets: HOST[:PORT]..., or --targets FILE; found none")
    rest = campaign.left(wanted, out) if out else wanted
    if len(rest) < len(wanted):
        click.echo(f"cjsm: {len(wanted) - len(rest)} of {len(wanted)} targets are in {out} already", err=True)
    at_once, rate = asked.pop("at_once"), asked.pop("rate")
    with ExitStack() as stack:
        manner = _manner(stack, **asked)
        answers = campaign.asked(rest, partial(_compared, manner, said, blocked), at_once, rate)
        good = asyncio.run(_told(answers, len(rest), out, as_json))
    if out:
        click.echo(f"Next: {len(rest)} answers are in {out}", err=True)
    sys.exit(good < len(rest))


def _claimed(said: Claims, *, active: bool) -> list[Target]:
    """Whom the bundle alone names. They are looked at; more is tried only where the engineer has named them."""
    found = said.targets()
    if active and found:
        places = " ".join(map(str, found))
        raise CjsmError(
            "--active: expected the relays to be named, HOST:PORT..., as such tests must not go where only a bundle "
            f"points. It says {places}: compare that with what the organisation told you, and name it"
        )
    return found


def _claims(bundle: Path | None, key: Path | None, nonce: str | None) -> Claims | None:
    if bundle is None:
        if key or nonce:
            raise CjsmError("--evidence-key and --nonce: expected --against BUNDLE with them")
        return None
    if key is None:
        raise CjsmError(
            "--against: expected --evidence-key, the organisation's evidence.pub, to verify the bundle with"
        )
    return claims.load(bundle, key, nonce, datetime.now(UTC))


async def _compared(manner: Manner, said: Claims | None, blocked: bool, target: targets.Target) -> dict[str, Any]:
    """One target, beside what was claimed of it."""
    facts = await probe.probe(target, manner)
    if said:
        facts["against"] = against.compared(said, target, facts, datetime.now(UTC))
    elif blocked:
        facts["against"] = against.expected_blocked(facts)
    return facts


def _manner(stack: ExitStack, *, bind: str | None, helo: str | None, **asked: Any) -> Manner:
    """How to ask, with files and addresses of our own tried before any target is."""
    files = _files(asked["certificate"], asked["key"], asked["ca"])
    if bind:
        _bindable(bind)
    name = helo or socket.getfqdn()
    if not name.isascii() or not name.isprintable() or " " in name:
        raise CjsmError(f"--helo {name!r}: expected a host name")
    return Manner(
        name,
        files["certificate"],
        files["authorities_file"],
        bind,
        asked["versions"],
        probe.unoffered() if asked["versions"] else {},
        files["key"],
        ciphers.suites() if asked["suites"] else None,
        stack.enter_context(ciphers.wrong(name)) if asked["active"] else None,
        asked["pause"],
    )


def _files(certificate: Path | None, key: Path | None, ca: Path | None) -> dict[str, str | None]:
    if key and not certificate:
        raise CjsmError("--key: expected --certificate with it")
    given = {"certificate": certificate, "key": key, "authorities_file": ca}
    files = {name: str(path) if path else None for name, path in given.items()}
    try:
        handshake.context(files)
    except (OSError, ValueError) as error:
        raise CjsmError(
            f"--certificate, --key and --ca: expected PEM files that can be loaded, found: {error}"
        ) from error
    return files


def _bindable(address: str) -> None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as tried:
            tried.bind((address, 0))
    except OSError as error:
        raise CjsmError(f"--bind {address}: expected an address of this machine; {error.strerror or error}") from error


async def _told(answers: AsyncIterator[dict[str, Any]], number: int, out: Path | None, as_json: bool) -> int:
    """Tell each answer as it comes; how many targets answered, and accepted nothing that they should refuse."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(NAMES_AT_ONCE))  # getaddrinfo(3) blocks
    good = 0
    with ExitStack() as stack:
        file = _opened(out, stack) if out else None
        many = number > 1 and not as_json and sys.stderr.isatty()
        drawn = click.progressbar(length=number, label="targets", file=terminal.bare(sys.stderr))
        bar = stack.enter_context(drawn) if many else None
        async for facts in answers:
            good += not found_something(facts)
            _tell(facts, file, as_json)
            if bar:
                bar.update(1)
    return good


def _opened(out: Path, stack: ExitStack) -> IO[str]:
    try:
        campaign.mended(out)
        return stack.enter_context(out.open("a", encoding="utf-8"))
    except OSError as error:
        raise CjsmError(f"--out {out}: expected a file that can be written; {error.strerror}") from error


def _tell(facts: dict[str, Any], file: IO[str] | None, as_json: bool) -> None:
    line = printable.as_json(facts)
    if file:
        file.write(line + "\n")
        file.flush()
    if as_json:
        click.echo(line)
    elif not file:
        tell("\n".join(map(printable.escaped, described(facts))))
