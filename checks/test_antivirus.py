"""antivirus: a scanner that finds what it should, with new signatures, and no way around it.

What mail meets in practice is tried from the hub, the mail server and the relay itself: test_connection_content.py.
Where the organisation has a scanner of its own, scanner_hook.py judges in place of what is about ClamAV.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from checks import scanner_hook
from checks.framework import check
from checks.scanner_hook import or_hook
from checks.units import must_have_settled, must_run
from cjsm_connect.organisation.sizes import scanner_memory_bytes
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

APPLY = "cjsm apply"
SCANNER = ("clamav-daemon.service", "clamav-milter.service")
UPDATES = ("clamav-freshclam.service",)
GIB = 1 << 30
EXEMPTIONS = ("LocalNet", "AllowList", "Whitelist", "SkipAuthenticated")
KINDS = (
    *("ScanMail", "ScanArchive", "ScanPE", "ScanELF", "ScanOLE2", "ScanPDF", "ScanHTML", "ScanSWF", "ScanXMLDOCS"),
    *("ScanHWP3", "ScanOneNote", "HeuristicAlerts", "PhishingSignatures", "Bytecode"),
)
"""What clamd looks into by itself, clamd.conf(5); each can be turned off."""
PROGRAMS = {"clamd": "clamd.conf", "clamav-milter": "clamav-milter.conf"}
HOUR = 3600
# clamd.conf(5): a larger file is passed over by one step of the scan, whatever AlertExceedsMax says
LEFT_OUT = ("MaxEmbeddedPE", "MaxHTMLNormalize", "MaxHTMLNoTags", "MaxScriptNormalize", "MaxZipTypeRcg")
COMMANDERS = ("clamav", "root")
NOT_WHOLE = {
    "oversized": "EICAR in a stored ZIP larger than the scanner's limits, in a ZIP",
    "deep": "EICAR in sixty archives, one in the other",
    "unopened": "EICAR in a ZIP by LZMA",
}
WAITING = {"tempfail", "shutdown"}


def _setting(seen: Seen, file: str, name: str) -> str:
    """A setting's only value; "" when it is off."""
    values = seen.fact("antivirus", "settings", file).get(name, [])
    return str(values[0]) if values else ""


def _size(seen: Seen, file: str, name: str) -> int:
    value = _setting(seen, file, name)
    return int(value) if value.isdigit() else 0


@check(
    "antivirus.finds-eicar",
    requirement="antivirus.scanner",
    role="relay",
    impact="local-active",
    title="The scanner finds the EICAR test file, and lets harmless text pass",
    remedy="journalctl -u clamav-daemon; freshclam --verbose; then cjsm apply",
)
@or_hook(scanner_hook.finds_eicar)
def test_finds_eicar(seen: Seen, verdict: Verdict) -> None:
    scanner = answering(seen, verdict)
    verdict(scanner["clean"].endswith(": OK"), expected="harmless text: OK", observed=scanner["clean"])
    verdict(scanner["eicar"].endswith(" FOUND"), expected="EICAR: FOUND", observed=scanner["eicar"])


def answering(seen: Seen, verdict: Verdict) -> dict[str, Any]:
    """What clamd said; one that let us wait may be busy, one that hangs lets mail wait (and other checks see that)."""
    scanner: dict[str, Any] = seen.fact("antivirus", "scanner")
    if scanner["answers"] is None:
        verdict.not_tested(scanner["why"])
    verdict(scanner["answers"], expected="clamd answers on its socket", observed=scanner.get("why", "answers"))
    return scanner


@check(
    "antivirus.services-run",
    requirement="antivirus.scanner",
    role="relay",
    title="Scanner and milter run, and start at boot",
    remedy="journalctl -u clamav-daemon -u clamav-milter says why; then cjsm apply, which enables and starts both",
)
@or_hook(scanner_hook.services_run)
def test_services_run(seen: Seen, verdict: Verdict) -> None:
    must_run(seen, verdict, SCANNER)


@check(
    "antivirus.only-the-milter-commands",
    requirement="antivirus.scanner",
    role="relay",
    title="Nobody but root and the milter can command the scanner to stop",
    remedy="cjsm apply, which sets SocketMode=0660 in /etc/systemd/system/clamav-daemon.socket.d; remove "
    "TCPSocket from /etc/clamav/clamd.conf; systemctl restart clamav-daemon.socket",
)
@or_hook(scanner_hook.commands_are_declared)
def test_only_the_milter_commands(seen: Seen, verdict: Verdict) -> None:
    sockets = seen.fact("antivirus", "control")
    verdict(bool(sockets), expected="a socket of clamd", observed="none")
    for one in sockets:
        told = f"{one['path']}: mode {one['mode']:04o}, {one['owner']}:{one['group']}"
        verdict(not one["mode"] & 0o007, expected="mode 0660: nothing for others", observed=told)
        verdict(one["owner"] in COMMANDERS, expected="owner clamav or root", observed=told)
        others = sorted(set(one["members"]) - set(COMMANDERS))
        observed = f"{told}, also {', '.join(others)}" if others else told
        verdict(not others, expected="a group of the milter only", observed=observed)
    open_ports = [row for row in seen.fact("system", "listeners") if "clamd" in row["processes"]]
    ports = ", ".join(f"{row['address']}:{row['port']}" for row in open_ports)
    verdict(not open_ports, expected="no TCP port of clamd", observed=ports or sockets[0]["path"])


@check(
    "antivirus.settings-loaded",
    requirement="antivirus.scanner",
    role="relay",
    title="The running programs have read their present settings",
    remedy="systemctl restart clamav-daemon clamav-milter; mail waits meanwhile",
)
@or_hook(scanner_hook.settings_loaded)
def test_settings_loaded(seen: Seen, verdict: Verdict) -> None:
    changed = seen.fact("antivirus", "changed")
    for name, file in PROGRAMS.items():
        # a kernel thread's or script's name is cut at 15 characters, proc(5)
        started = [one["started"] for one in seen.fact("system", "processes") if one["name"] == name[:15]]
        verdict(bool(started), expected=f"{name} runs", observed=f"no process {name}")
        # the start is known to a clock tick only
        current = max(started) + 1 >= changed[file]
        found = "started after" if current else "older than"
        verdict(current, expected=f"{name} started after {file} changed", observed=f"{name} {found} {file}")


@check(
    "antivirus.all-mail-passes-the-scanner",
    requirement="antivirus.no-way-around",
    role="relay",
    title="Every listener, and local submission, hands mail to the milter",
    remedy="cjsm apply, which sets smtpd_milters and non_smtpd_milters in main.cf; remove -o smtpd_milters= from"
    " the service in master.cf",
)
def test_all_mail_passes_the_scanner(seen: Seen, verdict: Verdict) -> None:
    postfix, hook = seen.fact("antivirus", "postfix"), seen.organisation.antivirus.hook
    socket = hook.milter if hook else _setting(seen, "clamav-milter.conf", "MilterSocket")
    for name in ("smtpd_milters", "non_smtpd_milters"):
        values = postfix.get(name, [])
        asks = bool(values) and all(_place(socket) in _milters(value) for value in values)
        observed = f"{name} = {' | '.join(value or '(empty)' for value in values) or 'unknown'}"
        verdict(asks, expected=f"{name} names {socket} in every service", observed=observed)
    # postconf(5): for the clients that it names it takes the place of smtpd_milters, and may say DISABLE
    others = [value for value in postfix.get("smtpd_milter_maps", []) if value]
    observed = f"smtpd_milter_maps = {' | '.join(others)}" if others else f"{socket} in every service"
    verdict(not others, expected="no smtpd_milter_maps, which lets clients by", observed=observed)


def _milters(value: str) -> list[str]:
    """The places of the milters in a setting: names apart by comma or blank, or in { } with settings of their own."""
    return [_place(word) for word in re.split(r"[,\s{}]+", value) if "=" not in word]


def _place(socket: str) -> str:
    """A milter's place without the words before it: unix:/x, local:/x and /x are the same, and so are [::1] and ::1."""
    if socket.startswith(("inet:", "inet6:")):
        return socket.partition(":")[2].replace("[", "").replace("]", "").replace("localhost:", "127.0.0.1:")
    return socket.rpartition(":")[2].replace("/var/run/", "/run/")


@check(
    "antivirus.no-exemption",
    requirement="antivirus.no-way-around",
    role="relay",
    title="No sender, recipient, network or user is exempt from scanning, and no file or kind of file",
    remedy="cjsm apply, which takes LocalNet, AllowList and SkipAuthenticated out of /etc/clamav/clamav-milter.conf, "
    "and turns on each Scan in clamd.conf; a file that is named lies in /var/lib/clamav: remove it, then "
    "systemctl restart clamav-daemon",
)
@or_hook(scanner_hook.no_exemption)
def test_no_exemption(seen: Seen, verdict: Verdict) -> None:
    settings = seen.fact("antivirus", "settings", "clamav-milter.conf")
    exempt = [f"{name} {' '.join(settings[name])}" for name in EXEMPTIONS if settings.get(name)]
    verdict(not exempt, expected=f"none of {', '.join(EXEMPTIONS)}", observed="; ".join(exempt) or "none")
    scanner = seen.fact("antivirus", "settings", "clamd.conf")
    left = [f"{name} no" for name in KINDS if scanner.get(name) == ["no"]]
    left += [f"ExcludePath {path}" for path in scanner.get("ExcludePath", ())]
    left += [f"/var/lib/clamav/{name}" for name in seen.fact("antivirus").get("allowing", ())]
    verdict(not left, expected="nothing that the scanner passes over", observed="; ".join(left) or "none")


@check(
    "antivirus.infected-is-refused",
    requirement="antivirus.infected-refused",
    role="relay",
    title="Infected mail is refused, not held back in silence",
    remedy="cjsm apply, which sets OnInfected Reject in /etc/clamav/clamav-milter.conf",
)
@or_hook(scanner_hook.infected_is_refused)
def test_infected_is_refused(seen: Seen, verdict: Verdict) -> None:
    action = _setting(seen, "clamav-milter.conf", "OnInfected")
    verdict(action == "Reject", expected="OnInfected Reject", observed=f"OnInfected {action or 'Quarantine'}")


@check(
    "antivirus.waits-without-scanner",
    requirement="antivirus.fails-closed",
    role="relay",
    title="Without a scanner mail waits: in the milter and in every service of Postfix",
    remedy="cjsm apply, which sets OnFail Defer in /etc/clamav/clamav-milter.conf and milter_default_action = "
    "tempfail in main.cf",
)
def test_waits_without_scanner(seen: Seen, verdict: Verdict) -> None:
    hook = seen.organisation.antivirus.hook
    if hook is None:
        action = _setting(seen, "clamav-milter.conf", "OnFail")
        verdict(action == "Defer", expected="OnFail Defer", observed=f"OnFail {action}")
    postfix = seen.fact("antivirus", "postfix")
    actions = postfix.get("milter_default_action", [])
    # "quarantine" and "accept" take the mail; "shutdown" and "tempfail" both say 4yz (postconf(5))
    safe = bool(actions) and set(actions) <= WAITING
    observed = f"milter_default_action = {' | '.join(actions) or 'unknown'}"
    verdict(safe, expected="milter_default_action = tempfail in every service", observed=observed)
    own = [value for name in ("smtpd_milters", "non_smtpd_milters") for value in postfix.get(name, [])]
    words = {word for value in own for word in re.findall(r"default_action\s*=\s*(\w+)", value)}
    said = f"{observed}; default_action = {', '.join(sorted(words))} of single milters" if words else observed
    verdict(words <= WAITING, expected="default_action = tempfail of every milter", observed=said)
    if hook is not None:
        scanner_hook.waits_without_scanner(seen, verdict, hook)


@check(
    "antivirus.nothing-too-big",
    requirement="antivirus.whole-message",
    role="relay",
    title="No message that Postfix accepts is too big for milter or scanner",
    remedy="cjsm apply, which computes MaxFileSize and StreamMaxLength in /etc/clamav/clamd.conf from "
    "mail.message_size_limit",
)
@or_hook(scanner_hook.nothing_too_big)
def test_nothing_too_big(seen: Seen, verdict: Verdict) -> None:
    accepted = max(int(size) for size in seen.fact("antivirus", "postfix")["message_size_limit"])
    stream = _size(seen, "clamd.conf", "StreamMaxLength")
    for file in ("clamav-milter.conf", "clamd.conf"):
        size = _size(seen, file, "MaxFileSize")
        observed = f"accepted {accepted}, {file} MaxFileSize {size}, StreamMaxLength {stream}"
        unlimited = accepted == 0  # postconf(5): 0 is no limit
        fits = not unlimited and accepted < size <= stream
        verdict(fits, expected="message_size_limit < MaxFileSize <= StreamMaxLength", observed=observed)


@check(
    "antivirus.over-limit-is-not-clean",
    requirement="antivirus.whole-message",
    role="relay",
    title="What goes over the scanner's limits is not called clean, nor cut before it is counted",
    remedy="cjsm apply, which sets AlertExceedsMax yes, and MaxFileSize above MaxScanSize, in /etc/clamav/clamd.conf",
)
@or_hook(scanner_hook.over_limit_is_not_clean)
def test_over_limit_is_not_clean(seen: Seen, verdict: Verdict) -> None:
    alert = _setting(seen, "clamd.conf", "AlertExceedsMax") or "no"
    verdict(alert == "yes", expected="AlertExceedsMax yes", observed=f"AlertExceedsMax {alert}")
    scan, file = (_size(seen, "clamd.conf", name) for name in ("MaxScanSize", "MaxFileSize"))
    # a member of a ZIP is cut at MaxFileSize without an alert; over MaxScanSize there always is one (docs/scanning.md)
    observed = f"MaxScanSize {scan}, MaxFileSize {file}"
    verdict(0 < scan < file, expected="AlertExceedsMax yes, 0 < MaxScanSize < MaxFileSize", observed=observed)
    for name in LEFT_OUT:
        size = _size(seen, "clamd.conf", name)
        verdict(size >= scan, expected=f"{name} at least MaxScanSize", observed=f"{name} {size}, {observed}")


@check(
    "antivirus.whole-or-refused",
    requirement="antivirus.whole-message",
    role="relay",
    impact="local-active",
    title="EICAR in what the scanner cannot look at whole is refused: too large, too deep, packed by another method",
    remedy="cjsm apply, which sets the limits in /etc/clamav/clamd.conf and writes /var/lib/clamav/cjsm-unopened.yara",
)
def test_whole_or_refused(seen: Seen, verdict: Verdict) -> None:
    outcome = _shown_to_the_milter(seen, verdict, NOT_WHOLE)
    for name, told in NOT_WHOLE.items():
        refused = outcome[name]["word"] == "rejected" and not outcome[name]["held"]
        observed = f"{told}: {scanner_hook.said(outcome[name])}"
        verdict(refused, expected="the milter rejects it with 5yz", observed=observed)


def _shown_to_the_milter(seen: Seen, verdict: Verdict, names: Iterable[str]) -> Mapping[str, Any]:
    """What the milter said to these samples, beside a harmless one that it accepted.

    Raises:
        NotTested: it did not, or has not answered.
    """
    outcome = seen.tried(f"antivirus.whole:{seen.host.name}")
    for name in ("clean", *names):
        if outcome[name]["word"] in ("silent", "away"):
            verdict.not_tested(f"{name}: {scanner_hook.said(outcome[name])}")
    if outcome["clean"]["word"] != "accepted":
        clean = scanner_hook.said(outcome["clean"])
        verdict.not_tested(f"a harmless message was not accepted either, so a refusal proves nothing: {clean}")
    return outcome


@check(
    "antivirus.encrypted-as-decided",
    requirement="antivirus.whole-message",
    role="relay",
    impact="local-active",
    title="What becomes of an encrypted archive is what the organisation decided",
    remedy="cjsm apply, which sets AlertEncrypted in /etc/clamav/clamd.conf by antivirus.encrypted_from_hub and "
    "encrypted_to_hub",
)
@or_hook(scanner_hook.encrypted_is_declared)
def test_encrypted_as_decided(seen: Seen, verdict: Verdict) -> None:
    decided = seen.organisation.antivirus
    wanted = "rejected" if decided.encrypted_is_refused else "accepted"
    found = _shown_to_the_milter(seen, verdict, ("encrypted",))["encrypted"]
    right = found["word"] == wanted and not found["held"]
    verdict(right, expected=f"{wanted} ({decided.encrypted_reason})", observed=scanner_hook.said(found))


@check(
    "antivirus.signatures-current",
    requirement="antivirus.signatures",
    role="relay",
    title="The loaded signatures are new",
    remedy="less /var/log/clamav/freshclam.log; systemctl restart clamav-freshclam",
)
@or_hook(scanner_hook.signatures_current)
def test_signatures_current(seen: Seen, verdict: Verdict) -> None:
    limit = seen.organisation.policy.signature_hours
    scanner = answering(seen, verdict)
    own = seen.organisation.estate.mirrors.signature_files
    # the public databases say when they were built; of other files the last comparison with their source is known
    when = seen.fact("antivirus", "updates")["last_success"] if own else scanner["signatures_built"]
    what = f"compared with {', '.join(own)}" if own else "built"
    verdict(bool(when), expected="a date of the loaded signatures", observed=f"never {what}: {scanner['version']}")
    hours = (seen.fact("system", "clock") - when) / HOUR
    expected = f"{what} at most {limit.value} {limit.unit} ago ({limit.source})"
    verdict(hours <= limit.value, expected=expected, observed=f"{what} {hours:.1f} hours ago")


@check(
    "antivirus.signatures-complete",
    requirement="antivirus.signatures",
    role="relay",
    title="Every configured signature database is there",
    remedy="freshclam --verbose; what it says of the missing database is in /var/log/clamav/freshclam.log",
)
@or_hook(scanner_hook.signatures_complete)
def test_signatures_complete(seen: Seen, verdict: Verdict) -> None:
    present = {row["name"] for row in seen.fact("antivirus", "databases") if row["size"]}
    own = seen.organisation.estate.mirrors.signature_files
    wanted = [{name} for name in own] or [{f"{name}.cvd", f"{name}.cld"} for name in ("main", "daily")]
    missing = [" or ".join(sorted(names)) for names in wanted if not names & present]
    observed = f"no {', '.join(missing)}" if missing else ", ".join(sorted(present))
    verdict(not missing, expected="every configured database", observed=observed)


@check(
    "antivirus.updates-run",
    requirement="antivirus.signatures",
    role="relay",
    title="New signatures are looked for several times a day, without errors",
    remedy="less /var/log/clamav/freshclam.log; then " + APPLY,
)
@or_hook(scanner_hook.updates_run)
def test_updates_run(seen: Seen, verdict: Verdict) -> None:
    must_run(seen, verdict, UPDATES)
    checks = _size(seen, "freshclam.conf", "Checks")
    verdict(checks >= 4, expected="at least 4 checks a day", observed=f"{checks} checks a day")
    updates = seen.fact("antivirus", "updates")
    hours = (seen.fact("system", "clock") - updates["last"]) / HOUR
    late = f"{hours:.1f} hours ago" if updates["last"] else "never"
    verdict(hours <= 24 / checks + 1, expected=f"looked in the last {24 / checks + 1:.0f} hours", observed=late)
    found = updates["trouble"]
    if found.get("kind") == "unfinished":
        must_have_settled(seen, verdict, UPDATES[0], "has not come to the end of its first look yet")
    observed = troubled(found) if found else f"looked {late}, and found or fetched what there is"
    verdict(not found, expected="the last look for signatures succeeded", observed=observed)


def troubled(found: Mapping[str, Any]) -> str:
    """What stands in the way of new signatures, since when, and until when nobody asks again."""
    until = f"; on cool-down until {_moment(found['until'])}" if found["until"] else ""
    return f"{found['told']}, since {_moment(found['since'])}{until}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


@check(
    "antivirus.signature-source",
    requirement="antivirus.signatures",
    role="relay",
    title="Signatures come from the declared source and from nowhere else",
    remedy="cjsm apply, which writes PrivateMirror and DatabaseCustomURL in /etc/clamav/freshclam.conf from "
    "estate.mirrors",
)
@or_hook(scanner_hook.signature_source)
def test_signature_source(seen: Seen, verdict: Verdict) -> None:
    mirrors, settings = seen.organisation.estate.mirrors, seen.fact("antivirus", "settings", "freshclam.conf")
    declared = mirrors.signatures or "database.clamav.net"
    used = settings.get("PrivateMirror") or settings.get("DatabaseMirror") or []
    verdict(used == [declared], expected=f"signatures from {declared}", observed=f"from {', '.join(used) or 'nowhere'}")
    extra = [address for address in settings.get("DatabaseCustomURL", []) if not address.startswith(f"{declared}/")]
    observed = f"also from {', '.join(extra)}" if extra else f"from {declared}"
    verdict(not extra, expected=f"from {declared} only", observed=observed)


@check(
    "antivirus.findings-logged",
    requirement="antivirus.logged",
    role="relay",
    title="Each message's scan stands in the mail log",
    remedy="cjsm apply, which sets LogSyslog, LogFacility, LogInfected and LogClean in /etc/clamav/clamav-milter.conf",
)
@or_hook(scanner_hook.findings_logged)
def test_findings_logged(seen: Seen, verdict: Verdict) -> None:
    names = ("LogSyslog", "LogFacility", "LogInfected", "LogClean")
    found = {name: _setting(seen, "clamav-milter.conf", name) or "no" for name in names}
    logged = found["LogSyslog"] == "yes" and found["LogFacility"] == "LOG_MAIL"
    told = found["LogInfected"] in ("Basic", "Full") and found["LogClean"] in ("Basic", "Full")
    observed = ", ".join(f"{name} {value}" for name, value in found.items())
    verdict(logged and told, expected="syslog as LOG_MAIL, infected and clean", observed=observed)


@check(
    "antivirus.memory",
    requirement="antivirus.memory",
    role="relay",
    title="The host has the memory that the signatures need, also while they are reloaded",
    remedy="give the relay the memory that is expected (free -h shows what it has), or name a smaller set in "
    "estate.mirrors.signature_files",
)
def test_memory(seen: Seen, verdict: Verdict) -> None:
    needed = scanner_memory_bytes(seen.organisation)
    total = seen.fact("system", "memory", "total")
    # firmware and kernel keep a little of what a machine was given
    enough = total >= 0.9 * needed
    verdict(enough, expected=f"{needed / GIB:.1f} GiB", observed=f"{total / GIB:.1f} GiB")
