"""logging: everything is written down, kept long enough, dated rightly, and read by nobody who should not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from checks.framework import check
from checks.modes import within_mode
from checks.postfix import writes_summary
from checks.programs import must_answer
from checks.units import must_have_settled
from cjsm_connect.organisation.sizes import log_disk_bytes, log_files
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

EVERY_HOST = "relay,mail,firewall"
MAIL_HOSTS = "relay,mail"
APPLY = "cjsm apply"


def _now(seen: Seen) -> datetime:
    return datetime.fromtimestamp(seen.fact("system", "clock"), UTC)


@check(
    "logging.mail-log-written",
    requirement="logging.complete",
    role=EVERY_HOST,
    impact="local-active",
    title="A line said by the mail system arrives in the mail log",
    remedy=f"{APPLY}; then systemctl status rsyslog",
)
def test_mail_log_written(seen: Seen, verdict: Verdict) -> None:
    written = seen.fact("logging", "written")
    found = f"found after {written['seconds']} s" if written["found"] else f"not there after {written['seconds']} s"
    verdict(written["found"], expected="in /var/log/cjsm/mail.log within 3 s", observed=found)


@check(
    "logging.burst-limits-off",
    requirement="logging.complete",
    role=EVERY_HOST,
    title="No limit drops log lines in a burst",
    remedy="cjsm apply, which sets RateLimitBurst=0 in /etc/systemd/journald.conf.d and ratelimits of rsyslog to 0",
)
def test_burst_limits_off(seen: Seen, verdict: Verdict) -> None:
    interval = seen.fact("logging", "journal", "settings").get("RateLimitIntervalSec", "30s (default)")
    verdict(interval in ("0", "0s"), expected="journald: RateLimitIntervalSec=0", observed=f"journald: {interval}")
    inputs = {row.get("load"): row for row in seen.fact("logging", "rsyslog", "inputs")}
    journal = inputs.get("imjournal")
    verdict(journal is not None, expected="rsyslog reads the journal (imjournal)", observed=f"reads {list(inputs)}")
    limit = (journal or {}).get("ratelimit.interval", "600 (default)")
    verdict(limit == "0", expected='rsyslog: Ratelimit.Interval="0"', observed=f"rsyslog: {limit}")


@check(
    "logging.nothing-dropped",
    requirement="logging.complete",
    role=EVERY_HOST,
    title="Nothing was dropped in the last day",
    remedy="journalctl -u systemd-journald -u rsyslog; then " + APPLY,
)
def test_nothing_dropped(seen: Seen, verdict: Verdict) -> None:
    inputs = [row.get("load") for row in seen.fact("logging", "rsyslog", "inputs")]
    # who reads the journal itself loses nothing when journald's forwarding to a socket does
    messages = [
        line
        for line in seen.fact("logging", "lost", "messages")
        if "imjournal" not in inputs or "Forwarding to syslog missed" not in line
    ]
    observed = messages[0] if messages else "no such message of journald or rsyslog"
    verdict(not messages, expected="no message about dropped messages in 24 hours", observed=observed)


@check(
    "logging.rsyslog-valid",
    requirement="logging.complete",
    role=EVERY_HOST,
    title="rsyslog accepts its whole configuration",
    remedy="rsyslogd -N1; then " + APPLY,
)
def test_rsyslog_valid(seen: Seen, verdict: Verdict) -> None:
    found = seen.fact("logging", "rsyslog")
    observed = "; ".join(found["complaints"]) or ("accepted" if found["valid"] else "refused without a reason")
    verdict(found["valid"] and not found["complaints"], expected="rsyslogd -N1 without errors", observed=observed)


@check(
    "logging.retention",
    requirement="logging.retention",
    role=EVERY_HOST,
    title="The mail log is rotated daily and kept for half a year",
    remedy="cjsm apply, which writes rotate and daily for /var/log/cjsm/mail.log in /etc/logrotate.d from "
    "policy.log_days",
)
def test_retention(seen: Seen, verdict: Verdict) -> None:
    days = seen.organisation.policy.log_days.value
    rotation = seen.fact("logging", "rotation")
    pattern = rotation["pattern"]
    verdict(bool(pattern), expected="logrotate knows the mail log", observed="no configuration names it")
    verdict(not rotation["errors"], expected="logrotate without errors", observed="; ".join(rotation["errors"]))
    kept = pattern["rotations"] if pattern["daily"] else 0
    verdict(kept >= days, expected=f"daily, {days} rotations or more", observed=pattern["text"])
    shortest = min(rotation["ages"], default=days)
    verdict(shortest >= days, expected=f"nothing removed before {days} days", observed=f"maxage {shortest}")


@check(
    "logging.no-missing-day",
    requirement="logging.retention",
    role=EVERY_HOST,
    title="From the oldest kept day to now no day is missing",
    remedy="restore /var/log/cjsm from the backup and write down why it was missing; systemctl status logrotate.timer",
)
def test_no_missing_day(seen: Seen, verdict: Verdict) -> None:
    files = seen.fact("logging", "files")
    present = {date.fromisoformat(day) for day in files["days"]}
    verdict(files["current"]["exists"], expected="a current mail log", observed="none")
    # rotation happens in the first hour of a day: until it has, the day before yesterday is the newest file
    newest = _now(seen).date() - timedelta(days=2)
    oldest = max(min(present, default=newest), newest - timedelta(days=log_files(seen.organisation)))
    wanted = {oldest + timedelta(days=number) for number in range((newest - oldest).days + 1)} if present else set()
    missing = sorted(wanted - present)
    told = f"{len(present)} completed days, the oldest {min(present)}" if present else "the log began after that"
    observed = f"no file for {', '.join(map(str, missing[:5]))}" if missing else told
    verdict(not missing, expected="one file for each day", observed=observed)


@check(
    "logging.rotated-yesterday",
    requirement="logging.retention",
    role=EVERY_HOST,
    title="The current mail log holds at most today and yesterday",
    remedy="systemctl status logrotate.service logrotate.timer",
)
def test_rotated_yesterday(seen: Seen, verdict: Verdict) -> None:
    first = seen.fact("logging", "files", "current")["first"].split(" ")[0]
    verdict(first[:4].isdigit() or not first, expected="lines that begin with an ISO 8601 date", observed=first)
    begun = date.fromisoformat(first[:10]) if first else _now(seen).date()
    recent = begun >= _now(seen).date() - timedelta(days=2)
    verdict(recent, expected="its first line is at most two days old", observed=f"first line of {begun}")


@check(
    "logging.rotation-runs",
    requirement="logging.retention",
    role=EVERY_HOST,
    title="The timer that rotates the logs is on, and its last run succeeded",
    remedy="systemctl enable --now logrotate.timer; systemctl status logrotate.service",
)
def test_rotation_runs(seen: Seen, verdict: Verdict) -> None:
    enabled = seen.fact("system", "unit_files").get("logrotate.timer", "not installed")
    verdict(enabled == "enabled", expected="logrotate.timer enabled", observed=enabled)
    units = seen.fact("system", "units")
    active = units.get("logrotate.timer", {}).get("ActiveState", "not loaded")
    verdict(active == "active", expected="logrotate.timer active", observed=active)
    outcome = units.get("logrotate.service", {}).get("Result", "success")
    verdict(outcome == "success", expected="last run: success", observed=f"last run: {outcome}")


@check(
    "logging.private-files",
    requirement="logging.private",
    role=EVERY_HOST,
    title="Only root and the group adm read the mail log",
    remedy=f"{APPLY}; chmod 0640 /var/log/cjsm/mail.log*",
)
def test_private_files(seen: Seen, verdict: Verdict) -> None:
    files = seen.fact("logging", "files")
    for what, mode in (("folder", "0750"), ("current", "0640")):
        found = files[what]
        observed = f"{found['owner']}:{found['group']} {found['mode']}" if found["exists"] else "missing"
        ours = found["exists"] and found["owner"] == "root" and found["group"] in ("root", "adm")
        private = ours and within_mode(found["mode"], mode)
        verdict(private, expected=f"{what}: root:adm {mode} or stricter", observed=f"{what}: {observed}")
    open_files = files["readable_by_all"]
    observed = ", ".join(open_files[:3]) or "root:adm, closed to others"
    verdict(not open_files, expected="no rotated file readable by all", observed=observed)


@check(
    "logging.journal-persistent",
    requirement="logging.journal-persistent",
    role=EVERY_HOST,
    title="The journal is kept over a reboot",
    remedy="cjsm apply, which sets Storage=persistent in /etc/systemd/journald.conf.d",
)
def test_journal_persistent(seen: Seen, verdict: Verdict) -> None:
    journal = seen.fact("logging", "journal")
    storage = journal["settings"].get("Storage", "auto")
    stored = bool(journal["stored"])
    # "auto" is persistent where /var/log/journal is there (journald.conf(5))
    persistent = storage == "persistent" or (storage == "auto" and stored)
    verdict(persistent, expected="Storage=persistent", observed=f"Storage={storage}")
    observed = journal["stored"][0] if stored else "only in /run, lost at a reboot"
    verdict(stored, expected="a journal below /var/log/journal", observed=observed)


@check(
    "logging.disk",
    requirement="logging.disk",
    role=EVERY_HOST,
    title="There is room for half a year of logs",
    remedy="enlarge the file system of /var/log, or correct mail.messages_per_day in organisation.toml",
)
def test_disk(seen: Seen, verdict: Verdict) -> None:
    disk = seen.fact("logging", "disk")
    needed = max(0, log_disk_bytes(seen.organisation) - disk["used"])
    messages = seen.organisation.mail.messages_per_day
    expected = f"{needed / 1e9:.1f} GB free for logs of {messages} messages a day"
    verdict(disk["free"] >= needed, expected=expected, observed=f"{disk['free'] / 1e9:.1f} GB free")


@check(
    "logging.forwarding",
    requirement="logging.syslog-forwarding",
    role=EVERY_HOST,
    title="A copy of the log goes to another host by TLS",
    remedy="set syslog.target, syslog.addresses and syslog.ca_file in organisation.toml; then cjsm apply",
)
def test_forwarding(seen: Seen, verdict: Verdict) -> None:
    target = seen.organisation.syslog.target
    rsyslog = seen.fact("logging", "rsyslog")
    clear = rsyslog["old_style_forwards"] + [
        row.get("target", "?") for row in rsyslog["forwards"] if row.get("streamdrivermode") != "1"
    ]
    verdict(not clear, expected="no copy in clear text", observed=f"in clear text to {', '.join(clear)}")
    declared = target is not None
    verdict(declared, expected="a log collector", observed="no syslog.target declared", warn=True)
    targets = [f"{row.get('target')}:{row.get('port')}" for row in rsyslog["forwards"]]
    verdict(target in targets, expected=f"forwarded to {target}", observed=f"forwarded to {targets or 'nowhere'}")


@check(
    "logging.clock",
    requirement="logging.time",
    role=EVERY_HOST,
    title="The clock follows the declared time servers",
    remedy="chronyc -n sources; then " + APPLY,
)
def test_clock(seen: Seen, verdict: Verdict) -> None:
    time = seen.fact("logging", "time")
    declared = {str(server) for server in seen.organisation.estate.ntp}
    known = {source["address"] for source in time["sources"]}
    must_answer(verdict, "chrony", time["answered"], time.get("why", ""))
    verdict(known == declared, expected=f"sources {sorted(declared)}", observed=f"sources {sorted(known)}")
    if not time["synchronised"]:
        must_have_settled(seen, verdict, "chrony.service", "has heard no time server yet")
    verdict(time["synchronised"], expected="synchronised", observed=time["leap"])
    # chrony also calls itself synchronised with its own clock (chrony.conf(5), local), and goes on when all are silent
    followed = [source for source in time["sources"] if source["address"] == time["follows"]]
    verdict(bool(followed), expected="follows a declared server", observed=f"follows {time['follows'] or 'nothing'}")
    heard = any(source["reach"] != "0" for source in time["sources"])
    verdict(heard, expected="a server that answers", observed="none has answered the last eight questions")
    limit = seen.organisation.policy.clock_seconds.value
    offset = abs(time["offset"])
    verdict(offset <= limit, expected=f"within {limit} s", observed=f"{offset:.3f} s off, stratum {time['stratum']}")


@check(
    "logging.tls-facts",
    requirement="logging.tls-facts",
    role=MAIL_HOSTS,
    title="The log says of each delivery how it was encrypted",
    remedy="cjsm apply, which sets smtp_tls_loglevel = 1 and smtpd_tls_loglevel = 1 in main.cf",
)
def test_tls_facts(seen: Seen, verdict: Verdict) -> None:
    levels = seen.fact("logging", "postfix")
    verdict(bool(levels), expected="Postfix answers", observed="postconf gave nothing")
    observed = ", ".join(f"{name} {' '.join(values)}" for name, values in sorted(levels.items()))
    enough = all(writes_summary(value) for values in levels.values() for value in values)
    verdict(enough, expected="smtp_tls_loglevel and smtpd_tls_loglevel at least 1", observed=observed)
