"""estate: what no probe can see, stated by somebody on a day. A statement goes stale (policy `declaration_days`)."""

from __future__ import annotations

from checks.declarations import declared, remedy
from checks.framework import Function, check
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict


def declaration(name: str, title: str, requirement: str = "") -> Function:
    """The check that a declaration was made, and is not stale."""

    def judged(seen: Seen, verdict: Verdict) -> None:
        declared(seen, verdict, name)

    return check(
        f"estate.declared-{name}",
        requirement=requirement or f"estate.{name}",
        role="estate",
        vantage="declaration",
        title=title,
        remedy=remedy(name),
    )(judged)


test_firewall_maintained = declaration("firewall-maintained", "Maintenance and review of the firewall are declared")
test_risk_assessment = declaration("risk-assessment", "A risk assessment is declared")
test_encryption_at_rest = declaration("encryption-at-rest", "Encryption of disks is declared")
test_storage = declaration("storage", "Where CJSM papers are kept, and that it is no unapproved cloud, is declared")
test_secure_access = declaration("secure-access", "Users' access over secured networks only is declared")
test_onward_transfer = declaration("onward-transfer", "The rule for handing CJSM papers on is declared")
test_mobile_devices = declaration("mobile-devices", "Encryption and approval of mobile devices are declared")
test_workstations = declaration("workstations", "Protection and patching of workstations are declared")
test_changes_reported = declaration(
    "infrastructure-changes", "Reports of significant changes to MoJ are declared", "estate.changes-reported"
)
test_change_control = declaration("change-control", "Change control is declared")
test_continuity = declaration("continuity", "A plan for outages is declared")


@check(
    "estate.declared-terms-accepted",
    requirement="estate.terms-accepted",
    role="estate",
    vantage="declaration",
    title="A signatory accepted the terms within the last year",
    remedy=f"have a signatory accept the terms; then {remedy('terms-accepted')}; the owner is one of [[signatories]]",
)
def test_terms_accepted(seen: Seen, verdict: Verdict) -> None:
    signatories = [one.name for one in seen.organisation.signatories]
    declared(seen, verdict, "terms-accepted")
    made = seen.organisation.declaration("terms-accepted")
    assert made
    expected = f"accepted by one of [[signatories]]: {', '.join(signatories)}"
    verdict(made.owner in signatories, expected=expected, observed=f"declared by {made.owner} on {made.date}")
