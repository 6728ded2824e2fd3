"""Tries of Postfix and its certificates on the host itself. No message is ever sent."""

from __future__ import annotations

import ssl
from typing import Any

from cjsm_connect.remote import collect, common, smtp, suites

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def postfix_runs(_arguments: dict[str, Any]) -> None:
    """Postfix's master process runs, whatever systemd thinks of postfix.service. No arguments."""
    if not collect.process_of("postfix.service"):
        raise common.Failed("expected Postfix's master process, found none; look: journalctl -u 'postfix*'")


def banner(arguments: dict[str, Any]) -> None:
    """A listener greets and ends the session (RFC 5321 3.1). Arguments: address, port."""
    expect(smtp.converse(arguments), "connect", (220,))


def listener(arguments: dict[str, Any]) -> None:
    """A listener of the CJSM path: TLS or nothing, our certificate, and no way in for the wrong machine.

    The host itself is neither the hub nor the other end of the inner hop, so a recipient that they may use must be
    refused for good (5yz); a 4yz would mean that all mail waits. Arguments: address, port, chain, recipient.
    """
    at = {"address": arguments["address"], "port": arguments["port"], "sender": ""}
    clear = smtp.converse(dict(at, recipients=[]))
    expect(clear, "MAIL", (530,), "the listener must refuse mail in clear text")
    tls = {"certificate": arguments["chain"]}
    outcome = smtp.converse(dict(at, tls=tls, recipients=[arguments["recipient"]]))
    served_is(outcome, arguments["chain"])
    expect(outcome, "MAIL", (250,))
    expect(outcome, "RCPT", range(500, 600), "this host is not the one that may hand in mail here")


def served_is(outcome: dict[str, Any], path: str) -> None:
    """The certificate that was served is the one that is installed."""
    if not outcome["offers_starttls"] or not outcome["tls"]:
        raise common.Failed(seen(outcome, "expected STARTTLS"))
    served = outcome["tls"]["peer_certificate_pem"]
    if not served:
        raise common.Failed(seen(outcome, f"the TLS handshake failed: {outcome['tls']['error']}"))
    if ssl.PEM_cert_to_DER_cert(served) != leaf(path):
        raise common.Failed(f"another certificate is served than the one in {path}")


def leaf(path: str) -> bytes:
    """The first certificate of a chain file, DER."""
    body = common.read(path).partition(BEGIN)[2].partition(END)[0]
    return ssl.PEM_cert_to_DER_cert(BEGIN + body + END)


def expect(outcome: dict[str, Any], command: str, codes: Any, why: str = "") -> None:
    """The reply to a command has one of these codes."""
    found = [reply for reply in outcome["replies"] if reply["command"].startswith(command)]
    if not found or found[-1]["code"] not in codes:
        wanted = f"expected {min(codes)} to {command}" + (f": {why}" if why else "")
        raise common.Failed(seen(outcome, wanted))


def seen(outcome: dict[str, Any], problem: str) -> str:
    """A problem, and what the other side said."""
    if outcome.get("could_not_tell"):
        return f"{problem}; {outcome['could_not_tell']}"
    said = [f"{reply['command']}: {reply['code']} {reply['text']}" for reply in outcome["replies"]]
    return f"{problem}; seen: {' | '.join(said) or 'connection ' + outcome['connection']}"


def setting(arguments: dict[str, Any]) -> None:
    """A service has a setting as Postfix itself reads it (postconf(1), -P). Arguments: service, parameter, value."""
    name = "%(service)s/%(parameter)s" % arguments
    found = common.run(["postconf", "-Phx", name]).strip()
    if found != arguments["value"]:
        raise common.Failed(f"{name} is {found!r}, expected {arguments['value']!r}")


_LACKING: dict[str, str] = {}  # what was said of a hub by its address: it is not asked again and again


def hub_suites(arguments: dict[str, Any]) -> None:
    """The hub has a suite that is permitted: EHLO, STARTTLS, QUIT, no more than twice. A hub that is away, or that is
    not well in another way, is none of this try's business: mail waits. Arguments: those of smtp.converse, permitted.
    """
    at = arguments["address"]
    if at not in _LACKING:
        _LACKING[at] = lacking(arguments)
    if _LACKING[at]:
        raise common.Failed(_LACKING[at])


def lacking(arguments: dict[str, Any]) -> str:
    """Why a server agrees on no permitted suite, with the one that it would take; "" when it does, or is not there."""
    permitted = list(arguments["permitted"])
    if suites.agreed(suites.session(arguments, permitted, suites.NEWEST)):
        return ""
    would = suites.agreed(suites.session(arguments, suites.named(suites.PROVEN), suites.NEWEST))
    if not would or would in permitted:
        return ""
    return (
        f"the hub has none of the suites {', '.join(permitted)}: it would take {would}. Ask its operator for a better "
        "one, or declare it in hub.tls_exceptions"
    )


def tables(arguments: dict[str, Any]) -> None:
    """Postfix uses a table, and it answers every row (postmap(1), -q). Arguments: parameter, table, rows."""
    used = common.run(["postconf", "-hx", arguments["parameter"]])
    if arguments["table"] not in used:
        raise common.Failed(f"{arguments['parameter']} is {used.strip()!r}, expected {arguments['table']} in it")
    keys = "".join(key + "\n" for key, _ in arguments["rows"])
    _, out, err = common.attempt(["postmap", "-q", "-", arguments["table"]], keys)
    found = dict(line.partition("\t")[::2] for line in out.splitlines())
    wrong = [f"{key} is {found.get(key)!r}" for key, value in arguments["rows"] if found.get(key) != value]
    if wrong or err.strip():
        raise common.Failed(f"{arguments['table']}: {'; '.join(wrong[:3]) or err.strip()[-200:]}")


def chain(arguments: dict[str, Any]) -> None:
    """An installed certificate is its key's, still valid and leads to its CA. Arguments: chain, authority ("" none)."""
    path = arguments["chain"]
    if common.run(["openssl", "pkey", "-in", path, "-pubout"]) != common.run(
        ["openssl", "x509", "-in", path, "-noout", "-pubkey"]
    ):
        raise common.Failed(f"key and certificate in {path} do not belong together")
    anchors = ["-CAfile", arguments["authority"]] if arguments["authority"] else ["-CAfile", path, "-partial_chain"]
    code, _, err = common.attempt(["openssl", "verify", *anchors, "-untrusted", path, path])
    if code:
        raise common.Failed(f"{path} does not verify: {err.strip()[-300:]}")
