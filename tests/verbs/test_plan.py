"""plan and status as JSON: the documented fields are the real ones, and no secret is among them."""

import json
import re
from dataclasses import replace

import click
import pytest

from cjsm_connect.desired import Desired
from cjsm_connect.desired.change import change
from cjsm_connect.desired.drift import Kind
from cjsm_connect.desired.planned import differences, steps
from cjsm_connect.verbs import apply, plan, status
from cjsm_connect.verbs._hosts import Subject
from deploys import relay
from tests.desired.hosts import DESIRED, DRIFTS, MAIN, SECRET, TABLE, WALL, as_wanted, drifted
from tests.made_up import ROOT, lab_file, organisation

EXAMPLES = [
    json.loads(text) for text in re.findall("```json\n(.*?)```", (ROOT / "docs/plan.md").read_text(), re.DOTALL)
]


def subject(snapshot):
    snapshot |= {"memory": 1 << 40, "condition": {"queue": None, "certificates": {}}}
    return Subject("relay", DESIRED, snapshot, change(DESIRED, snapshot))


def everything_wrong():
    """Every documented list has an entry."""
    snapshot = as_wanted()
    for path, value, _ in DRIFTS:
        if len(path) < 3:
            drifted(snapshot, path, value)
    main = as_wanted()["files"][MAIN.path] | {"sha256": "b", "content": "relayhost = mx.example\n"}
    snapshot["files"][MAIN.path] = main
    snapshot["firewalls"][WALL.table] = {"boot": "", "live_is_boot": False, "enabled": False, "foreign": ["ip other"]}
    snapshot["units"]["x.service"]["active"] = "inactive"
    return snapshot


def shape(value):
    """Keys and types, of a list its first entry's."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_the_documented_plan_is_the_real_one():
    found = plan.as_data(subject(everything_wrong()))
    documented = EXAMPLES[0]["hosts"]["relay"]
    assert list(found) == list(documented)
    for name in ("packages", "directories", "keys", "removed", "maps", "firewall", "services"):
        assert shape(found[name]) == shape(documented[name]), name
    main = next(item for item in found["files"] if item["path"] == MAIN.path)
    assert shape(main) == shape(documented["files"][0]) | {"settings": shape(main["settings"])}
    assert set(main["settings"][0]) == set(documented["files"][0]["settings"][0])


def test_the_documented_status_is_the_real_one():
    found = status.as_data(organisation(), subject(everything_wrong()))
    documented = EXAMPLES[1]["hosts"]["relay"]
    assert list(found) == list(documented)
    assert shape(found["drift"]) == shape(documented["drift"])
    assert set(found["certificates"][0]) == set(documented["certificates"][0])


def test_every_kind_of_drift_is_documented():
    text = (ROOT / "docs/plan.md").read_text()
    assert not [kind for kind in Kind.__args__ if f"`{kind}`" not in text]


def test_both_name_their_schema():
    assert [example["schema"] for example in EXAMPLES] == [1, 1] == [plan.SCHEMA, status.SCHEMA]


@pytest.mark.parametrize("new_files", [True, False])
def test_a_secret_is_in_no_plan(new_files):
    snapshot = everything_wrong()
    snapshot["files"][SECRET.path]["sha256"] = "other"
    item = subject(snapshot)
    assert "/etc/password" in plan.described(item, new_files)
    assert "hunter2" not in plan.described(item, new_files) + json.dumps(plan.as_data(item))


def test_rows_of_maps_that_come_and_go_are_shown():
    snapshot = drifted(as_wanted(), ("maps",), "/var/lib/cjsm/maps/maps-other.x")
    snapshot["map_sources"] = {"transport": "cjsm.net cjsm:[hub]\nold.example inner:[mail]\n"}
    found = plan.as_data(subject(snapshot))["maps"]
    assert found == [
        {"name": "transport", "kind": "lmdb", "added": ["council.example inner:[mail]"],
         "removed": ["old.example inner:[mail]"]}
    ]  # fmt: skip
    assert "switch to a new set of maps: transport (+1 -1 rows)" in list(steps(change(DESIRED, snapshot), snapshot))
    text = "".join(differences(change(DESIRED, snapshot), snapshot))
    assert "+council.example inner:[mail]\n-old.example inner:[mail]\n" in text


def test_all_rows_come_where_there_is_no_map_yet():
    snapshot = drifted(as_wanted(), ("maps",), None)
    (found,) = plan.as_data(subject(snapshot))["maps"]
    assert found["added"] == [f"{key} {value}" for key, value in TABLE.rows]


def test_rules_are_shown_as_the_file_changes_and_as_they_were_changed_live():
    snapshot = as_wanted()
    wall = {"boot": "other", "boot_text": "table inet cjsm {\n\told\n}\n", "live": "+\ttcp dport 23 accept\n"}
    snapshot["firewalls"][WALL.table] |= wall | {"live_is_boot": False, "foreign": ["ip monitoring"]}
    item = subject(snapshot)
    (found,) = plan.as_data(item)["firewall"]
    assert "-\told\n" in found["boot_diff"]
    assert found["left_alone"] == ["ip monitoring"] and not found["load_at_boot"]
    text = plan.described(item)
    assert "tcp dport 23 accept" in text and "left alone: ip monitoring" in text
    assert "were changed by hand and are replaced" in text


def test_a_refused_change_says_so_and_ends_with_2():
    item = subject(as_wanted())
    refused = Subject(item.name, item.desired, item.snapshot, item.change, refused=("it would cut you off",))
    assert plan.exit_code([item]) == 0
    assert plan.exit_code([refused]) == 2
    assert "refused: it would cut you off" in plan.described(refused)
    assert plan.conclusion([refused]).startswith("Refused for relay")


def mail_server_with(main: str) -> Subject:
    """A mail server that keeps its own main.cf, with this one."""
    hosts = [host | ({"mailboxes": "existing"} if host["role"] == "mail" else {}) for host in lab_file()["hosts"]]
    where = organisation(hosts=hosts)
    settings = tuple(item for item in relay.desired(where, where.host("mail")).settings if item.form == "main.cf")
    snapshot = as_wanted() | {"files": {"/etc/postfix/main.cf": {"kind": "file", "sha256": "x", "content": main}}}
    wanted = Desired(settings=settings)
    return Subject("mail", wanted, snapshot, change(wanted, snapshot))


def test_an_administrators_own_main_cf_is_shown_setting_by_setting_and_the_rest_is_kept():
    """A mail server that was there before: what is replaced is named with both values, a list keeps its own items."""
    own = "# by Sam\nmyhostname = mail.council.example\nsmtp_tls_loglevel = 0\ntransport_maps = hash:/etc/postfix/own\n"
    item = mail_server_with(own)
    found = item.change
    told = list(steps(found, item.snapshot))
    assert any(step.startswith("setting main.cf: smtp_tls_loglevel, now `0`, becomes `1`") for step in told)
    assert any("transport_maps, now `hash:/etc/postfix/own`, becomes `lmdb:" in step for step in told)
    assert all("the old file is kept in the generation" in step for step in told if step.startswith("setting"))
    assert not [step for step in told if "myhostname" in step]
    content = found.files[0].file.content
    assert content.startswith("# by Sam\nmyhostname = mail.council.example\n")
    assert "hash:/etc/postfix/own\n" in content


def test_a_password_that_somebody_wrote_into_a_file_of_ours_is_not_shown():
    snapshot = everything_wrong()
    snapshot["files"][MAIN.path]["content"] = "smtp_sasl_password_maps = static:relay:hunter2\n"
    found = subject(snapshot)
    assert "hunter2" in "".join(differences(found.change, found.snapshot))
    assert "hunter2" not in json.dumps(plan.as_data(found)) + plan.described(found)
    assert "smtp_sasl_password_maps = (redacted)" in plan.described(found)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_apply_could_not_put_right_is_told_without_passwords(as_json, capsys):
    item = mail_server_with("transport_maps = ldap://reader:hunter2@directory.council.example/x\n")
    assert "hunter2" in "".join(steps(item.change, item.snapshot))
    assert apply.report(apply.End([item], [item], {}, [], {}, 0), as_json) == 2
    said = "".join(capsys.readouterr())
    assert "directory.council.example" in said
    assert "hunter2" not in said


def test_a_summary_counts_what_changes_and_says_in_full_what_needs_a_person():
    waits = "relay: no certificate yet. Send certificates/relay.csr to the helpdesk."
    found = replace(
        subject(everything_wrong()),
        desired=replace(DESIRED, waiting=(waits,)),
        refused=("hub/ca.pem is wrong",),
        warnings=("somebody else is logged in",),
    )
    said = click.unstyle(plan.summarised(found))
    assert len(said.splitlines()) < 10 < len(plan.described(found).splitlines())
    assert "; replaced: " in said and MAIN.path in said
    assert {"  refused: hub/ca.pem is wrong", "  warning: somebody else is logged in"} <= set(said.splitlines())
    assert "  waiting: no certificate yet" in said.splitlines()
    assert "\n    +" not in said and SECRET.content not in said
