"""Whose mail it is: domains, recipients, sizes, and the families of domains that may be written to securely."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, model_validator

from .values import Domain, Email, Many, Name, Part, Several, Text, refusal


def _sorted_once(values: tuple[str, ...]) -> tuple[str, ...]:
    """One canonical list: sorted, without duplicates, so that two spellings of a list are the same list."""
    return tuple(sorted(set(values)))


class Domains(Part):
    """The organisation's own mail domains, as A-labels; read from `names` or from `file`, one a line.

    `dkim_selectors`: the names under which their DKIM keys are published (RFC 6376, 3.1).
    """

    names: Annotated[Many[Domain], AfterValidator(_sorted_once)] = ()
    file: Text | None = None
    accept_suffixed: bool = False
    dkim_selectors: Annotated[Several[Name], AfterValidator(_sorted_once)] = ()


class Recipients(Part):
    """How the relay knows which recipients exist: it asks the mail server, or has a list."""

    mode: Literal["verify", "file"]
    file: Text | None = None
    addresses: Annotated[Many[Email], AfterValidator(_sorted_once)] = ()

    @model_validator(mode="after")
    def _list_belongs_to_mode(self) -> Recipients:
        listed = self.file is not None or bool(self.addresses)
        if self.mode == "file" and not listed:
            raise refusal('file = "recipients.txt" (one address a line) beside mode = "file"', "no list")
        if self.mode == "verify" and listed:
            raise refusal('no list beside mode = "verify": the mail server is asked', "a list as well")
        return self


class Mail(Part):
    """Amounts. `message_size_limit` in bytes; scanner and disk sizes are computed from these."""

    # Postfix's own default is 10,240,000; clamd cannot look into more than 2 GiB (man clamd.conf, MaxFileSize)
    message_size_limit: Annotated[int, Ge(1_000_000), Le(500_000_000)]
    messages_per_day: Annotated[int, Ge(1), Le(50_000_000)]
    # RFC 5321, 4.5.4.1: give up after at least 4-5 days; a long outage of the hub must not lose mail
    queue_lifetime_days: Annotated[int, Ge(1), Le(30)] = 5


class Tests(Part):
    """Mailboxes that test messages may go to: one of our own, and one at another member through the hub."""

    internal: Email | None = None
    external: Email | None = None


class Destinations(Part):
    """Families of domains that users here treat as secure when they add `.cjsm.net`."""

    trusted: Annotated[Several[Domain], AfterValidator(_sorted_once)] = ()
