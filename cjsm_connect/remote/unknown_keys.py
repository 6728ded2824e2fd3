"""Public keys that the hub's listener has put off because nobody has declared them, read from the mail log.

Standard library of Python 3.9.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from typing import Any

LOG = "/var/log/cjsm/mail.log"
ROTATED = LOG + "-????-??-??"  # yesterday's; older ones are packed (deploys/logging.py)
PUT_OFF = "the public key of this client certificate is not declared"
"""In the text of the 450 that a hub with another key is told (deploys/relay.py)."""

# What stands before the reply is Postfix's own; behind it come addresses that any sender may have chosen.
# TIME HOST postfix/SERVICE/smtpd[PID]: CLIENT[ADDRESS]: ..., written because smtpd_tls_loglevel has "peercert": by
# Postfix 3.7 as pkey_fingerprint=, by 3.10 as pkey fingerprint= (tls_server.c)
_SHOWN = re.compile(
    r"^\S+ \S+ (\S+/smtpd\[\d+\]): (\S+\[[0-9A-Fa-f:.]+\]): subject_CN=(.*), issuer=(.*), "
    r"(?:cert )?fingerprint=[0-9A-F:]+, pkey[_ ]fingerprint=([0-9A-F:]+)$"
)
_REFUSED = re.compile(
    r"^(\S+) \S+ (\S+/smtpd\[\d+\]): \S+ reject: RCPT from (\S+\[[0-9A-Fa-f:.]+\]): "
    r"450 4\.7\.1 <\3>: Client host rejected: %s .* helo=<(.*)>$" % PUT_OFF
)


def observe() -> list[dict[str, Any]]:
    """Each key with the name and issuer of its certificate, the client, when it was put off first and last, and how
    often: [{"key", "name", "issuer", "client", "first", "last", "times"}]. What today's and yesterday's log say."""
    return found(line for path in [*sorted(glob.glob(ROTATED))[-1:], LOG] for line in lines(path))


def lines(path: str) -> Iterator[str]:
    """The lines of a log, whatever their size together; none of one that is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)
    except OSError:
        return


def found(log: Any) -> list[dict[str, Any]]:
    """The keys in the lines of a log. The session that showed a key is the process's last one with that client."""
    shown: dict[tuple[str, str], tuple[str, str, str]] = {}
    keys: dict[str, dict[str, Any]] = {}
    for line in log:
        if "/smtpd[" not in line:
            continue
        if ": subject_CN=" in line and (match := _SHOWN.match(line)):
            shown[match[1], match[2]] = match[5].lower(), match[3], match[4]
        elif PUT_OFF in line and (match := _REFUSED.match(line)) and not match[4].endswith(".invalid"):  # our own tries
            _count(keys, match, *shown.get((match[2], match[3]), ("", "", "")))
    return sorted(keys.values(), key=lambda row: str(row["first"]))


def _count(keys: dict[str, dict[str, Any]], match: Any, key: str, name: str, issuer: str) -> None:
    """One refusal; an empty key: the log does not show it."""
    first = {"key": key, "name": name[:64], "issuer": issuer[:64], "client": match[3], "first": match[1], "times": 0}
    row = keys.setdefault(key, first)
    row.update(last=match[1], times=row["times"] + 1)
