"""relay: nothing on the way discards, redirects, copies or holds a message. Judged by the effective settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from checks.framework import check
from checks.postfix import plain
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.probes.postfix import inner_listeners
from cjsm_connect.probes.seen import Seen
from cjsm_connect.probes.steering import MAIL_SERVER, REFUSALS, STEERING, USUAL, VERIFYING
from cjsm_connect.results.judge import Verdict

MAPS = "/etc/cjsm/maps"
SCANNER = "unix:/run/clamav/clamav-milter.ctl"
CLIENTS = {"cjsm/unix": "smtp", "inner/unix": "smtp", "cjsm-inner/unix": "smtp"}
PROGRAMS = {  # master(5): what a service is called and which program that is; others run the program of their name
    **CLIENTS,
    **{"rewrite/unix": "trivial-rewrite", "defer/unix": "bounce", "trace/unix": "bounce", "retry/unix": "error"},
    **{"relay/unix": "smtp", "proxywrite/unix": "proxymap", "postlog/unix-dgram": "postlogd"},
}


@check(
    "relay.nothing-steers",
    requirement="relay.nothing-steers",
    role="relay,mail",
    title="No setting discards, redirects, copies, holds or rewrites mail on its way",
    remedy="cjsm apply, which writes main.cf and master.cf whole where they are ours; what is named comes back then: "
    "postconf -n and postconf -P show who else edits them",
)
def test_nothing_steers(seen: Seen, verdict: Verdict) -> None:
    found = list(foreign(seen))
    observed = "; ".join(found) or "only what belongs to the connection"
    verdict(not found, expected="no filter, copy, rewriting or route of anybody else's", observed=observed)


@check(
    "relay.no-action-in-tables",
    requirement="relay.nothing-steers",
    role="relay,mail",
    title="No table and no policy service tells Postfix to discard, redirect, copy or hold a message",
    remedy="take the row out of the table that is named, then postmap FILE; cjsm apply writes the tables of "
    "/etc/cjsm/maps anew",
)
def test_no_action_in_tables(seen: Seen, verdict: Verdict) -> None:
    ours = () if whole(seen.host) else inner_listeners(seen.organisation, seen.host)
    rows = [row for row in seen.fact("relay", "actions") if not ours or row["where"].rpartition("/")[0] in ours]
    observed = "; ".join(f"{row['where']}: {row['what']}" for row in rows) or "none"
    verdict(not rows, expected="OK, DUNNO and refusals only", observed=observed)


@check(
    "relay.programs-as-named",
    requirement="relay.nothing-steers",
    role="relay,mail",
    title="Each service of Postfix runs the program that its name says, and none hands mail to another program",
    remedy="cjsm apply, which writes master.cf; postconf -M shows the service that is named",
)
def test_programs_as_named(seen: Seen, verdict: Verdict) -> None:
    services: Mapping[str, Mapping[str, str]] = seen.fact("relay", "services")
    judged = {name: found["command"] for name, found in services.items() if whole(seen.host) or name in CLIENTS}
    wrong = [f"{name} runs {command}" for name, command in sorted(judged.items()) if command != _program(name)]
    observed = ", ".join(wrong) or f"{len(judged)} services"
    verdict(not wrong, expected="smtp(8), smtpd(8), local(8) and Postfix's own", observed=observed)


def whole(host: Host) -> bool:
    """Whether all of Postfix on this host is ours."""
    return host.role == "relay" or host.mailboxes == "local"


def _program(service: str) -> str:
    return "smtpd" if service.endswith("/inet") else PROGRAMS.get(service, service.rpartition("/")[0])


def foreign(seen: Seen) -> Iterator[str]:
    """Values that are not ours, as "SERVICE: NAME = VALUE": of main.cf, and of each service that has its own."""
    ours = allowed(seen.organisation, seen.host)
    main: Mapping[str, str] = seen.fact("relay", "main")
    if whole(seen.host):
        yield from _named("main.cf", main, ours)
        yield from _unusual("main.cf", main, main, seen.host)
    mine = set(inner_listeners(seen.organisation, seen.host)) | set(CLIENTS)
    for name, found in seen.fact("relay", "services").items():
        if whole(seen.host) or name in mine:
            yield from _named(name, found["options"], ours)
        if whole(seen.host):
            yield from _unusual(name, found["options"], main, seen.host)


def _named(where: str, values: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    for name in STEERING:
        value = plain(str(values.get(name, "")))
        if value and _words(value) != ours.get(name, "").split():
            yield f"{where}: {name} = {value}"


def _unusual(where: str, values: Mapping[str, str], main: Mapping[str, str], host: Host) -> Iterator[str]:
    """Settings that are not empty by default, and steer when they are something else."""
    usual = {**USUAL, **({} if host.role == "relay" else {"home_mailbox": "Maildir/"})}
    usual |= {name: str(main.get(same, "")) for name, same in VERIFYING.items()}
    for name, value in values.items():
        wrong = name in usual and _words(value) != _words(usual[name])
        wrong |= name in REFUSALS and value[:1] not in ("4", "5")
        wrong |= host.role == "mail" and not value.startswith(MAIL_SERVER.get(name, ""))
        if wrong:
            yield f"{where}: {name} = {value or 'nothing'}"


def _words(value: str) -> list[str]:
    """Its parts; proxymap(8) opens the same table for several processes."""
    return [word.removeprefix("proxy:") for word in value.replace(",", " ").split()]


def allowed(organisation: Organisation, host: Host) -> dict[str, str]:
    """What belongs to the connection; every other setting of STEERING is empty, which is Postfix's default."""
    if host.role != "relay":
        return {
            "transport_maps": f"lmdb:{MAPS}/transport regexp:{MAPS}/disguised_domains",
            "smtp_dns_reply_filter": f"regexp:{MAPS}/never_by_mx",
            "local_delivery_status_filter": "regexp:/etc/cjsm/mailboxes/delivery-status",
        }
    scanner = organisation.antivirus.hook.milter if organisation.antivirus.hook else SCANNER
    tables = {"transport_maps": f"lmdb:{MAPS}/transport", "virtual_alias_maps": f"lmdb:{MAPS}/aliases"}
    return {**tables, "smtpd_milters": scanner, "non_smtpd_milters": scanner}
