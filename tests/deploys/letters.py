"""What a sender may write to have a message go elsewhere, or less protected: each row is one message. Pure."""

from __future__ import annotations

from dataclasses import dataclass

CLERK = "clerk@council.example"
ADVOCATE = "advocate@charity.example.cjsm.net"
PLAIN = f"From: {CLERK}\nTo: {ADVOCATE}\n"
HOW = ("smtp", "sendmail")


@dataclass(frozen=True)
class Letter:
    """A message: its header, and how it is handed in. What a way of handing in cannot say is left out there."""

    name: str
    header: str = ""
    sender: str = CLERK
    recipients: tuple[str, ...] = ()  # none: the plain one of the direction
    mail_options: str = ""  # behind MAIL FROM:<...>
    rcpt_options: str = ""


# RFC 8689 5: the header's name and its value have no case; a header may be folded (RFC 5322 2.2.3)
TLS_REQUIRED = (
    Letter("TLS-Required: no", "TLS-Required: no\n"),
    Letter("TLS-Required in other letters", "tls-REQUIRED:NO\n"),
    Letter("TLS-Required folded", "TLS-Required:\n no\n"),
    Letter("TLS-Required twice", "TLS-Required: no\nTLS-Required: no\n"),
    Letter("TLS-Required with a comment", "TLS-Required: (please) no\n"),
    Letter("TLS-Required from the null sender", "TLS-Required: no\n", sender=""),
    Letter("TLS-Required: yes", "TLS-Required: yes\n"),
)
