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
    waits: int = 1  # how many of its recipients are to wait


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

# whatever asks for more, or for something else (RFC 3461, RFC 6531, RFC 8689), or says who is meant (RFC 5322 3.6.6)
ASKING = (
    Letter("8BITMIME", mail_options=" BODY=8BITMIME"),
    Letter("delivery reports", mail_options=" RET=FULL ENVID=a", rcpt_options=" NOTIFY=FAILURE,DELAY"),
    Letter("another original recipient", rcpt_options=" NOTIFY=NEVER ORCPT=rfc822;someone@internet.example"),
    Letter("SMTPUTF8", mail_options=" SMTPUTF8"),
    Letter("resent", "Resent-From: someone@internet.example\nResent-To: someone@internet.example\n"),
    Letter("another To", "Apparently-To: someone@internet.example\nDelivered-To: someone@internet.example\n"),
    Letter("errors elsewhere", "Errors-To: someone@internet.example\nReturn-Path: <someone@internet.example>\n"),
    Letter("no scanning, please", "X-Virus-Status: Clean\nX-Spam-Flag: NO\nPrecedence: bulk\n"),
)

# how the same recipient can be written (RFC 5321 4.1.2, RFC 5322 4.4); what is before the last @ often means a route
WRITTEN = (
    Letter("dot at the end", recipients=(f"{ADVOCATE}.",)),
    Letter("capitals", recipients=("Advocate@CHARITY.example.CJSM.NET",)),
    Letter("quoted", recipients=('"advocate"@charity.example.cjsm.net',)),
    Letter("by way of others", recipients=(f"@internet.example,@mx.internet.example:{ADVOCATE}",)),
    Letter("percent", recipients=("advocate%charity.example.cjsm.net@council.example",)),
    Letter("bang", recipients=("charity.example.cjsm.net!advocate",)),
    Letter("extension", recipients=("advocate+someone=internet.example@charity.example.cjsm.net",)),
    Letter(
        "a letter of its own below", recipients=("advocate@b\u00fccher.example.cjsm.net",), mail_options=" SMTPUTF8"
    ),
    Letter(
        "many", recipients=(ADVOCATE, "someone@internet.example", CLERK, "second@charity.example.cjsm.net"), waits=2
    ),
)

# refused at the door, in every state of the other side
REFUSED = (
    Letter("REQUIRETLS", mail_options=" REQUIRETLS"),
    Letter("two dots at the end", recipients=(f"{ADVOCATE}..",)),
    Letter("ideographic dot at the end", recipients=(f"{ADVOCATE}\u3002",), mail_options=" SMTPUTF8"),
    Letter("empty label", recipients=("advocate@charity..cjsm.net",)),
    Letter("percent-encoded", recipients=("advocate@charity.example%2ecjsm.net",)),
    Letter("the hub itself", recipients=("advocate@hub.cjsm.example",)),
    Letter("the hub's address", recipients=("advocate@[203.0.113.20]",)),
    Letter("the hub's address as IPv6", recipients=("advocate@[IPv6:::ffff:203.0.113.20]",)),
    Letter("xn-- of plain letters", recipients=("advocate@charity.example.xn--cjsm-.net",)),
)


def disguised(name: str, domain: str) -> Letter:
    return Letter(name, recipients=(f"advocate@{domain}",), mail_options=" SMTPUTF8", waits=0)


# each is the same domain to UTS #46, and to no table
DISGUISED = {
    "U+3002": disguised("ideographic dot", "charity.example\u3002cjsm.net"),
    "U+FF0E": disguised("full-width dot", "charity.example.cjsm\uff0enet"),
    "U+FF61": disguised("half-width dot", "charity\uff61example\uff61cjsm.net"),
    "U+200B": disguised("zero-width space", "charity.example.cj\u200bsm.net"),
    "U+00AD": disguised("soft hyphen", "charity.example.cjsm.net\u00ad"),
    "U+FEFF": disguised("byte order mark", "\ufeffcharity.example.cjsm.net"),
    "U+2060": disguised("word joiner", "charity.example\u2060.cjsm.net"),
    "U+FE0F": disguised("variation selector", "charity.example.cjsm.ne\ufe0ft"),
    "U+E0100": disguised("variation selector of the last plane", "charity.example.cjsm\U000e0100.net"),
    "U+200D": disguised("joiner", "charity.example.cj\u200dsm.net"),
    "U+FF43": disguised("full-width letter", "charity.example.\uff43jsm.net"),
    "U+1D41C": disguised("bold letter", "charity.example.\U0001d41cjsm.net"),
    "U+2120": disguised("two letters in one", "charity.example.cj\u2120.net"),
    "U+017F": disguised("long s", "charity.example.cj\u017fm.net"),
    "U+24D4": disguised("circled letter below", "charity.\u24d4xample.cjsm.net"),
    "U+FF4E": disguised("our own domain", "cou\uff4ecil.example"),
}
