"""Handing a test message to the host's own mail system, and finding it again: in a mailbox, in the log.

Standard library of Python 3.9.
"""

from __future__ import annotations

import glob
import os
import pwd
import re
import subprocess
import time
from email import message_from_bytes
from email.policy import default
from typing import Any

from cjsm_connect.printable import SAID, shown
from cjsm_connect.remote import common, messages

POLL_SECONDS = 0.5
BEFORE = 60  # seconds: handed in with the other tries, at most so long ago
MOST_BYTES = 200_000
MOST_HOPS = 20
SHOWN_HEADERS = ("From", "To", "Return-Path", "Delivered-To", "Subject")
LOG_FILES = ("/var/log/mail.log", "/var/log/maillog")


def submit(arguments: dict[str, Any]) -> dict[str, Any]:
    """Hand a message to sendmail(1): exit code, what of it must arrive, and the log lines of its queue id.

    `sender` may be empty: then nobody gets a report when it is refused.
    """
    message = messages.build(arguments).replace(b"\r\n", b"\n")  # sendmail takes local line ends
    argv = ["/usr/sbin/sendmail", "-i", "-f", arguments["sender"], "--", arguments["recipient"]]
    try:
        done = subprocess.run(argv, input=message, capture_output=True, timeout=20, env=common.ENVIRONMENT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"could_not_tell": "sendmail: %s" % error}
    said = shown(done.stderr.decode("utf-8", "replace"), SAID)
    lines = [] if done.returncode else _settled_lines(arguments)
    return {"exit_code": done.returncode, "errors": said, "log": lines, **messages.fingerprint(message)}


def log(arguments: dict[str, Any]) -> dict[str, Any]:
    """The log lines of one test message on this host, once its fate is known; as long as a mailbox is looked at."""
    return {"log": _settled_lines(arguments, common.ON_THE_WAY)}


def _settled_lines(arguments: dict[str, Any], usual: float = 8) -> list[str]:
    """Wait for a line that tells the message's fate; bounded in time and amount."""
    since, patience = int(time.time()) - BEFORE, common.Patience(arguments.get("seconds", usual))
    identifier = messages.message_id(arguments["token"], arguments["mark"])
    while True:
        lines = _lines_about(identifier, since)
        if _settled(lines) or patience.over:
            return [shown(line, SAID) for line in lines[-20:]]
        time.sleep(POLL_SECONDS)


def _settled(lines: list[str]) -> bool:
    """Is it known what became of the message, for each recipient that the queue manager counted?"""
    if any(re.search(r"milter-reject|: reject: ", line) for line in lines):
        return True
    told = sum(" status=" in line for line in lines)
    counts = [int(count) for line in lines for count in re.findall(r" nrcpt=(\d+) \(queue active\)", line)]
    return told > 0 and told >= sum(counts)


def _lines_about(identifier: str, since: int) -> list[str]:
    """All lines with a queue id under which this Message-ID was logged (cleanup(8) logs it once for each)."""
    lines = _recent_log(since)
    named = [line for line in lines if "message-id=" + identifier in line]
    queue_ids = {found.group(1) for found in (re.search(r": ([0-9A-Za-z]{6,20}): ", line) for line in named) if found}
    return [line for line in lines if any(": %s: " % queue_id in line for queue_id in queue_ids)]


def _recent_log(since: int) -> list[str]:
    """The mail log since a Unix time: the journal's, or where it has none the end of the usual files."""
    how = ["--since", "@%d" % since, "--output", "short", "--no-pager", "--quiet"]
    _, journal, _ = common.attempt(["journalctl", "--facility", "mail", *how], seconds=10)
    return journal.splitlines() or [line for path in LOG_FILES for line in _end(path)]


def _end(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 2_000_000))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def mailbox(arguments: dict[str, Any]) -> dict[str, Any]:
    """Wait up to `seconds` for a test message in a Maildir: of a local `user`, or in a `folder`. 0 looks once.

    `found`, then the headers that people see, and the same fingerprint that submit gives for what was sent.
    """
    folder, why = _folder(arguments)
    if why:
        return {"could_not_tell": why}
    identifier = messages.message_id(arguments["token"], arguments["mark"]).encode("ascii")
    patience = common.Patience(arguments.get("seconds", common.ON_THE_WAY))
    while True:
        message = _message(folder, identifier)
        if message:
            parsed = message_from_bytes(message, policy=default)
            headers = {name: shown(parsed.get(name, ""), SAID) for name in SHOWN_HEADERS}
            received = [shown(value, SAID) for value in parsed.get_all("Received", [])[:MOST_HOPS]]
            return {"found": True, "headers": headers, "received": received, **messages.fingerprint(message)}
        if patience.over:
            return {"found": False, "folder": folder}
        time.sleep(POLL_SECONDS)


def _folder(arguments: dict[str, Any]) -> tuple[str, str]:
    """The Maildir to look in, or why there is none."""
    if arguments.get("folder"):
        return arguments["folder"], ""
    if not arguments.get("user"):
        return "", "the organisation file names no mailbox for %s that can be looked into" % arguments["recipient"]
    try:
        return pwd.getpwnam(arguments["user"]).pw_dir + "/Maildir", ""
    except KeyError:
        return "", "there is no local user %s whose mailbox could be looked into" % arguments["user"]


def _message(folder: str, identifier: bytes) -> bytes:
    """The newest message with that Message-ID, or nothing; only what was delivered in the last ten minutes."""
    since = time.time() - 600
    for path in glob.glob(glob.escape(folder) + "/new/*") + glob.glob(glob.escape(folder) + "/cur/*"):
        try:
            if os.stat(path).st_mtime > since:
                with open(path, "rb") as file:
                    message = file.read(MOST_BYTES)
                if identifier in message[:20_000]:
                    return message
        except OSError:  # moved by a mail client between the two calls
            continue
    return b""
