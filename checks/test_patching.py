"""patching: fixes arrive, are installed in time, and are really in use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from checks import patching_hook
from checks.apt import allows, short_patterns, values
from checks.framework import check
from checks.patching_hook import or_hook
from checks.programs import must_answer
from checks.units import must_have_settled, must_run
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

EVERY_HOST = "relay,mail,firewall"
APPLY = "cjsm apply"
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
PERIODIC = ("Update-Package-Lists", "Unattended-Upgrade")
DAY, HOUR = 86400, 3600
UNKNOWN_KERNEL = 0
NEWER_KERNEL = (2, 3)  # needrestart(1): a newer build of the running version, a newer version


def _clock(seen: Seen) -> float:
    return float(seen.fact("system", "clock"))


@check(
    "patching.automatic",
    requirement="patching.automatic",
    role=EVERY_HOST,
    title="Package lists are fetched and fixes installed every day without anybody",
    remedy="cjsm apply, which sets APT::Periodic::Update-Package-Lists and Unattended-Upgrade to 1 in "
    "/etc/apt/apt.conf.d",
)
@or_hook(patching_hook.automatic)
def test_automatic(seen: Seen, verdict: Verdict) -> None:
    installed = "unattended-upgrades" in seen.fact("system", "packages")
    verdict(installed, expected="unattended-upgrades installed", observed="not installed")
    found = {name: (values(seen, f"APT::Periodic::{name}") or ["0"])[-1] for name in ("Enable", *PERIODIC)}
    found["Enable"] = (values(seen, "APT::Periodic::Enable") or ["1"])[-1]
    observed = ", ".join(f"{name} {value}" for name, value in found.items())
    verdict(set(found.values()) == {"1"}, expected="APT::Periodic: every value 1", observed=observed)


@check(
    "patching.origins",
    requirement="patching.automatic",
    role=EVERY_HOST,
    title="Security fixes and point releases are both installed by themselves",
    remedy="cjsm apply, which sets Unattended-Upgrade::Origins-Pattern in /etc/apt/apt.conf.d",
)
@or_hook(patching_hook.stated)
def test_origins(seen: Seen, verdict: Verdict) -> None:
    release = seen.host.release
    patterns = [*values(seen, "Unattended-Upgrade::Origins-Pattern"), *short_patterns(seen)]
    security = {"origin": "Debian", "label": "Debian-Security", "codename": f"{release}-security"}
    point = {"origin": "Debian", "label": "Debian", "codename": release}
    # a pattern may ask for the suite too ("stable-security"), which only the archive itself knows
    suites = {row["codename"]: row["suite"] for row in seen.fact("patching").get("archives", ())}
    for what, archive in (("security fixes", security), ("point releases", point)):
        full = {**archive, "suite": suites.get(archive["codename"], "")}
        allowed = any(allows(pattern, full, release) for pattern in patterns)
        observed = f"{what}: {'allowed' if allowed else 'not allowed'} by {len(patterns)} patterns"
        verdict(allowed, expected=f"{what} among Origins-Pattern", observed=observed)


@check(
    "patching.nothing-excluded",
    requirement="patching.automatic",
    role=EVERY_HOST,
    title="No package is excluded from automatic fixes",
    remedy=f"remove Unattended-Upgrade::Package-Blacklist from /etc/apt/apt.conf.d; then {APPLY}",
)
@or_hook(patching_hook.stated)
def test_nothing_excluded(seen: Seen, verdict: Verdict) -> None:
    excluded = values(seen, "Unattended-Upgrade::Package-Blacklist")
    verdict(not excluded, expected="an empty Package-Blacklist", observed=", ".join(excluded) or "empty")


@check(
    "patching.timers-run",
    requirement="patching.automatic",
    role=EVERY_HOST,
    title="The timers that fetch and install are on",
    remedy=f"systemctl unmask {' '.join(TIMERS)}; then {APPLY}",
)
@or_hook(patching_hook.units_run)
def test_timers_run(seen: Seen, verdict: Verdict) -> None:
    must_run(seen, verdict, TIMERS)


@check(
    "patching.last-run-clean",
    requirement="patching.automatic",
    role=EVERY_HOST,
    title="The last automatic installation reported no error",
    remedy="less /var/log/unattended-upgrades/unattended-upgrades.log; then unattended-upgrade -v",
)
@or_hook(patching_hook.last_run)
def test_last_run_clean(seen: Seen, verdict: Verdict) -> None:
    run = seen.fact("patching", "last_run")
    when = f"last run {_day(run['upgrade'])}, no error" if run["upgrade"] else "has not run yet"
    observed = "; ".join(run["errors"]) or when
    verdict(not run["errors"], expected="no ERROR in its log", observed=observed)


def _day(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


@check(
    "patching.conffiles-answered",
    requirement="patching.automatic",
    role=EVERY_HOST,
    title="Updates do not stop at a question about configuration files",
    remedy="cjsm apply, which sets Dpkg::Options --force-confold in /etc/apt/apt.conf.d",
)
@or_hook(patching_hook.stated)
def test_conffiles_answered(seen: Seen, verdict: Verdict) -> None:
    options = values(seen, "DPkg::Options")
    answered = bool({"--force-confold", "--force-confnew"} & set(options))
    observed = ", ".join(options) or "no option: a changed package waits for an answer"
    verdict(answered, expected="DPkg::Options with --force-confold", observed=observed)


@check(
    "patching.security-archive",
    requirement="patching.sources",
    role=EVERY_HOST,
    title="The release's own archive of security fixes is asked",
    remedy="add Suites: RELEASE-security, with the address of estate.mirrors.security or of Debian's own archive, to "
    "/etc/apt/sources.list.d; then apt-get update",
)
def test_security_archive(seen: Seen, verdict: Verdict) -> None:
    wanted = ("Debian-Security", f"{seen.host.release}-security")
    asked = sorted({(row["label"], row["codename"]) for row in seen.fact("patching", "archives")})
    observed = ", ".join(" ".join(pair) for pair in asked) or "no archive at all"
    verdict(wanted in asked, expected=" ".join(wanted), observed=observed)


@check(
    "patching.signed-archives",
    requirement="patching.sources",
    role=EVERY_HOST,
    title="Every archive proves its packages by a signature",
    remedy="remove trusted=yes and allow-insecure=yes from /etc/apt/sources.list*; use Signed-By",
)
def test_signed_archives(seen: Seen, verdict: Verdict) -> None:
    rows = seen.fact("patching", "sources")
    unproved = [f"{row['site']} is not trusted" for row in rows if row["trusted"] != "yes"]
    unproved += seen.fact("patching", "believed")
    unproved += [name for name in ("APT::Get::AllowUnauthenticated",) if values(seen, name) == ["true"]]
    observed = "; ".join(unproved) or f"{len(rows)} archives, each proved"
    verdict(not unproved, expected="signed archives only", observed=observed)


@check(
    "patching.lists-fresh",
    requirement="patching.timely",
    role=EVERY_HOST,
    title="Package lists are fresh, so that fixes are seen",
    remedy="apt-get update; systemctl status apt-daily.service",
)
@or_hook(patching_hook.last_run)
def test_lists_fresh(seen: Seen, verdict: Verdict) -> None:
    limit = seen.organisation.policy.package_list_hours
    run = seen.fact("patching", "last_run")
    recorded = max(run["lists"], seen.fact("patching", "first_seen").get("lists_updated", 0))
    hours = (_clock(seen) - (recorded or run["lists_folder"])) / HOUR
    expected = f"fetched at most {limit.value} {limit.unit} ago ({limit.source})"
    verdict(hours <= limit.value, expected=expected, observed=f"{hours:.1f} hours ago")


@check(
    "patching.nothing-overdue",
    requirement="patching.timely",
    role=EVERY_HOST,
    title="No fix has waited longer than allowed",
    remedy="unattended-upgrade -v; then look why it did not happen by itself",
)
def test_nothing_overdue(seen: Seen, verdict: Verdict) -> None:
    if hook := patching_hook.hook_of(seen):
        patching_hook.overdue(seen, verdict, hook)  # and what apt knows of, whatever the hook says
    pending = seen.fact("patching", "pending")
    must_answer(verdict, "apt", not pending["why"], pending["why"])
    limit = seen.organisation.policy.patch_days
    ages = {row["package"]: _age(seen, row) for row in pending["updates"]}
    overdue = [name for name, days in ages.items() if days > limit.value]
    oldest = max(ages, key=lambda name: ages[name], default="")
    kept = next((f" ({row['kept']})" for row in pending["updates"] if row["package"] == oldest and row["kept"]), "")
    told = f"; the oldest {oldest}, first seen {ages[oldest]:.0f} days ago{kept}" if oldest else ""
    observed = f"{len(ages)} pending, {len(overdue)} overdue{told}"
    # package lists say nothing of severity: every fix counts as critical
    expected = f"none first seen more than {limit.value} {limit.unit} ago ({limit.source})"
    verdict(not overdue, expected=expected, observed=observed)


def _age(seen: Seen, row: Mapping[str, Any]) -> float:
    """Days since an update was first seen; 0 for one that nobody has noted yet."""
    noted = seen.fact("patching", "first_seen").get("pending", {})
    first = noted.get(f"{row['package']} {row['version']}", {}).get("first_seen", _clock(seen))
    return float(_clock(seen) - first) / DAY


@check(
    "patching.age-known",
    requirement="patching.timely",
    role=EVERY_HOST,
    title="The age of each pending fix is being written down",
    remedy=f"systemctl status cjsm-pending-updates.service; then {APPLY}",
)
def test_age_known(seen: Seen, verdict: Verdict) -> None:
    looked = seen.fact("patching", "first_seen").get("looked", 0)
    if not looked:
        must_have_settled(seen, verdict, "cjsm-pending-updates.timer", "has not looked for pending updates yet")
    hours = (_clock(seen) - looked) / HOUR
    observed = f"{hours:.1f} hours ago" if looked else "never"
    verdict(hours <= 24, expected="looked for pending updates in the last 24 hours", observed=observed)


@check(
    "patching.nothing-held",
    requirement="patching.nothing-held",
    role=EVERY_HOST,
    title="No package is held back",
    remedy="apt-mark unhold PACKAGE; what must stay at its version needs a waiver",
)
def test_nothing_held(seen: Seen, verdict: Verdict) -> None:
    held = seen.fact("patching", "held")
    verdict(not held, expected="no package on hold", observed=", ".join(held) or "none")


@check(
    "patching.nothing-pinned",
    requirement="patching.nothing-held",
    role=EVERY_HOST,
    title="No archive and no package is pinned below what is installed",
    remedy="grep -r Pin /etc/apt/preferences /etc/apt/preferences.d shows the pins; remove what keeps fixes away",
)
def test_nothing_pinned(seen: Seen, verdict: Verdict) -> None:
    pending = seen.fact("patching", "pending")
    must_answer(verdict, "apt", not pending["why"], pending["why"])
    away = [f"{row['package']} {row['version']} {row['kept']}" for row in pending["updates"] if _pinned(row)]
    observed = "; ".join([*pending["pinned"], *away][:5]) or "none"
    verdict(not pending["pinned"] and not away, expected="no fix kept away by apt_preferences(5)", observed=observed)


def _pinned(row: Mapping[str, Any]) -> bool:
    return bool(row["kept"].startswith("pinned"))


@check(
    "patching.nothing-kept-back",
    requirement="patching.timely",
    role=EVERY_HOST,
    title="No published fix is kept back by apt",
    remedy="apt-get -s dist-upgrade names what is kept back; apt-get -s install PACKAGE says what it depends on",
)
def test_nothing_kept_back(seen: Seen, verdict: Verdict) -> None:
    pending = seen.fact("patching", "pending")
    must_answer(verdict, "apt", not pending["why"], pending["why"])
    # an archive may be half-way through its own update: of other fixes the first day proves nothing
    kept = [(row, _age(seen, row)) for row in pending["updates"] if row["kept"].startswith(("kept back", "apt-get"))]
    late = [(row, days) for row, days in kept if days > 1 or row["security"]]
    told = [f"{row['package']} {row['version']}, first seen {days:.0f} days ago, {row['kept']}" for row, days in late]
    verdict(not late, expected="every published fix can be installed", observed="; ".join(told[:5]) or "none kept back")


@check(
    "patching.restarts-services",
    requirement="patching.taken-up",
    role=EVERY_HOST,
    title="Services are restarted by themselves after an update",
    remedy="cjsm apply, which sets $nrconf{restart} = 'a' in /etc/needrestart/conf.d",
)
def test_restarts_services(seen: Seen, verdict: Verdict) -> None:
    meaning = {"a": "restarts by itself", "l": "only lists", "i": "asks", "": "the default: asks, or only lists"}
    found = seen.fact("patching", "needrestart")
    verdict(found == "a", expected="needrestart restarts by itself", observed=meaning.get(found, found))


@check(
    "patching.nothing-outdated-runs",
    requirement="patching.taken-up",
    role=EVERY_HOST,
    title="No service still runs with a replaced library or program",
    remedy="needrestart -r a; what remains needs a reboot",
)
def test_nothing_outdated_runs(seen: Seen, verdict: Verdict) -> None:
    found = seen.fact("patching", "restart")
    must_answer(verdict, "needrestart", found["answered"], found["why"])
    observed = ", ".join(found["services"]) or "none"
    verdict(not found["services"], expected="no service with old libraries", observed=observed)


@check(
    "patching.reboot-not-overdue",
    requirement="patching.taken-up",
    role=EVERY_HOST,
    title="No reboot has waited longer than allowed",
    remedy="systemctl reboot in the host's window (hosts.reboot_time); mail of the other side waits meanwhile",
)
@or_hook(patching_hook.reboot_not_overdue)
def test_reboot_not_overdue(seen: Seen, verdict: Verdict) -> None:
    limit, reboot = seen.organisation.policy.reboot_days, seen.fact("patching", "reboot")
    kernel = seen.fact("patching", "restart")
    newer = f"kernel {kernel['kernel_running']} runs, {kernel['kernel_expected']} is installed"
    waits = reboot["required"] or kernel["kernel"] not in NEWER_KERNEL
    verdict(waits, expected="a reboot is asked for when a newer kernel is installed", observed=newer)
    real = seen.fact("system", "kernel", "container") == "none"
    if real and kernel["kernel"] == UNKNOWN_KERNEL and not reboot["required"]:
        verdict.not_tested(
            f"needrestart could not tell which kernel is installed: {kernel['why'] or 'no reason given'}"
        )
    days = (_clock(seen) - reboot["since"]) / DAY if reboot["required"] else 0
    asked = f"asked for {days:.0f} days ago by {', '.join(reboot['packages']) or 'a package'}"
    expected = f"no reboot asked for more than {limit.value} {limit.unit} ago ({limit.source})"
    verdict(days <= limit.value, expected=expected, observed=asked if reboot["required"] else "no reboot asked for")


@check(
    "patching.reboot-window",
    requirement="patching.taken-up",
    role=EVERY_HOST,
    title="A needed reboot happens by itself, at the host's own time",
    remedy="cjsm apply, which sets Unattended-Upgrade::Automatic-Reboot and Automatic-Reboot-Time from "
    "hosts.reboot_time",
)
@or_hook(patching_hook.stated)
def test_reboot_window(seen: Seen, verdict: Verdict) -> None:
    on = (values(seen, "Unattended-Upgrade::Automatic-Reboot") or ["false"])[-1]
    time = (values(seen, "Unattended-Upgrade::Automatic-Reboot-Time") or ["now"])[-1]
    right = on == "true" and time == seen.host.reboot_time
    verdict(right, expected=f"true, at {seen.host.reboot_time}", observed=f"{on}, at {time}")


@check(
    "patching.release-supported",
    requirement="patching.supported-release",
    role=EVERY_HOST,
    title="The release still gets security fixes",
    remedy="migrate the host to a supported release (Debian's release notes, chapter Upgrades), then correct "
    "hosts.release",
)
def test_release_supported(seen: Seen, verdict: Verdict) -> None:
    support = seen.fact("patching", "support")
    ends = [date.fromisoformat(support[name]) for name in ("eol", "lts") if support[name]]
    verdict(bool(ends), expected="a release that distro-info-data knows", observed=support["codename"] or "unknown")
    by = "by Debian" if str(max(ends)) == support["eol"] or _day(_clock(seen)) <= ends[0] else "by its LTS team"
    supported = _day(_clock(seen)) <= max(ends)
    observed = f"{support['codename']}: fixed {by}, until {max(ends)}"
    verdict(supported, expected="support that has not ended (distro-info-data)", observed=observed)
