"""Drift in words: it says what is the matter, it agrees with the plan, and it tells no secret."""

import random

import pytest

from cjsm_connect.desired import Desired, File, Key, Service
from cjsm_connect.desired.change import change
from cjsm_connect.desired.drift import Kind, drift
from tests.desired.hosts import DESIRED, DRIFTS, FILE, KEY, MAIN, SECRET, UNIT, WALL, as_wanted, drifted


def told(snapshot, desired=DESIRED):
    return drift(desired, change(desired, snapshot), snapshot)


def sentences(snapshot, desired=DESIRED):
    return [str(one) for one in told(snapshot, desired)]


def test_a_host_that_has_everything_has_not_drifted():
    assert not told(as_wanted())


@pytest.mark.parametrize(("path", "value", "kind"), DRIFTS)
def test_each_kind_of_drift_is_told_as_what_it_is(path, value, kind):
    assert {one.kind for one in told(drifted(as_wanted(), path, value))} == {kind}


def test_every_kind_but_the_certificates_is_made_up_here():
    assert {kind for _, _, kind in DRIFTS} == set(Kind.__args__) - {"certificate"}


def test_there_is_drift_exactly_when_there_is_a_change():
    """Over generated cases: any number of things wrong at once, and any part of Desired taken away."""
    chance = random.Random(3)
    for _ in range(2000):
        snapshot = as_wanted()
        for path, value, _ in chance.sample(DRIFTS, chance.randrange(5)):
            if len(path) < 3 or isinstance(snapshot[path[0]][path[1]], dict):
                drifted(snapshot, path, value)
        desired = Desired(
            **{name: part for name in DESIRED.__slots__ if (part := getattr(DESIRED, name)) and chance.random() < 0.8}
        )
        found = change(desired, snapshot)
        assert bool(drift(desired, found, snapshot)) == bool(found), (desired, snapshot)


def test_a_service_that_would_only_take_up_what_is_about_to_change_has_not_drifted():
    snapshot = drifted(as_wanted(), ("files", FILE.path, "sha256"), "other")
    assert [item.service.unit for item in change(DESIRED, snapshot).services] == ["x.service"]
    assert sentences(snapshot) == ["/etc/x.conf is changed; expected as `cjsm plan` shows it"]


def test_everything_about_one_unit_is_one_sentence():
    snapshot = as_wanted()
    snapshot["units"]["x.service"] |= {"active": "inactive", "enabled": "masked"}
    assert sentences(snapshot) == ["x.service is masked and inactive; expected active and enabled"]


def test_a_changed_setting_is_told_by_name_with_both_values():
    text = "# ours\nsmtpd_tls_security_level = may\nrelayhost =\nmynetworks = 192.0.2.0/24\n  198.51.100.0/24\n"
    found = as_wanted()["files"][MAIN.path] | {"sha256": "other", "content": text}
    assert sentences(drifted(as_wanted(), ("files", MAIN.path), found)) == [
        "main.cf: smtpd_tls_security_level is `may`; expected `encrypt`",
        "main.cf: mynetworks is `192.0.2.0/24 198.51.100.0/24`; expected not set",
    ]


def test_a_setting_that_should_be_empty_is_told_as_such():
    content = MAIN.content.replace("relayhost =", "relayhost = x")
    found = as_wanted()["files"][MAIN.path] | {"sha256": "b", "content": content}
    assert sentences(drifted(as_wanted(), ("files", MAIN.path), found)) == ["main.cf: relayhost is `x`; expected empty"]


def test_a_removed_setting_is_told():
    found = as_wanted()["files"][MAIN.path] | {"sha256": "other", "content": "relayhost =\n"}
    (said,) = sentences(drifted(as_wanted(), ("files", MAIN.path), found))
    assert said == "main.cf: smtpd_tls_security_level is not set; expected `encrypt`"


def test_live_rules_are_told_by_the_lines_that_differ():
    snapshot = as_wanted()
    live = "--- boot file\n+++ live rules\n@@ -1 +1,2 @@\n \tchain input {\n+\t\ttcp dport 23 accept\n"
    snapshot["firewalls"][WALL.table] |= {"live_is_boot": False, "live": live}
    (said,) = sentences(snapshot)
    assert said == (
        "table inet cjsm is changed live (+tcp dport 23 accept); expected loaded as in /etc/nftables.d/cjsm.nft"
    )


def test_rules_that_are_not_loaded_at_all_are_told_so():
    snapshot = as_wanted()
    snapshot["firewalls"][WALL.table] |= {"live_is_boot": False, "live": "-table inet cjsm\n"}
    assert "table inet cjsm is not loaded" in sentences(snapshot)[0]


def test_a_returned_certificate_that_is_not_installed_is_told():
    body = "aGVsbG8="
    key = Key(**{name: getattr(KEY, name) for name in KEY.__slots__} | {
        "certificate": f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"})  # fmt: skip
    (one,) = told(as_wanted(), Desired(keys=(key,)))
    assert (one.kind, str(one)) == (
        "certificate",
        "the certificate of the hub key is missing or another; expected the returned one",
    )


def test_a_secret_file_is_told_without_what_is_in_it():
    snapshot = drifted(as_wanted(), ("files", SECRET.path, "sha256"), "0" * 64)
    snapshot["files"][SECRET.path]["content"] = "hunter1\n"  # the collector never sends it; if it did
    assert "hunter" not in "".join(sentences(snapshot))


def test_a_main_cf_marked_secret_tells_no_settings():
    file = File(MAIN.path, "relayhost = hunter2\n", secret=True)
    snapshot = {"files": {file.path: as_wanted()["files"][MAIN.path] | {"content": "relayhost = hunter1\n"}}}
    snapshot |= {"packages": {}, "units": {}, "maps": None, "keys": {}, "firewalls": {}}
    assert "hunter" not in "".join(sentences(snapshot, Desired(files=(file,))))


def test_a_process_with_an_older_configuration_is_told():
    snapshot = as_wanted()
    snapshot["units"] = {"x.service": UNIT | {"current": False}}
    (said,) = sentences(snapshot, Desired(services=(Service("x.service"),)))
    assert said == "x.service is running an older configuration; expected running what its files say now"
