"""Which TLS 1.2 suites CJSM mail is encrypted with, by their OpenSSL names (openssl-ciphers(1)). TLS 1.3 has no others.

Forward secrecy and authenticated encryption, as NCSC asks ("Using TLS to protect data"). DHE is not among them: the
other side decides how large its group is, and Postfix takes 1024 bits of a peer that it verifies (it sets OpenSSL's
security level to 1 itself, src/tls/tls_client.c); ECDHE has no such choice.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from .values import Part, Text, refusal

MODERN = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)

DECLARABLE = (
    "DHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-CHACHA20-POLY1305",
    "DHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "DHE-RSA-AES256-SHA256",
    "DHE-RSA-AES128-SHA256",
    "AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-SHA256",
    "AES128-SHA256",
    "AES256-SHA",
    "AES128-SHA",
)
"""What an old hub may need, the better ones first. Nothing of it is used unless it is declared."""


def _declarable(value: str) -> str:
    if value in MODERN:
        raise refusal("a suite that is not used anyway")
    if value not in DECLARABLE:
        raise refusal(f"one of {', '.join(DECLARABLE)}")
    return value


class TlsException(Part):
    """One suite more towards one side, and why; whoever approved it answers for it."""

    suite: Annotated[Text, AfterValidator(_declarable)]
    approver: Text
    reason: Text


def permitted(declared: tuple[TlsException, ...]) -> tuple[str, ...]:
    """The suites towards a side that has these exceptions, in the order in which they are preferred."""
    return (*MODERN, *dict.fromkeys(one.suite for one in declared))
