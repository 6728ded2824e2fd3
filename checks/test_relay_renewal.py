"""relay: a hub that has renewed its key is asked to come again, and its key is named here."""

from __future__ import annotations

from checks.framework import check
from checks.postfix import answers
from cjsm_connect.organisation.renewal import WHAT_TO_DO, renewed, undeclared
from cjsm_connect.probes.postfix import STRANGER
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict


@check(
    "relay.renewed-key-waits",
    requirement="relay.renewed-key",
    role="relay",
    title="A hub of which the public key alone is unknown is told 450, anybody else 5yz",
    remedy="cjsm apply, which writes /etc/cjsm/maps/hub_unknown_keys and asks it last in smtpd_client_restrictions of "
    "the hub's listener",
)
def test_renewed_key_waits(seen: Seen, verdict: Verdict) -> None:
    found = answers(seen, "unknown_keys")
    for address in map(str, seen.organisation.hub.sources):
        observed = f"{address}: {found[address] or 'refused for good'}"
        verdict((found[address] or "").startswith("450 4.7."), expected=f"{address}: 450 4.7.1", observed=observed)
    testers = (str(address) for tester in seen.organisation.hub.testers for address in tester.addresses)
    for address in (*testers, STRANGER):
        observed = f"{address}: {found[address] or 'refused'}"
        refused = (found[address] or "REJECT").startswith(("REJECT", "5"))
        verdict(refused, expected=f"{address}: REJECT", observed=observed)


@check(
    "relay.hub-key-declared",
    requirement="relay.renewed-key",
    role="relay",
    title="The hub comes with a public key that is declared",
    remedy=f"{WHAT_TO_DO}; what waits at the hub comes by itself",
)
def test_hub_key_declared(seen: Seen, verdict: Verdict) -> None:
    found = undeclared(seen.organisation, seen.fact("relay", "unknown_keys"))
    observed = "; ".join(map(renewed, found)) or "no other key in the log of today and yesterday"
    verdict(not found, expected="only keys of hub.fingerprints", observed=observed)
