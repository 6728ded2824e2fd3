"""One SMTP session a try, with every reply kept. Standard library of Python 3.9.

smtplib tells a silent server and a closed connection by the same exception and reads replies without end; here a
timeout is "could not tell" and never a refusal, and what a hostile server says is bounded.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

from cjsm_connect.printable import SAID, shown
from cjsm_connect.remote import common, handshake, messages

CONNECT_SECONDS = 3
REPLY_SECONDS = 10  # recipient verification may take three polls of three seconds (postconf(5), address_verify_poll_*)
DATA_SECONDS = 30
RETRY_SECONDS = 1
LONGEST_LINE = 2048  # RFC 5321, 4.5.3.1.5 asks for 512
MOST_LINES = 100


class CouldNotTell(Exception):
    """Nothing came in time, or it was not SMTP: neither yes nor no."""


class Ended(Exception):
    """The other side ended the session; what was said until then are the facts."""


def connect(arguments: dict[str, Any]) -> tuple[str, socket.socket | None]:
    """Open a TCP connection: ("open", socket), or ("refused" | "no_answer", None). RFC 9293 resets are refusals."""
    source = (arguments["source"], 0) if arguments.get("source") else None
    address = (arguments["address"], arguments["port"])
    try:
        return "open", socket.create_connection(address, CONNECT_SECONDS, source)
    except ConnectionRefusedError:
        return "refused", None
    except socket.timeout:
        return "no_answer", None
    except OSError as error:
        raise CouldNotTell("connecting to %s port %s: %s" % (*address, error)) from error


class Session:
    """A conversation over an open socket; `replies` is filled as it goes on."""

    def __init__(self, connection: socket.socket, replies: list[dict[str, Any]]) -> None:
        self.connection = connection
        self.replies = replies
        self.lines: list[str] = []
        self._unread = b""

    def ask(self, command: str) -> int:
        """Send one command and give the code of its reply."""
        try:
            line = common.command_line(command)
        except common.Unsayable as error:
            raise CouldNotTell(str(error)) from None
        self.send(line, REPLY_SECONDS)
        return self.read(command, REPLY_SECONDS)

    def send(self, data: bytes, seconds: float) -> None:
        """Write everything; a server that does not read is a timeout."""
        self.connection.settimeout(seconds)
        try:
            self.connection.sendall(data)
        except socket.timeout:
            raise CouldNotTell("nothing was read within %d seconds" % seconds) from None
        except OSError:
            pass  # broken off by the other side, which may have said why: the next read tells

    def read(self, command: str, seconds: float) -> int:
        """The next reply (RFC 5321, 4.2), kept under the command that it answers; code 0 is "it hung up"."""
        deadline = time.monotonic() + seconds
        line = self._line(deadline, command)
        self.lines = [line[4:]]
        while line[3:4] == "-":
            line = self._line(deadline, command)
            self.lines.append(line[4:])
            if len(self.lines) > MOST_LINES:
                raise CouldNotTell("a reply of more than %d lines" % MOST_LINES)
        self.replies.append({"command": command, "code": int(line[:3]), "text": shown(" / ".join(self.lines), SAID)})
        return int(line[:3])

    def _line(self, deadline: float, command: str) -> str:
        while b"\n" not in self._unread:
            if len(self._unread) > LONGEST_LINE:
                raise CouldNotTell("a reply line longer than %d bytes" % LONGEST_LINE)
            self._unread += self._received(deadline, command)
        raw, _, self._unread = self._unread.partition(b"\n")
        line = raw.decode("utf-8", "replace").rstrip("\r")
        if not re.match(r"[2-5][0-9][0-9]( |-|$)", line):
            raise CouldNotTell("this is not an SMTP reply: %s" % shown(line, SAID))
        return line

    def _received(self, deadline: float, command: str) -> bytes:
        self.connection.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data = self.connection.recv(4096)
        except socket.timeout:
            raise CouldNotTell("no reply to %s in time" % command) from None
        except ssl.SSLError:
            raise
        except OSError:
            data = b""
        if not data:
            self.replies.append({"command": command, "code": 0, "text": "the other side closed the connection"})
            raise Ended
        return data

    def secured(self, options: dict[str, Any], facts: dict[str, Any]) -> bool:
        """Go on inside TLS; anything sent ahead of the handshake is dropped (CVE-2011-0411)."""
        self._unread = b""
        self.connection.settimeout(REPLY_SECONDS)
        wrapped = handshake.secure(self.connection, options, facts)
        if wrapped is not None:
            self.connection = wrapped
        return wrapped is not None


def converse(arguments: dict[str, Any]) -> dict[str, Any]:
    """One try: connect, EHLO, and as far as `arguments` ask: TLS, MAIL, RCPT, DATA.

    address, port, source, helo; tls: options of handshake.context with names, server_name, implicit, control;
    sender, recipients, message. What the server answered is in `replies`; a command not in it was not sent.
    A closed port is a fact ("reachable": False, "connection": "refused"); a silent one could not tell.
    A try that could not tell, or met a temporary error, is made a second time.
    """
    tls = arguments.get("tls") or {}
    impossible = handshake.cannot_offer(tls) if tls.get("control") else ""
    if impossible:
        return {"could_not_tell": impossible}
    outcome = _attempt(arguments)
    if _temporary(outcome):
        time.sleep(RETRY_SECONDS)
        outcome = {**_attempt(arguments), "attempts": 2}
    return _with_what_was_presented(arguments, outcome)


def _temporary(outcome: dict[str, Any]) -> bool:
    """Is it worth asking again? 4yz is (RFC 5321, 4.2.1), but for 421 4.7.x, Postfix's word for a wrong certificate."""
    busy = [reply for reply in outcome["replies"] if 400 <= reply["code"] < 500]
    meant = any(reply["code"] == 421 and reply["text"].startswith("4.7.") for reply in busy)
    return (bool(busy) and not meant) or (outcome["reachable"] is True and "could_not_tell" in outcome)


def _with_what_was_presented(arguments: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    """When the chain does not verify, look once more without verifying, and send nothing: which certificate is it?"""
    facts = outcome.get("tls")
    if not facts or facts["chain_verified"] is not False:
        return outcome
    look = {key: value for key, value in arguments.items() if key in ("address", "port", "source", "helo")}
    look["tls"] = {**arguments["tls"], "authorities": None, "authorities_file": None}
    seen = _attempt(look)["tls"] or {}
    for key in ("version", "cipher", "name_matches", "peer_certificate_pem", "peer_issuers_pem", "peer_key_sha256"):
        facts[key] = seen.get(key, facts[key])
    return outcome


def _attempt(arguments: dict[str, Any]) -> dict[str, Any]:
    outcome: dict[str, Any] = {"reachable": None, "offers_starttls": None, "tls": None, "replies": []}
    try:
        with opened(arguments, outcome) as session:
            _talk(session, arguments, outcome)
    except Ended:
        pass
    except ssl.SSLError as error:  # TLS 1.3 tells a refused client certificate after the handshake (RFC 8446, 4.4.2.4)
        outcome["tls"]["error"] = str(error.reason or error)
    except (CouldNotTell, handshake.Unprepared, OSError) as error:
        outcome["could_not_tell"] = str(error)
    return outcome


@contextlib.contextmanager
def opened(arguments: dict[str, Any], outcome: dict[str, Any]) -> Iterator[Session]:
    """A session over a new connection, closed at the end.

    Raises:
        Ended: the port is closed, which is an answer.
        CouldNotTell: there was no answer.
    """
    state, connection = connect(arguments)
    outcome["connection"] = state
    outcome["reachable"] = {"open": True, "refused": False}.get(state)
    if connection is None and state == "refused":
        raise Ended
    if connection is None:
        raise CouldNotTell("no answer from %s port %s" % (arguments["address"], arguments["port"]))
    session = Session(connection, outcome["replies"])
    try:
        yield session
    finally:
        session.connection.close()


def _talk(session: Session, arguments: dict[str, Any], outcome: dict[str, Any]) -> None:
    if begin(session, arguments, outcome):
        if "sender" in arguments:
            send(session, arguments)
        session.ask("QUIT")


def begin(session: Session, arguments: dict[str, Any], outcome: dict[str, Any]) -> bool:
    """Up to where MAIL may be asked: banner, EHLO and, if `tls` is asked for, TLS. False when it got no further."""
    tls = arguments.get("tls")  # None is clear text; {} is TLS without any further wish
    implicit = bool(tls and tls.get("implicit"))
    if tls and implicit:
        outcome["tls"] = handshake.blank()
        if not session.secured(tls, outcome["tls"]):
            return False
    if session.read("connect", REPLY_SECONDS) != 220 or not _greet(session, arguments, outcome):
        return False
    return tls is None or implicit or _start_tls(session, arguments, outcome)


def _greet(session: Session, arguments: dict[str, Any], outcome: dict[str, Any]) -> bool:
    code = session.ask("EHLO " + arguments.get("helo", "selftest.invalid"))
    words = [line.upper().split() for line in session.lines if line.split()]
    sizes = [line[1] for line in words if line[0] == "SIZE" and len(line) > 1 and re.match("[0-9]{1,19}$", line[1])]
    outcome["announces_size"] = int(sizes[0][:20]) if sizes else None
    if outcome["offers_starttls"] is None and code == 250:
        outcome["offers_starttls"] = ["STARTTLS"] in words
        outcome["offers_log_in"] = any(line[0] == "AUTH" for line in words)
    return code == 250


def _start_tls(session: Session, arguments: dict[str, Any], outcome: dict[str, Any]) -> bool:
    if not outcome["offers_starttls"] or session.ask("STARTTLS") != 220:
        return False
    outcome["tls"] = handshake.blank()
    return session.secured(arguments["tls"], outcome["tls"]) and _greet(session, arguments, outcome)


def send(session: Session, arguments: dict[str, Any]) -> None:
    """MAIL, RCPT and, only when a message is given and a recipient was accepted, DATA."""
    if session.ask("MAIL FROM:<%s>" % arguments["sender"]) != 250:
        return
    accepted = [session.ask("RCPT TO:<%s>" % recipient) in (250, 251) for recipient in arguments["recipients"]]
    if arguments.get("message") and any(accepted) and session.ask("DATA") == 354:
        session.send(stuffed(messages.build({**arguments["message"], **_envelope(arguments)})), DATA_SECONDS)
        session.read("message", DATA_SECONDS)


def _envelope(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"sender": arguments["sender"], "recipient": arguments["recipients"][0], "token": arguments["token"]}


def stuffed(message: bytes) -> bytes:
    """Dot-stuffing and the end of the message (RFC 5321, 4.5.2); `message` ends with CRLF."""
    doubled = message.replace(b"\r\n.", b"\r\n..")
    return (b"." + doubled if doubled.startswith(b".") else doubled) + b".\r\n"
