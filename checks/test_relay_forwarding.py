"""relay: mail stays where it was sent to. Copies and forwards leave without anybody deciding it message by message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from checks.framework import check
from cjsm_connect.organisation.destinations import is_within
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

MAIL_HOSTS = "relay,mail"
CJSM = "cjsm.net"


def rows(seen: Seen) -> list[dict[str, str]]:
    """What sends mail on by itself, and to which address outside the organisation's domains."""
    found: list[dict[str, str]] = seen.fact("forwarding", "found")
    return found


def shown(found: Sequence[dict[str, str]]) -> str:
    return ", ".join(f"{row['where']} to {row['to']}" for row in found) or "nobody"


def to_cjsm(row: dict[str, str]) -> bool:
    return is_within(row["to"].rpartition("@")[2].lower(), CJSM)


@check(
    "relay.forwards-to-nobody",
    requirement="relay.no-forwarding",
    role=MAIL_HOSTS,
    title="No alias, .forward, rewriting or copy sends mail to an outside address",
    remedy="take the address out of the file or table that is named; then newaliases or postmap FILE; for a setting: "
    "postconf -X always_bcc && systemctl reload postfix",
)
def test_forwards_to_nobody(seen: Seen, verdict: Verdict) -> None:
    leaving = [row for row in rows(seen) if row["kind"] == "forward" and not to_cjsm(row)]
    verdict(not leaving, expected="copies and forwards to nobody outside", observed=shown(leaving))
    unread = seen.fact("forwarding", "unread")
    if unread:
        verdict.not_tested(f"nothing leaves by what can be listed; {', '.join(unread)} cannot: ask who keeps it")


@check(
    "relay.nothing-automatic-to-cjsm",
    requirement="relay.no-automated-mail",
    role=MAIL_HOSTS,
    title="No alias, copy or job sends mail below cjsm.net by itself",
    remedy="take the address out of the file that is named (/etc/aliases, then newaliases; .forward; MAILTO in "
    "/etc/crontab; Unattended-Upgrade::Mail), or waive this with MoJ's permission as the reason",
)
def test_nothing_automatic_to_cjsm(seen: Seen, verdict: Verdict) -> None:
    automatic = [row for row in rows(seen) if to_cjsm(row)]
    verdict(not automatic, expected="nothing by itself to anybody below cjsm.net", observed=shown(automatic))


def recipients(lines: Sequence[str]) -> Iterator[str]:
    """The addresses that a queue manager's agents delivered to (or tried to)."""
    for line in lines:
        yield from re.findall(r": to=<([^>]*)>", line)


@check(
    "relay.test-message-goes-nowhere-else",
    requirement="relay.no-forwarding",
    role="estate",
    vantage="mail",
    impact="hub-mail",
    title="The test messages are delivered to their recipients and to nobody else",
    remedy="grep the message's queue id in /var/log/cjsm/mail.log of the mail server; then postconf -n | grep -E "
    "'bcc|canonical|alias'",
)
def test_test_message_goes_nowhere_else(seen: Seen, verdict: Verdict) -> None:
    organisation = seen.organisation
    own = (*organisation.domains.names, *(host.fqdn for host in organisation.hosts))
    meant = str(organisation.tests.external).lower()
    ways = [list(recipients(seen.tried(f"message.{way}")["log"])) for way in ("outbound-sent", "inbound-logged")]
    found = {address.lower() for way in ways for address in way}
    others = sorted(
        address
        for address in found
        if address != meant and not any(is_within(address.rpartition("@")[2], domain) for domain in own)
    )
    observed = ", ".join(others) if others else f"{len(found)} recipients, all of them meant"
    verdict(not others, expected=f"{organisation.tests.internal} and {meant} only", observed=observed)
    if not all(ways):
        verdict.not_tested("the mail server's log does not say what became of both test messages")
