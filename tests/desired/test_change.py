"""Desired against a snapshot."""

import pytest

from cjsm_connect.desired import (
    Absent,
    Desired,
    DesiredError,
    Directory,
    File,
    Map,
    Package,
    Service,
    Settings,
    masked,
    merge,
)
from cjsm_connect.desired.change import change, difference
from cjsm_connect.desired.drift import drift
from cjsm_connect.desired.snapshot import map_set, questions, sha256

UNIT = {"load": "loaded", "active": "active", "enabled": "enabled", "current": True}


def snapshot(**parts):
    empty = {"files": {}, "packages": {}, "units": {}, "maps": None, "keys": {}, "firewalls": {}}
    return empty | parts


def present(file, **other):
    found = {"kind": "file", "sha256": sha256(file.content), "owner": "root", "group": "root", "mode": file.mode}
    return found | other


def test_a_host_that_has_everything_needs_no_change():
    file = File("/etc/x.conf", "a\n")
    service = Service("x.service", watches=("/etc/x.conf",))
    table = Map("relay_domains", (("council.example", "OK"),))
    desired = Desired((Package("x"),), files=(file,), services=(service,), maps=(table,))
    seen = snapshot(
        files={file.path: present(file)},
        packages={"x": "1"},
        units={"x.service": UNIT},
        maps="/var/lib/cjsm/maps/" + map_set((table,)),
    )
    assert not change(desired, seen)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"kind": "absent"}, "new"),
        ({"sha256": "other", "content": "b\n"}, "content"),
        ({"mode": 0o666}, "owner or mode"),
        ({"owner": "nobody"}, "owner or mode"),
        ({"kind": "link"}, "content"),
    ],
)
def test_a_file_that_differs_is_named_with_the_reason(found, why):
    file = File("/etc/x.conf", "a\n")
    seen = present(file, **found)
    if found.get("kind") == "link":
        del seen["sha256"]
    (differs,) = change(Desired(files=(file,)), snapshot(files={file.path: seen})).files
    assert differs.why == why


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"active": "inactive"}, "start"),
        ({"active": "failed"}, "restart"),
        ({"enabled": "masked"}, "unmask, enable"),
        ({"active": "inactive", "enabled": "masked"}, "unmask, enable, start"),
        ({"enabled": "disabled"}, "enable"),
        ({"current": False}, "restart"),
    ],
)
def test_a_service_that_differs_is_named_with_what_it_needs(found, why):
    desired = Desired(services=(Service("x.service"),))
    (differs,) = change(desired, snapshot(units={"x.service": UNIT | found})).services
    assert differs.why == why


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"active": "active", "enabled": "enabled"}, "disable, mask, stop"),
        ({"active": "activating", "enabled": "enabled"}, "disable, mask, stop"),
        ({"active": "failed", "enabled": "enabled"}, "disable, mask, reset-failed"),
        ({"active": "inactive", "enabled": ""}, "mask"),  # not installed yet: its package must find it decided
        ({"active": "inactive", "enabled": "masked-runtime"}, "mask"),
        ({"active": "failed", "enabled": "masked"}, "reset-failed"),
    ],
)
def test_a_unit_that_must_never_run_is_masked_and_leaves_no_failure_behind(found, why):
    desired = Desired(services=(masked("x.service", order=1),))
    (differs,) = change(desired, snapshot(units={"x.service": UNIT | found})).services
    assert differs.why == why
    assert not change(desired, snapshot(units={"x.service": UNIT | {"active": "inactive", "enabled": "masked"}}))


@pytest.mark.parametrize(
    ("waits_for", "missing", "why"),
    [
        ("signatures", ["signatures"], ""),  # on its way: apply and status name what it waits for
        ("signatures", [], "start"),  # it has them, and starts again and again all the same
        ("signatures", ["the clock"], "start"),
        ("", ["signatures"], "start"),
    ],
)
def test_a_unit_that_is_starting_is_left_alone_only_while_what_it_waits_for_has_not_come(waits_for, missing, why):
    desired = Desired(services=(Service("x.service", waits_for=waits_for),))
    rows = [{"name": name, "why": "has not come", "until": 0} for name in missing]
    seen = snapshot(units={"x.service": UNIT | {"active": "activating"}}, unsettled=rows)
    assert [item.why for item in change(desired, seen).services] == [why] * bool(why)
    assert len(drift(desired, change(desired, seen), seen)) == bool(why)


def test_a_file_that_must_not_be_there_is_removed_only_when_it_is():
    desired = Desired(absent=(Absent("/etc/old"),))
    assert change(desired, snapshot(files={"/etc/old": {"kind": "file"}})).absent == ("/etc/old",)
    assert not change(desired, snapshot(files={"/etc/old": {"kind": "absent"}}))


def test_one_row_more_makes_another_set_of_maps():
    old = (Map("relay_domains", (("council.example", "OK"),)),)
    new = (Map("relay_domains", (("council.example", "OK"), ("legal.example", "OK"))),)
    seen = snapshot(maps="/var/lib/cjsm/maps/" + map_set(old))
    assert change(Desired(maps=new), seen).maps == new
    assert not change(Desired(maps=old), seen)


def test_settings_are_laid_over_what_the_administrator_has():
    settings = Settings("/etc/postfix/main.cf", "main.cf", (("relayhost", ""),))
    seen = {"kind": "file", "sha256": "x", "content": "myorigin = a\nrelayhost = b\n", "mode": 0o644}
    (differs,) = change(Desired(settings=(settings,)), snapshot(files={settings.path: seen})).files
    assert differs.file.content == "myorigin = a\nrelayhost =\n"


def test_a_secret_never_appears_in_a_difference():
    file = File("/etc/password", "hunter2\n", mode=0o600, secret=True)
    (differs,) = change(Desired(files=(file,)), snapshot(files={file.path: {"kind": "absent"}})).files
    assert "hunter2" not in difference(differs)
    assert file.path in questions(Desired(files=(file,)))["secret"]


def test_the_collector_is_asked_for_what_a_service_watches_by_path_not_by_name():
    desired = Desired(
        maps=(Map("transport", ()),),
        services=(Service("postfix.service", watches=("transport", "/etc/postfix/main.cf")),),
    )
    assert questions(desired)["units"] == {"postfix.service": ["/etc/cjsm/maps", "/etc/postfix/main.cf"]}


def test_merging_adds_up_what_concerns_watch_of_one_service():
    one = Desired(services=(Service("postfix.service", on_change="reload", watches=("/a",)),))
    two = Desired(services=(Service("postfix.service", on_change="reload", watches=("/b",)),))
    assert merge([one, two]).services[0].watches == ("/a", "/b")


def test_two_concerns_that_want_different_content_are_refused():
    with pytest.raises(DesiredError, match="/etc/x"):
        merge([Desired(files=(File("/etc/x", "a"),)), Desired(files=(File("/etc/x", "b"),))])


def test_the_same_package_wanted_twice_is_one():
    assert merge([Desired((Package("x"),)), Desired((Package("x"),))]).packages == (Package("x"),)


def test_a_directory_with_another_mode_is_changed():
    directory = Directory("/etc/cjsm/tls", mode=0o700)
    seen = {"kind": "directory", "owner": "root", "group": "root", "mode": 0o755}
    assert change(Desired(directories=(directory,)), snapshot(files={directory.path: seen})).directories == (directory,)


def test_a_service_that_watches_what_changes_is_announced_in_the_plan():
    file = File("/etc/x.conf", "new\n")
    desired = Desired(files=(file,), services=(Service("x.service", on_change="reload", watches=(file.path,)),))
    seen = snapshot(files={file.path: present(file, sha256="old")}, units={"x.service": UNIT})
    assert [item.why for item in change(desired, seen).services] == ["reload"]
