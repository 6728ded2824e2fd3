"""The estate: what holds for every host, and what no probe can see (declarations, kept apart by their vantage)."""

from __future__ import annotations

from checks.framework import check
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

EVERY_HOST = "relay,mail,firewall"
UNITED_KINGDOM = ("united kingdom", "uk", "great britain", "england", "scotland", "wales", "northern ireland")


@check(
    "estate.release-as-declared",
    requirement="estate.release-as-declared",
    role=EVERY_HOST,
    title="The host runs the declared release",
    remedy="correct hosts.release in organisation.toml, or upgrade the host",
)
def test_release_as_declared(seen: Seen, verdict: Verdict) -> None:
    found = seen.fact("system", "release", "version_codename")
    verdict(found == seen.host.release, expected=seen.host.release, observed=found)


@check(
    "estate.accurate-clock",
    requirement="estate.accurate-clock",
    role=EVERY_HOST,
    title="The host's clock agrees with the controller's",
    remedy="cjsm apply, which configures time synchronisation; then look at `chronyc tracking`",
)
def test_accurate_clock(seen: Seen, verdict: Verdict) -> None:
    limit = seen.organisation.policy.clock_seconds
    asked, answered = seen.clock_bounds
    clock = seen.fact("system", "clock")
    difference = max(asked - clock, clock - answered, 0)
    verdict(
        difference <= limit.value,
        expected=f"at most {limit.value} {limit.unit} apart ({limit.source})",
        observed=f"{difference:.1f} seconds apart",
    )


@check(
    "estate.disk-space",
    requirement="estate.disk-space",
    role=EVERY_HOST,
    title="Every file system has room left",
    remedy="remove what is not needed, or enlarge the file system",
)
def test_disk_space(seen: Seen, verdict: Verdict) -> None:
    limit = seen.organisation.policy.disk_free_percent
    mounts = seen.fact("system", "mounts").values()
    free = {mount["point"]: 100 * mount["free"] / mount["total"] for mount in mounts if mount["total"]}
    point = min(free, key=lambda name: free[name])
    verdict(
        free[point] >= limit.value,
        expected=f"at least {limit.value} {limit.unit} free ({limit.source})",
        observed=f"{point}: {free[point]:.0f} percent free",
    )


@check(
    "estate.no-failed-units",
    requirement="estate.no-failed-units",
    role=EVERY_HOST,
    title="No systemd unit has failed",
    remedy="systemctl status UNIT; then repair it, or disable it if it is not needed",
)
def test_no_failed_units(seen: Seen, verdict: Verdict) -> None:
    units = seen.fact("system", "units")
    failed = sorted(name for name, unit in units.items() if unit["ActiveState"] == "failed")
    verdict(not failed, expected="no failed unit", observed=", ".join(failed) or "no failed unit")


def declared(seen: Seen, verdict: Verdict, identifier: str) -> None:
    """A declaration counts when somebody made it, and not longer ago than the policy says."""
    limit = seen.organisation.policy.declaration_days
    made = seen.organisation.declaration(identifier)
    expected = f"a declaration {identifier!r}, at most {limit.value} {limit.unit} old"
    verdict(made is not None, expected=expected, observed="no such declaration in organisation.toml")
    age = (seen.today - made.date).days
    verdict(
        age <= limit.value, expected=expected, observed=f"declared by {made.owner} on {made.date}: {made.statement}"
    )


@check(
    "estate.declared-firewall-maintained",
    requirement="estate.firewall-maintained",
    role="estate",
    vantage="declaration",
    title="Maintenance and review of the firewall are declared",
    remedy='add or renew [[declarations]] id = "firewall-maintained" in organisation.toml, with owner and date',
)
def test_declared_firewall_maintained(seen: Seen, verdict: Verdict) -> None:
    declared(seen, verdict, "firewall-maintained")


@check(
    "estate.declared-risk-assessment",
    requirement="estate.risk-assessment",
    role="estate",
    vantage="declaration",
    title="A risk assessment is declared",
    remedy='add or renew [[declarations]] id = "risk-assessment" in organisation.toml, with owner and date',
)
def test_declared_risk_assessment(seen: Seen, verdict: Verdict) -> None:
    declared(seen, verdict, "risk-assessment")


@check(
    "estate.declared-encryption-at-rest",
    requirement="estate.encryption-at-rest",
    role="estate",
    vantage="declaration",
    title="Encryption of disks is declared",
    remedy='add or renew [[declarations]] id = "encryption-at-rest" in organisation.toml, with owner and date',
)
def test_declared_encryption_at_rest(seen: Seen, verdict: Verdict) -> None:
    declared(seen, verdict, "encryption-at-rest")


def in_united_kingdom(place: str) -> bool:
    """Places are written freely, the country last: "Exampleton, England"."""
    return place.rpartition(",")[2].strip().lower() in UNITED_KINGDOM


@check(
    "estate.in-united-kingdom",
    requirement="estate.in-united-kingdom",
    role="estate",
    vantage="declaration",
    title="Data are stored and hosts administered in the United Kingdom",
    remedy="tell the Ministry of Justice before anything is outside; then waive this with their answer as the reason",
)
def test_in_united_kingdom(seen: Seen, verdict: Verdict) -> None:
    estate = seen.organisation.estate
    verdict(
        in_united_kingdom(estate.data_location) and in_united_kingdom(estate.administration_location),
        expected="estate.data_location and estate.administration_location in the United Kingdom",
        observed=f"data: {estate.data_location}; administration: {estate.administration_location}",
    )
