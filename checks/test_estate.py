"""The estate: what holds for every host, and what the organisation file itself says of it."""

from __future__ import annotations

from checks.framework import check
from cjsm_connect.organisation.addresses import observed
from cjsm_connect.organisation.destinations import is_within
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

EVERY_HOST = "relay,mail,firewall"
UNITED_KINGDOM = {
    *("united kingdom", "the united kingdom", "uk", "the uk", "gb", "great britain"),
    *("england", "scotland", "wales", "northern ireland"),
}


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
    remedy="cjsm apply, which configures /etc/chrony; then chronyc tracking",
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
    remedy="du -x -h --max-depth=2 POINT shows what fills it; remove what is not needed, or enlarge the file system",
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
    remedy="systemctl status UNIT; then repair it, or systemctl disable UNIT if it is not needed, and systemctl "
    "reset-failed",
)
def test_no_failed_units(seen: Seen, verdict: Verdict) -> None:
    units, files = seen.fact("system", "units"), seen.fact("system", "unit_files")
    # what is masked was switched off on purpose: systemd calls it failed when it was stopped by that
    failed = sorted(
        name for name, unit in units.items() if unit["ActiveState"] == "failed" and files.get(name) != "masked"
    )
    verdict(not failed, expected="no failed unit", observed=", ".join(failed) or "no failed unit")


def in_united_kingdom(place: str) -> bool:
    """Places are written freely, the country last: "Exampleton, England"."""
    return place.rpartition(",")[2].replace(".", "").strip().lower() in UNITED_KINGDOM


@check(
    "estate.in-united-kingdom",
    requirement="estate.in-united-kingdom",
    role="estate",
    vantage="declaration",
    title="Data are stored and hosts administered in the United Kingdom",
    remedy="tell MoJ (CJSM helpdesk) before anything is outside; then correct estate.data_location and "
    "estate.administration_location, or waive this with their answer",
)
def test_in_united_kingdom(seen: Seen, verdict: Verdict) -> None:
    estate = seen.organisation.estate
    verdict(
        in_united_kingdom(estate.data_location) and in_united_kingdom(estate.administration_location),
        expected="estate.data_location and estate.administration_location in the United Kingdom",
        observed=f"data: {estate.data_location}; administration: {estate.administration_location}",
    )


PACKAGES = {"postfix": "postfix", "exim": "exim4-base"}
OTHER_PACKAGES = ("sendmail-bin", "opensmtpd")


@check(
    "estate.mail-server-as-declared",
    requirement="estate.mail-server-known",
    role="relay,mail",
    title="The declared mail server program is the one that is installed",
    remedy="correct hosts.mta in organisation.toml, or install the program: apt-get install postfix",
)
def test_mail_server_as_declared(seen: Seen, verdict: Verdict) -> None:
    packages = seen.fact("system", "packages")
    found = [f"{name} {packages[name]}" for name in (*PACKAGES.values(), *OTHER_PACKAGES) if name in packages]
    expected = PACKAGES[seen.host.mta]
    verdict(expected in packages, expected=expected, observed=", ".join(found) or "no mail server program")


PREMISES = ("on-premises", "uk-datacentre")


@check(
    "estate.own-premises",
    requirement="estate.own-premises",
    role="estate",
    vantage="declaration",
    title="The mail server stands where a server connection is offered",
    remedy="ask the CJSM helpdesk for the route of cloud and hosted mail (terms, clause 6); then correct "
    "organisation.mail_server in organisation.toml, or waive this with their answer as the reason",
)
def test_own_premises(seen: Seen, verdict: Verdict) -> None:
    found = seen.organisation.organisation.mail_server
    verdict(found in PREMISES, expected=f"organisation.mail_server one of {', '.join(PREMISES)}", observed=found)


@check(
    "estate.where-declared",
    requirement="estate.perimeter",
    role=EVERY_HOST,
    title="The host stands in its declared networks, and in none of the others",
    remedy="ip address shows where it stands; correct hosts.interfaces in organisation.toml, or take the host out of "
    "the network (/etc/network/interfaces or /etc/netplan)",
)
def test_where_declared(seen: Seen, verdict: Verdict) -> None:
    found = [observed(row["address"]) for row in seen.fact("system", "addresses")]
    declared = seen.host.interfaces
    expected = "; ".join(f"{name}: {address}" for name, address in declared.items())
    for name, address in declared.items():
        verdict(address in found, expected=expected, observed=f"{address} ({name}) is not an address of this host")
    for network in seen.organisation.estate.networks:
        inside = [str(address) for address in found if address in network.cidr]
        known = network.name in declared or not inside
        verdict(known, expected=expected, observed=f"also in {network.name}, undeclared: {', '.join(inside)}")
    verdict(True, expected=expected, observed="these, and in no other network of the estate")


@check(
    "estate.helpdesk-is-a-group",
    requirement="estate.contacts",
    role="estate",
    vantage="declaration",
    title="Faults are told to a mailbox that several people read",
    remedy="set contacts.helpdesk.email in organisation.toml to the IT helpdesk's own mailbox",
)
def test_helpdesk_is_a_group(seen: Seen, verdict: Verdict) -> None:
    contacts = seen.organisation.contacts
    people = {contacts.applicant.email.lower(), contacts.administrator.email.lower()}
    shared = contacts.helpdesk.email.lower() not in people
    verdict(shared, expected="an address that is not one person's", observed=contacts.helpdesk.email)


@check(
    "estate.applicant-of-the-organisation",
    requirement="estate.contacts",
    role="estate",
    vantage="declaration",
    title="Applicant and administrator have addresses of the organisation",
    remedy="set contacts.applicant.email and contacts.administrator.email in organisation.toml to addresses in one of "
    "domains.names, or add their domain there",
)
def test_applicant_of_the_organisation(seen: Seen, verdict: Verdict) -> None:
    contacts, own = seen.organisation.contacts, seen.organisation.domains.names
    for person in (contacts.applicant, contacts.administrator):
        inside = any(is_within(person.email.rpartition("@")[2], domain) for domain in own)
        verdict(inside, expected=f"an address in {', '.join(own)}", observed=f"{person.name}: {person.email}")


# queue, log, and where the scanner unpacks what it looks at; then where a mail server delivers
HOLD_MAIL = ("/var/spool/postfix", "/var/spool/exim4", "/var/log", "/tmp")  # noqa: S108 - it is asked about
HOLD_MAILBOXES = ("/var/mail", "/home")


@check(
    "estate.disks-encrypted",
    requirement="estate.encryption-at-rest",
    role="relay,mail",
    title="Mail, its log and swapped memory lie on encrypted disks",
    remedy="move /var, and what else is named, to a LUKS volume (cryptsetup luksFormat, /etc/crypttab), swap to one "
    "with a random key (crypttab(5), swap); where the machine below encrypts, waive this with that as the reason",
)
def test_disks_encrypted(seen: Seen, verdict: Verdict) -> None:
    container = seen.fact("system", "kernel", "container")
    if container != "none":
        verdict.not_tested(f"container ({container}): its disks are those of the machine around it")
    mounts, swaps = seen.fact("system", "mounts"), seen.fact("system", "swaps")
    local = HOLD_MAILBOXES if seen.host.mailboxes == "local" else ()
    folders = [folder for folder in (*HOLD_MAIL, *local) if folder in mounts] or ["/"]
    on_disk = {folder: mounts[folder] for folder in folders if mounts[folder]["kind"] not in ("tmpfs", "ramfs")}
    places = [(f"{name}: {one['device']} ({one['kind']})", one["encrypted"]) for name, one in on_disk.items()]
    places += [(f"swap: {one['name']}", one["encrypted"]) for one in swaps if not one["in_memory"]]
    clear = [place for place, encrypted in places if encrypted is False]
    verdict(not clear, expected="dm-crypt below it", observed=f"no dm-crypt below {', '.join(clear)}")
    unknown = [place for place, encrypted in places if encrypted is None]
    observed = f"cannot see what is below {', '.join(unknown)}" if unknown else f"below {', '.join(on_disk)} and swap"
    verdict(not unknown, expected="dm-crypt below it", observed=observed, warn=True)
