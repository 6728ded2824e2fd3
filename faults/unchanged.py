"""Ways in which a message arrives as another than was sent: what its sender signed is no longer what is read."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import configure
from faults.relay import MASTER

MILTER = "/etc/clamav/clamav-milter.conf"
UNCUT = "  -o smtp_line_length_limit=0\n"


def cut(host: Patient) -> None:
    """Postfix's default for the lines of each service."""
    host.replace(MASTER, UNCUT, "")
    host.reload_postfix()
    assert "smtp_line_length_limit" not in host.run(["postconf", "-P"]).stdout


@fault("relay.long-lines-cut", host="relay", violates="relay.unchanged")
def long_lines_cut(host: Patient) -> None:
    """Lines of more than 998 bytes are cut again, with a space inside, as Postfix does by default."""
    cut(host)


@fault("relay.long-lines-cut-inside", host="mail", violates="relay.unchanged")
def long_lines_cut_inside(host: Patient) -> None:
    """The same on the mail server, before the relay sees the message."""
    cut(host)


@fault("relay.headers-taken-out", host="relay", violates="relay.unchanged")
def headers_taken_out(host: Patient) -> None:
    """Headers that somebody thought to be of no use are taken out, and with them what their sender signed."""
    configure(host, message_drop_headers="x-virus-status, list-id")


@fault("relay.scanner-adds-headers", host="relay", violates="relay.unchanged")
def scanner_adds_headers(host: Patient) -> None:
    """The scanner writes its version and this host's name into each message, and takes out what others wrote."""
    host.replace(MILTER, "AddHeader No", "AddHeader Replace")
    host.run(["systemctl", "restart", "clamav-milter.service"])
    assert "AddHeader Replace" in host.read(MILTER)
