"""connection: what is scanned and what is smuggled, tried with mail to a recipient that is thrown away."""

from __future__ import annotations

from checks.framework import check
from checks.sessions import accepted, answers, control, each, refused, told
from cjsm_connect.probes.seen import Seen
from cjsm_connect.remote.smuggling import ENDINGS
from cjsm_connect.results.judge import Verdict

PACKED = ("eicar-plain", "eicar-zip", "eicar-nested")
TOO_LARGE = 552  # RFC 1870: refused before anybody looked inside
AWAY = "systemctl status clamav-daemon clamav-milter (or the units of antivirus.hook)"
SCANNER = "cjsm apply; then look at clamav-daemon, clamav-milter and the age of the signatures"


def from_mail_servers(seen: Seen, verdict: Verdict, samples: tuple[str, ...]) -> None:
    """Infected mail from each mail server is refused by this relay."""
    if not seen.organisation.mail_servers:
        verdict.not_tested("relay and mail server are one host: there is no inner hop")
    for mail in seen.organisation.mail_servers:
        ends = f"{seen.host.name}:{mail.name}"
        infected_is_refused(seen, verdict, [f"inner.{sample}:{ends}" for sample in samples], f"inner.clean:{ends}")


def infected_is_refused(seen: Seen, verdict: Verdict, identifiers: list[str], clean: str) -> None:
    """Refused after DATA, where the same way lets a clean message through."""
    control(seen, clean, "message")
    for outcome in each(seen, identifiers):
        if answers(outcome, "message") == [TOO_LARGE]:
            verdict.not_tested(f"refused for its size, so nobody looked inside: {told(outcome)}")
        verdict(refused(outcome, "message"), expected="5yz to the message", observed=told(outcome))


@check(
    "connection.infected-from-hub",
    requirement="connection.infected-mail",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="An infected message from the hub is refused: plain, zipped and nested",
    remedy=f"{AWAY}; then cjsm apply, which sets smtpd_milters in main.cf",
)
def test_infected_from_hub(seen: Seen, verdict: Verdict) -> None:
    name = seen.host.name
    infected_is_refused(seen, verdict, [f"relay.{sample}:{name}" for sample in PACKED], f"relay.clean:{name}")


@check(
    "connection.large-infected-from-hub",
    requirement="connection.infected-mail",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="An infected message from the hub is refused when it is just under the size limit",
    remedy="cjsm apply: what clamd (or your own scanner) scans must be more than mail.message_size_limit",
)
def test_large_infected_from_hub(seen: Seen, verdict: Verdict) -> None:
    name = seen.host.name
    infected_is_refused(seen, verdict, [f"relay.eicar-large:{name}"], f"relay.clean:{name}")


@check(
    "connection.infected-from-us",
    requirement="connection.infected-mail",
    role="relay",
    vantage="mail",
    impact="local-active",
    title="An infected message from the mail server is refused: plain, zipped and nested",
    remedy=f"{AWAY}; then cjsm apply, which sets smtpd_milters in main.cf",
)
def test_infected_from_us(seen: Seen, verdict: Verdict) -> None:
    from_mail_servers(seen, verdict, PACKED)


@check(
    "connection.large-infected-from-us",
    requirement="connection.infected-mail",
    role="relay",
    vantage="mail",
    impact="local-active",
    title="An infected message from the mail server is refused when it is just under the size limit",
    remedy="cjsm apply: what clamd (or your own scanner) scans must be more than mail.message_size_limit",
)
def test_large_infected_from_us(seen: Seen, verdict: Verdict) -> None:
    from_mail_servers(seen, verdict, ("eicar-large",))


@check(
    "connection.infected-local",
    requirement="connection.infected-mail",
    role="relay",
    vantage="relay",
    impact="local-active",
    title="An infected message handed in on the relay itself is refused",
    remedy="cjsm apply, which sets non_smtpd_milters in main.cf to the scanner's socket",
)
def test_infected_local(seen: Seen, verdict: Verdict) -> None:
    clean, infected = (seen.tried(f"relay.local-{sample}:{seen.host.name}") for sample in ("clean", "eicar-plain"))
    if not any("status=sent" in line for line in clean["log"]):
        verdict.not_tested("a clean message handed in on the relay did not get through, so a refusal proves nothing")
    stopped = [line for line in infected["log"] if "milter-reject" in line]
    delivered = [line for line in infected["log"] if "status=sent" in line and "relay=none" in line]
    if not (stopped or delivered or infected["log"]):
        verdict.not_tested(f"the log does not say what became of the infected message {infected['errors']}".strip())
    observed = (stopped or delivered or infected["log"])[-1]
    verdict(bool(stopped) and not delivered, expected="milter-reject in the log", observed=observed)


@check(
    "connection.clean-passes",
    requirement="connection.hub-can-deliver",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="A clean message from the hub passes the scanner",
    remedy=f"{AWAY}: while the scanner is away, mail waits with 4yz",
)
def test_clean_passes(seen: Seen, verdict: Verdict) -> None:
    outcome = seen.tried(f"relay.clean:{seen.host.name}")
    verdict(accepted(outcome, "message"), expected="250 to the message", observed=told(outcome))


@check(
    "connection.no-smuggling",
    requirement="connection.no-smuggling",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="A second message hidden in the first stays text, whatever line ends surround the dot",
    remedy="cjsm apply: smtpd_forbid_bare_newline must be normalize or reject",
)
def test_no_smuggling(seen: Seen, verdict: Verdict) -> None:
    control(seen, f"relay.clean:{seen.host.name}", "message")
    for outcome in each(seen, [f"relay.smuggling-{ending}:{seen.host.name}" for ending in ENDINGS]):
        observed = f"{outcome['answers']} answers to one message with {outcome['ending']}"
        verdict(outcome["answers"] == 1, expected="1 answer to one message", observed=observed)
