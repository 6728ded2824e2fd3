"""The checks of antivirus where a scanner of the organisation's own stands in for ClamAV (`antivirus.hook`).

The same requirements, judged by what its milter does with messages shown to it on the relay, by what its status command
says, and by its units. What neither shows is stated by somebody: the declaration `scanner-hook`. Nothing passes unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from checks.declarations import declared
from checks.framework import Function
from checks.hooks import Judged, instead, status
from checks.sessions import accepted, answers, refused, told
from checks.units import must_run
from cjsm_connect.organisation.hooks import ScannerHook
from cjsm_connect.probes import hooks
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import NotTested, Verdict

DECLARATION = "scanner-hook"
TOO_LARGE = 552
Outcome = Mapping[str, Any]


def or_hook(judged_by: Judged) -> Callable[[Function], Function]:
    """The check of ClamAV, or `judged_by` where the organisation has a scanner of its own."""
    return instead(lambda seen: seen.organisation.antivirus.hook, judged_by)


def sample(seen: Seen, name: str) -> Outcome:
    """What the milter said to one sample.

    Raises:
        NotTested: it let us wait: while it scans something large, it may.
    """
    outcome: Outcome = seen.fact("antivirus", "samples", name)
    if outcome["word"] == "silent":
        raise NotTested(outcome["text"])
    return outcome


def said(outcome: Outcome) -> str:
    """A milter's word, for people."""
    held = ", put in quarantine" if outcome["held"] else ""
    return f"{outcome['word']}{held} {outcome['text']}".strip()


def clean_passes(seen: Seen, verdict: Verdict) -> None:
    """Without it no refusal of anything proves a scanner."""
    clean = sample(seen, "clean")
    good = clean["word"] == "accepted" and not clean["held"]
    verdict(good, expected="the milter accepts a harmless message", observed=f"harmless message: {said(clean)}")


def finds_eicar(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """The milter tells EICAR from a harmless message."""
    clean_passes(seen, verdict)
    found = sample(seen, "eicar")
    stopped = found["word"] in ("rejected", "discarded") or found["held"]
    verdict(stopped, expected="the milter stops EICAR", observed=f"EICAR: {said(found)}")


def infected_is_refused(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """Refused with 5yz: not thrown away, not held, not put off."""
    found = sample(seen, "eicar")
    good = found["word"] == "rejected" and not found["held"]
    verdict(good, expected="the milter rejects EICAR with 5yz", observed=f"EICAR: {said(found)}")


def over_limit_is_not_clean(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """EICAR under more archives than any scanner opens: found, or refused because it could not look."""
    clean_passes(seen, verdict)
    found = sample(seen, "deep")
    stopped = found["word"] in ("rejected", "deferred", "discarded") or found["held"]
    expected = "EICAR in sixty archives, one in the other, is not accepted"
    verdict(stopped, expected=expected, observed=f"sixty archives: {said(found)}")


def no_exemption(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """Nobody's EICAR passes the milter: the hub's, a mail server's, the relay's own, a user's; the rest is declared."""
    clean_passes(seen, verdict)
    for outcome in seen.fact("antivirus", "clients"):
        sender = f"EICAR from {outcome['who']} ({outcome['client']})"
        if outcome["word"] == "silent":
            raise NotTested(f"{sender}: {outcome['text']}")
        stopped = outcome["word"] in ("rejected", "deferred", "discarded") or outcome["held"]
        verdict(stopped, expected="EICAR is stopped, whoever sends it", observed=f"{sender}: {said(outcome)}")
    declared(seen, verdict, DECLARATION)


def services_run(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """Every unit of the hook is active and enabled."""
    must_run(seen, verdict, hook.units)


def settings_loaded(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """Each unit started after the files that it reads, by `settings`, were changed."""
    if not hook.settings:
        verdict.not_tested("antivirus.hook.settings names no file that a unit reads, so nobody can tell")
    for unit, paths in hook.settings.items():
        _started_after(seen, verdict, unit, paths)


def _started_after(seen: Seen, verdict: Verdict, unit: str, paths: tuple[str, ...]) -> None:
    changed, shown = seen.fact("antivirus", "changed"), seen.fact("system", "units").get(unit, {})
    started = max(shown.get(f"{what}Timestamp") or 0 for what in ("ExecMainStart", "ActiveEnter"))
    verdict(bool(started), expected=f"{unit} runs", observed=f"{unit} never started")
    missing = [path for path in paths if not changed.get(path)]
    verdict(not missing, expected=f"{', '.join(paths)}: there", observed=f"no {', '.join(missing)}")
    # systemd tells the start to a second only
    older = [path for path in paths if changed[path] > started + 1]
    observed = f"{unit} is older than {', '.join(older)}" if older else f"{unit} started after {', '.join(paths)}"
    verdict(not older, expected=f"{unit} started after {', '.join(paths)} changed", observed=observed)


def waits_without_scanner(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """That the milter defers while its engine is away cannot be tried without ending it: it is declared."""
    declared(seen, verdict, DECLARATION)


def nothing_too_big(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """EICAR in a message just under the size limit was refused, from the hub or from a mail server."""
    accepts = [int(size) for size in seen.fact("antivirus", "postfix")["message_size_limit"]]
    unlimited = not accepts or 0 in accepts
    verdict(not unlimited, expected="a message_size_limit", observed="messages of any size are accepted")
    control, outcome = _largest(seen)
    if not accepted(control, "message"):
        raise NotTested(f"a harmless message beside it was not accepted ({told(control)}), so a refusal proves nothing")
    if answers(outcome, "message") == [TOO_LARGE]:
        raise NotTested(f"refused for its size, so nobody looked inside: {told(outcome)}")
    expected = f"EICAR just under mail.message_size_limit is refused; Postfix accepts up to {max(accepts)} bytes"
    verdict(refused(outcome, "message"), expected=expected, observed=told(outcome))
    limit = seen.organisation.mail.message_size_limit
    observed = f"a service accepts {max(accepts)} bytes, tried with {limit}"
    verdict(max(accepts) <= limit, expected=f"no service accepts more than {limit} bytes", observed=observed)


def _largest(seen: Seen) -> tuple[Outcome, Outcome]:
    """The outcomes of a harmless and of a large infected message on one way in that was tried."""
    name = seen.host.name
    ways = [f"relay.{{}}:{name}", *(f"inner.{{}}:{name}:{mail.name}" for mail in seen.organisation.mail_servers)]
    why = ""
    for way in ways:
        try:
            return seen.tried(way.format("clean")), seen.tried(way.format("eicar-large"))
        except NotTested as silence:
            why = str(silence)
    raise NotTested(f"no large infected message was tried: {why}")


def encrypted_is_declared(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """What becomes of what is encrypted is set in its own programs, and declared."""
    declared(seen, verdict, DECLARATION)


def commands_are_declared(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """Who can command it is known to its maker."""
    declared(seen, verdict, DECLARATION)


def signatures_current(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """By the status command's own word."""
    _status(seen, verdict, "signatures")


def signatures_complete(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """The engine tells of itself in full, and knows what every engine knows."""
    _status(seen, verdict, "engine")
    finds_eicar(seen, verdict, hook)


def updates_run(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """The units run, and signatures were looked for lately."""
    services_run(seen, verdict, hook)
    _status(seen, verdict, "updates")


def _status(seen: Seen, verdict: Verdict, name: str) -> None:
    report, clock = seen.fact("antivirus", "hook"), seen.fact("system", "clock")
    status(verdict, hooks.scanner(report, seen.organisation.policy, clock), name)


def signature_source(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """Where its maker's signatures come from is declared."""
    declared(seen, verdict, DECLARATION)


def findings_logged(seen: Seen, verdict: Verdict, hook: ScannerHook) -> None:
    """What the milter refused stands in the mail log, by Postfix's own word; tried on the relay itself."""
    clean, infected = (seen.tried(f"relay.local-{name}:{seen.host.name}") for name in ("clean", "eicar-plain"))
    for what, outcome, sign in (("delivery", clean, "status=sent"), ("refusal", infected, "milter-reject")):
        lines = [line for line in outcome["log"] if sign in line]
        observed = lines[-1] if lines else f"no {sign} in the mail log"
        verdict(bool(lines), expected=f"each {what} in the mail log", observed=observed)
