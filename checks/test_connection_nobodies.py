"""connection: nobody is taken for a recipient. Who is accepted and has no mailbox is bounced later, to a stranger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks.framework import check
from checks.sessions import Outcome, control, refusal, told
from checks.test_connection_public import public
from cjsm_connect.organisation import Host
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import NotTested, Verdict

ACCOUNTS = (
    'cjsm apply, which sets local_recipient_maps of a mail server with mailboxes = "local"; on one of your own: '
    "postconf local_recipient_maps mydestination, so that no account of the system is a recipient (Exchange: recipient "
    "filtering)"
)


@check(
    "connection.relay-refuses-system-accounts",
    requirement="connection.unknown-recipients",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay refuses accounts of the system, also with an extension, and bounces nothing later",
    remedy=ACCOUNTS,
)
def test_relay_refuses_system_accounts(seen: Seen, verdict: Verdict) -> None:
    name = seen.host.name
    outcome = refusal(seen, f"relay.system-accounts:{name}", beside=f"relay.hub:{name}")
    nobody_is_taken(seen, verdict, outcome, seen.organisation.mail_servers)


@check(
    "connection.public-refuses-nobodies",
    requirement="connection.unknown-recipients",
    role="mail",
    vantage="outside",
    impact="local-active",
    title="The mail server refuses strangers' mail for names without a mailbox, and bounces nothing later",
    remedy=ACCOUNTS,
)
def test_public_refuses_nobodies(seen: Seen, verdict: Verdict) -> None:
    own = public("own", seen, verdict)
    outcome = refusal(seen, public("unknown-recipients", seen, verdict), beside=own)
    nobody_is_taken(seen, verdict, outcome, (seen.host,))


@check(
    "connection.listed-recipients-real",
    requirement="connection.unknown-recipients",
    role="mail",
    vantage="other end of the inner hop",
    impact="local-active",
    title="The mail server takes mail for the recipients that the relay's list has; of a long list some are asked for",
    remedy="take the address out of recipients.file, or give it a mailbox; then cjsm apply",
)
def test_listed_recipients_real(seen: Seen, verdict: Verdict) -> None:
    listed, asked = len(seen.organisation.recipients.addresses), 0
    for relay in seen.organisation.relays:
        control(seen, f"inner.session:{seen.host.name}:{relay.name}")
        if not listed:
            continue
        outcome = seen.tried(f"inner.listed:{seen.host.name}:{relay.name}")
        replies = [reply for reply in outcome["replies"] if reply["command"].startswith("RCPT")]
        refused = [reply for reply in replies if reply["code"] >= 500]
        observed = told({**outcome, "replies": refused or replies})
        verdict(not refused, expected="250 to RCPT TO for each of the list", observed=observed)
        if not all(200 <= reply["code"] < 300 for reply in replies) or not replies:
            raise NotTested(f"neither taken nor refused for good: {told(outcome)}")
        asked = len(replies)
    taken = f"takes mail for {asked} of {listed} in the list; no other was asked for"
    observed = taken if listed else "no list: the mail server is asked for each recipient"
    verdict(True, expected="no list, or a list of mailboxes", observed=observed)


def nobody_is_taken(seen: Seen, verdict: Verdict, outcome: Outcome, servers: tuple[Host, ...]) -> None:
    """Each recipient is refused for good, but for those that are aliases on a mail server: somebody decided that.

    Raises:
        NotTested: one was put off (greylisted, or the mail server was away).
    """
    decided = {name for server in servers for name in aliases(seen, server)}
    replies = [reply for reply in outcome["replies"] if reply["command"].startswith("RCPT")]
    judged = [reply for reply in replies if _name(reply) not in decided]
    taken = [reply for reply in judged if 200 <= reply["code"] < 300]
    observed = told({**outcome, "replies": taken or judged}) if judged else "each is an alias"
    verdict(not taken, expected="550 to names without a mailbox", observed=observed)
    if not replies or any(reply["code"] < 500 for reply in judged):
        raise NotTested(f"neither taken nor refused for good: {told(outcome)}")


def aliases(seen: Seen, server: Host) -> list[str]:
    """The names that are aliases there, as far as that is known."""
    entry: Mapping[str, Any] = seen.observation.get("hosts", {}).get(server.name, {})
    found: list[str] = entry.get("facts", {}).get("mailboxes", {}).get("aliases", [])
    return found


def _name(reply: Mapping[str, Any]) -> str:
    """The account of a recipient, without domain and extension."""
    return str(reply["command"]).partition("<")[2].partition("@")[0].partition("+")[0]
