"""relay: Postfix as it runs: what it has loaded, what it listens on, what waits in its queue, what it writes down."""

from __future__ import annotations

from datetime import UTC, datetime

from checks.framework import check
from checks.postfix import SECONDS, answers, inet_services, option, seconds, setting, writes_summary
from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT
from cjsm_connect.probes.postfix import hub_listener, inner_listeners
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

APPLY = "cjsm apply"
MAIL_HOSTS = "relay,mail"
CLOCK_ERROR = 2  # seconds: a process's start is known by whole seconds of the boot's time
PATIENCE_HOURS = 4  # the hub's own maintenance windows last two hours and more


@check(
    "relay.configuration-clean",
    requirement="relay.configuration",
    role=MAIL_HOSTS,
    title="Postfix has nothing to complain about in its configuration",
    remedy="postconf -n; postfix check; then " + APPLY,
)
def test_configuration_clean(seen: Seen, verdict: Verdict) -> None:
    complaints = seen.fact("relay", "complaints")
    observed = "; ".join(complaints) or f"none, Postfix {seen.fact('relay', 'version')}"
    verdict(
        not complaints,
        expected="no warning from postconf, owners and modes as postfix check wants them",
        observed=observed,
    )


@check(
    "relay.configuration-loaded",
    requirement="relay.configuration",
    role=MAIL_HOSTS,
    title="Postfix runs with the configuration that is in its files",
    remedy="systemctl reload postfix",
)
def test_configuration_loaded(seen: Seen, verdict: Verdict) -> None:
    loaded = seen.fact("relay", "loaded")
    verdict(loaded["at"] is not None, expected="Postfix runs", observed="its queue manager does not run")
    observed = f"read {_time(loaded['at'])}, {loaded['newest']} changed {_time(loaded['changed'])}"
    current = loaded["changed"] <= loaded["at"] + CLOCK_ERROR
    verdict(current, expected="read after its files were last changed", observed=observed)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@check(
    "relay.runs",
    requirement="relay.configuration",
    role=MAIL_HOSTS,
    title="Postfix's master process runs and listens on everything that master.cf names",
    remedy="systemctl restart postfix; journalctl -u 'postfix*' says why it ended",
)
def test_runs(seen: Seen, verdict: Verdict) -> None:
    # systemd's word is not asked: Debian 12's postfix.service is active whatever becomes of Postfix
    found = {one["name"] for one in seen.fact("system", "processes")} & {"master", "qmgr"}
    verdict(len(found) == 2, expected="master and qmgr run", observed=", ".join(sorted(found)) or "neither")
    ports = {int(row["port"]) for row in seen.fact("system", "listeners") if "master" in row["processes"]}
    silent = [name for name in inet_services(seen) if _port(name) and _port(name) not in ports]
    observed = f"nobody listens for {', '.join(silent)}" if silent else f"listens on {len(ports)} ports"
    verdict(not silent, expected="master listens for every service of master.cf", observed=observed)


PORTS = {"smtp": 25, "smtps": 465, "submission": 587, "submissions": 465}  # services(5)


def _port(service: str) -> int:
    """The port of a service of master.cf, `[ADDRESS:]PORT/inet`; 0 for a name that only the host can look up."""
    name = service.rpartition("/")[0].rpartition(":")[2]
    return int(name) if name.isdigit() else PORTS.get(name, 0)


@check(
    "relay.only-declared-listeners",
    requirement="relay.configuration",
    role="relay",
    title="Postfix listens where the organisation file says, and nowhere else",
    remedy="take the service out of /etc/postfix/master.cf, or cjsm apply, which writes it whole; then systemctl"
    " reload postfix",
)
def test_only_declared_listeners(seen: Seen, verdict: Verdict) -> None:
    declared = {hub_listener(seen.organisation, seen.host), *inner_listeners(seen.organisation, seen.host)}
    listeners = [row for row in seen.fact("system", "listeners") if "master" in row["processes"]]
    found = {_name(row) for row in listeners if not _loopback(str(row["address"]))}
    expected = f"at most {', '.join(sorted(declared))}"
    verdict(found <= declared, expected=expected, observed=", ".join(sorted(found)) or "none")


def _loopback(address: str) -> bool:
    """An address that only this host itself reaches; what a filter there hands back is asked like all other mail."""
    return address == "::1" or address.startswith(("127.", "::ffff:127."))


def _name(row: dict[str, object]) -> str:
    """A listening socket as master.cf would name it."""
    address = f"[{row['address']}]" if ":" in str(row["address"]) else row["address"]
    return f"{address}:{row['port']}/inet"


@check(
    "relay.queue-moves",
    requirement="relay.mail-moves",
    role=MAIL_HOSTS,
    title="No mail has waited for hours",
    remedy="cjsm status; postqueue -p on the host says why it waits",
)
def test_queue_moves(seen: Seen, verdict: Verdict) -> None:
    queue = seen.fact("relay", "queue")
    readable = "messages" in queue
    verdict(readable, expected="a queue that can be read", observed=queue.get("unreadable", ""))
    now = seen.fact("system", "clock")
    hours = (now - queue["oldest"]) / 3600 if queue["oldest"] else 0
    why = "; ".join(f"{count}: {reason}" for reason, count in queue["reasons"][:1])
    observed = f"{queue['messages']} messages, the oldest waits for {hours:.1f} hours {why}"
    verdict(hours < PATIENCE_HOURS, expected=f"less than {PATIENCE_HOURS} hours", observed=observed, warn=True)


@check(
    "relay.waits-long-enough",
    requirement="relay.mail-moves",
    role="relay",
    title="Mail waits for the declared number of days while the hub is away",
    remedy="cjsm apply; by hand: postconf -e maximal_queue_lifetime=5d bounce_queue_lifetime=5d, as "
    "mail.queue_lifetime_days says",
)
def test_waits_long_enough(seen: Seen, verdict: Verdict) -> None:
    days = seen.organisation.mail.queue_lifetime_days
    for name in ("maximal_queue_lifetime", "bounce_queue_lifetime"):
        kept = seconds(setting(seen, name), "d") == days * SECONDS["d"]
        verdict(kept, expected=f"{name} = {days}d", observed=setting(seen, name))


@check(
    "relay.message-size",
    requirement="relay.mail-moves",
    role="relay",
    title="Messages of the declared size pass",
    remedy="cjsm apply; by hand: postconf -e message_size_limit=BYTES, as mail.message_size_limit says",
)
def test_message_size(seen: Seen, verdict: Verdict) -> None:
    wanted, found = seen.organisation.mail.message_size_limit, setting(seen, "message_size_limit")
    verdict(found == str(wanted), expected=f"message_size_limit = {wanted}", observed=found)


@check(
    "relay.tls-written-down",
    requirement="relay.tls-facts",
    role=MAIL_HOSTS,
    title="Protocol, cipher and certificate of each session are in the log and in the message",
    remedy="cjsm apply; by hand: postconf -e smtp_tls_loglevel=1 smtpd_tls_loglevel=1 smtpd_tls_received_header=yes",
)
def test_tls_written_down(seen: Seen, verdict: Verdict) -> None:
    clients = [name for name, found in seen.fact("relay", "services").items() if found["command"] == "smtp"]
    for name in clients:
        level = option(seen, name, "smtp_tls_loglevel")
        verdict(writes_summary(level), expected=f"{name}: smtp_tls_loglevel = 1", observed=level or "none")
    for name in inet_services(seen):
        level, header = option(seen, name, "smtpd_tls_loglevel"), option(seen, name, "smtpd_tls_received_header")
        verdict(writes_summary(level), expected=f"{name}: smtpd_tls_loglevel = 1", observed=level or "none")
        verdict(header == "yes", expected=f"{name}: smtpd_tls_received_header = yes", observed=header)


@check(
    "relay.local-submission",
    requirement="relay.no-automated-mail",
    role="relay",
    title="On the relay itself only root can hand in mail",
    remedy="cjsm apply; by hand: postconf -e authorized_submit_users=root",
)
def test_local_submission(seen: Seen, verdict: Verdict) -> None:
    users = setting(seen, "authorized_submit_users")
    verdict(users == "root", expected="authorized_submit_users = root", observed=users or "nobody")


@check(
    "relay.self-test-discards",
    requirement="relay.self-test",
    role="relay",
    title="Test messages are thrown away behind the listener and the scanner",
    remedy="cjsm apply, which writes discard@selftest.invalid discard: to /etc/cjsm/maps/transport",
)
def test_self_test_discards(seen: Seen, verdict: Verdict) -> None:
    route = answers(seen, "routes")[SELF_TEST_RECIPIENT] or "no route"
    verdict(route.startswith("discard:"), expected=f"{SELF_TEST_RECIPIENT} discard:", observed=route)


@check(
    "relay.public-side-opportunistic",
    requirement="relay.public-side",
    role="mail",
    title="The public side offers TLS and demands it of nobody",
    remedy="postconf -e smtpd_tls_security_level=may on the mail server; then systemctl reload postfix",
)
def test_public_side_opportunistic(seen: Seen, verdict: Verdict) -> None:
    if not seen.host.internet_mail:
        verdict.not_tested("this mail server takes no mail from the internet")
    listeners = [name for name in inet_services(seen) if _public(name)]
    verdict(bool(listeners), expected="a listener on port 25", observed="none in master.cf")
    for name in listeners:
        level = option(seen, name, "smtpd_tls_security_level")
        verdict(level in ("may", "encrypt"), expected="smtpd_tls_security_level = may", observed=level or "none")
        verdict(level == "may", expected="smtpd_tls_security_level = may", observed=level, warn=True)


def _public(service: str) -> bool:
    """A service on the port of ordinary mail, on an address that others reach."""
    address, _, port = service.rpartition("/")[0].rpartition(":")
    return port in ("smtp", "25") and not _loopback(address.strip("[]"))


IN_MEMORY = ("tmpfs", "ramfs")


@check(
    "relay.queue-on-disk",
    requirement="relay.queue-kept",
    role=MAIL_HOSTS,
    title="The queue lies on a disk, so that waiting mail outlives a restart",
    remedy="take the line of /var/spool/postfix out of /etc/fstab, or give it a disk of its own; then systemctl "
    "restart postfix",
)
def test_queue_on_disk(seen: Seen, verdict: Verdict) -> None:
    mount = seen.fact("system", "mounts", "/var/spool/postfix")
    kept = mount["kind"] not in IN_MEMORY
    verdict(kept, expected="a file system on disk", observed=f"{mount['kind']} at {mount['point']}")
