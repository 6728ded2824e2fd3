"""Mail on the lab's hosts seen from the machine: send with a host's own sendmail, read its Maildirs and its log."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from cjsm_connect.lab import hosts
from cjsm_connect.lab.members import named
from cjsm_connect.results import CjsmError


def send(lab: str, host: str, sender: str, recipients: list[str], message: str) -> None:
    """Hand a whole message (header, empty line, body) to the host's local submission (sendmail(1))."""
    done = hosts.run_in(lab, named(lab)[host], ["sendmail", "-i", "-f", sender, "--", *recipients], stdin=message)
    if done.returncode:
        raise CjsmError(f"sendmail on {host} refused the message: {done.stderr.strip()}")


def maildir(lab: str, host: str, user: str) -> Path:
    """A user's Maildir as a path of the machine."""
    return hosts.root(lab, named(lab)[host]) / "home" / user / "Maildir"


def messages(lab: str, host: str, user: str) -> list[EmailMessage]:
    """Every message in a user's Maildir, the oldest first; none where nothing has ever arrived."""
    files = sorted(maildir(lab, host, user).glob("new/*"), key=lambda file: file.stat().st_mtime_ns)
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def empty(lab: str, host: str, user: str) -> None:
    """Forget the messages in a user's Maildir."""
    for file in maildir(lab, host, user).glob("new/*"):
        file.unlink()


def log(lab: str, host: str) -> str:
    """The mail log of one of the lab's own hosts (hub, outside)."""
    path = hosts.root(lab, named(lab)[host]) / "var/log/mail.log"
    return path.read_text(errors="replace") if path.exists() else ""
