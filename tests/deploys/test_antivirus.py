"""antivirus as Desired: what is scanned, what happens when it cannot be, and where signatures come from."""

from __future__ import annotations

import re

import pytest

from cjsm_connect.desired import Desired
from deploys.antivirus import CLAMD, DAEMON_UNIT, FRESHCLAM, MILTER, MILTER_UNIT, SOCKET_UNIT, UNOPENED, WAIT, desired
from tests.made_up import organisation


def wanted(**changes: object) -> Desired:
    where = organisation(**changes)
    return desired(where, where.host("relay"))


def content(state: Desired, path: str) -> str:
    return next(file.content for file in state.files if file.path == path)


def settings(state: Desired, path: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) (.+)$", content(state, path), re.MULTILINE))


def mebibytes(value: str) -> int:
    return int(value.removesuffix("M")) << 20


@pytest.mark.parametrize("name", ["mail", "firewall"])
def test_only_the_relay_has_a_scanner(name: str) -> None:
    where = organisation()
    assert desired(where, where.host(name)) == Desired()


@pytest.mark.parametrize("limit", [1_000_000, 20_000_000, 400_000_000])
def test_what_postfix_accepts_the_milter_and_the_scanner_look_at(limit: int) -> None:
    state = wanted(mail={"message_size_limit": limit})
    clamd, milter = settings(state, CLAMD), settings(state, MILTER)
    assert limit < mebibytes(milter["MaxFileSize"]) <= mebibytes(clamd["StreamMaxLength"])
    assert mebibytes(milter["MaxFileSize"]) <= mebibytes(clamd["MaxScanSize"])


def test_nothing_in_a_message_is_cut_or_left_out_below_the_limit_that_is_told() -> None:
    clamd = settings(wanted(), CLAMD)
    scan = mebibytes(clamd["MaxScanSize"])
    assert clamd["AlertExceedsMax"] == "true"
    assert scan < mebibytes(clamd["MaxFileSize"])
    for name in ("MaxEmbeddedPE", "MaxHTMLNormalize", "MaxHTMLNoTags", "MaxScriptNormalize", "MaxZipTypeRcg"):
        assert scan <= mebibytes(clamd[name])


def test_an_archive_of_twelve_thousand_files_is_looked_at_whole() -> None:
    # a document (OLE2) has a limit of its own at 100000, which is not told
    assert 12_000 < int(settings(wanted(), CLAMD)["MaxFiles"]) < 100_000


def test_the_refusal_is_one_line_that_calls_nothing_a_virus() -> None:
    sentence = settings(wanted(), MILTER)["RejectMsg"]
    assert "could not be shown to be free of malware (%v)" in sentence
    assert sentence.count("%") == 1
    # RFC 5321, 4.5.3.1.5: 512 with the code; a signature's name takes some
    assert len(f"550 5.7.1 {sentence}\r\n") < 400


def test_what_the_scanner_cannot_open_is_refused_by_rules_that_it_loads() -> None:
    state = wanted()
    [rules] = [file for file in state.files if file.path == UNOPENED]
    assert rules.path.startswith("/var/lib/clamav/") and rules.path.endswith(".yara")
    assert UNOPENED in next(one for one in state.services if one.unit == "clamav-daemon.service").watches


def test_infected_mail_is_refused_and_unscanned_mail_waits() -> None:
    milter = settings(wanted(), MILTER)
    assert (milter["OnInfected"], milter["OnFail"]) == ("Reject", "Defer")


def test_no_mail_is_exempt_from_scanning() -> None:
    assert not {"LocalNet", "AllowList", "Whitelist", "SkipAuthenticated"} & settings(wanted(), MILTER).keys()


def test_postfix_may_speak_to_the_milter() -> None:
    milter = settings(wanted(), MILTER)
    assert (milter["MilterSocketGroup"], milter["MilterSocketMode"]) == ("postfix", "660")


def test_a_scan_ends_before_the_milter_and_the_milter_before_postfix() -> None:
    scan, milter = settings(wanted(), CLAMD)["MaxScanTime"], settings(wanted(), MILTER)["ReadTimeout"]
    assert int(scan) / 1000 < int(milter) < 300  # milter_content_timeout, postconf(5)


def test_own_signature_files_take_the_place_of_the_public_databases() -> None:
    text = content(wanted(), FRESHCLAM)
    assert "DatabaseCustomURL http://mirror.outside.example/clamav/lab.hdb\n" in text
    assert "ExcludeDatabase main\n" in text
    assert "lab.hdb lab.ndb; do" in content(wanted(), WAIT)


def test_a_mirror_is_used_instead_of_the_public_servers() -> None:
    text = content(wanted(estate={"mirrors": {"signature_files": []}}), FRESHCLAM)
    assert "PrivateMirror http://mirror.outside.example/clamav\n" in text
    assert "database.clamav.net" not in text


def test_without_a_mirror_the_public_databases_are_fetched_through_the_proxy() -> None:
    changes = {"estate": {"proxy": "http://192.0.2.80:3128", "mirrors": {"signature_files": [], "signatures": None}}}
    state = wanted(**changes)
    assert settings(state, FRESHCLAM)["DatabaseMirror"] == "database.clamav.net"
    assert settings(state, FRESHCLAM)["HTTPProxyServer"] == "http://192.0.2.80"
    assert settings(state, FRESHCLAM)["HTTPProxyPort"] == "3128"
    assert "'main.c[lv]d' 'daily.c[lv]d'; do" in content(state, WAIT)


def test_the_public_databases_need_more_memory_than_a_few_own_signatures() -> None:
    own, public = wanted(), wanted(estate={"mirrors": {"signature_files": []}})
    assert public.memory[0].amount == 3 << 30
    assert own.memory[0].amount < public.memory[0].amount


def test_the_scanner_is_never_skipped_in_silence() -> None:
    for path in (DAEMON_UNIT, SOCKET_UNIT):
        assert "\nConditionPathExistsGlob=\n" in content(wanted(), path)


def test_signatures_come_before_the_scanner_and_the_scanner_before_the_milter() -> None:
    by_order = sorted(wanted().services, key=lambda service: service.order)
    order = [service.unit for service in by_order if service.running]
    assert order == [
        "clamav-freshclam.service",
        "clamav-daemon.socket",
        "clamav-daemon.service",
        "clamav-milter.service",
    ]


def test_the_scanner_and_its_try_wait_for_signatures_and_nothing_else_waits_for_the_scanner() -> None:
    state = wanted()
    late = [item for item in (*state.services, *state.health) if item.waits_for]
    assert [item.key for item in late] == ["clamav-daemon.service", "the virus scanner answers and finds"]
    assert {item.waits_for for item in late} <= {item.name for item in state.awaited}
    # an order after the daemon would hold the milter, and with it Postfix, until the signatures have come
    ordering = re.findall(r"^(?:After|Requires|Requisite|BindsTo)=.*$", content(state, MILTER_UNIT), re.MULTILINE)
    assert ordering and not any("clamav-daemon.service" in line for line in ordering)


def test_only_one_program_looks_for_signatures_whatever_the_package_enables() -> None:
    never = [service for service in wanted().services if service.masked]
    assert [service.unit for service in never] == ["clamav-freshclam-once.timer", "clamav-freshclam-once.service"]
    assert max(service.order for service in never) < min(one.order for one in wanted().services if one.running)


HOOK = {
    "milter": "inet:127.0.0.1:8891",
    "units": ["vendor-engine.service", "vendor-milter.service"],
    "status": ["/opt/vendor/bin/status"],
    "memory": 1_000_000,
}
OWN = {"scanner": "hook", "hook": HOOK}


def test_a_scanner_of_ones_own_is_started_and_asked_and_clamav_is_left_alone() -> None:
    state = wanted(antivirus=OWN)
    assert (state.packages, state.files, state.directories, state.absent) == ((), (), (), ())
    assert [service.unit for service in state.services] == HOOK["units"]
    assert {service.on_change for service in state.services} == {"none"}
    assert [memory.amount for memory in state.memory] == [1_000_000]
    assert [(health.probe, dict(health.arguments)) for health in state.health] == [
        ("milter", {"socket": HOOK["milter"]})
    ]
