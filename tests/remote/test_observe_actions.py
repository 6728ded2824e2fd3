"""Actions that throw away, redirect, copy or hold are found wherever Postfix reads them, and refusals are none."""

import pytest

from cjsm_connect.remote.observe import actions
from cjsm_connect.remote.observe.actions import observe

RESTRICTIONS = "smtpd_recipient_restrictions"


def found(main=None, options=None):
    services = {"cleanup/unix": {"options": options or {}}}
    return [(row["where"], row["what"]) for row in observe(main or {}, services)]


@pytest.mark.parametrize(
    "action", ["DISCARD", "redirect a@b.example", "HOLD", "BCC a@b.example", "FILTER x:y", "PREPEND X: y"]
)
def test_a_row_of_a_compiled_table_is_told(monkeypatch, action):
    monkeypatch.setattr(
        actions, "attempt", lambda argv, *more: (0, f"clerk@council.example\t{action}\nother\tOK\n", "")
    )
    (row,) = found({RESTRICTIONS: "check_recipient_access lmdb:/etc/away, reject"})
    assert row == (f"main.cf/{RESTRICTIONS}", f"lmdb:/etc/away: clerk@council.example {action}")


@pytest.mark.parametrize("line", ["/^Subject:.*lottery draw/i DISCARD", "/(a\\/b)/ HOLD", "!/x/ REDIRECT a@b.example"])
@pytest.mark.parametrize("kind", ["regexp", "pcre"])
def test_a_row_of_a_table_of_patterns_is_told_whatever_spaces_it_has(tmp_path, kind, line):
    table = tmp_path / "headers"
    table.write_text(f"# DISCARD nothing\n/hold this/ REJECT put on HOLD\n{line}\n")
    assert found(options={"header_checks": f"{kind}:{table}"}) == [("cleanup/unix/header_checks", f"{table}: {line}")]


@pytest.mark.parametrize(
    "value",
    [
        "check_client_access static:HOLD",
        "check_sender_access inline:{x.example=DISCARD}",
        "check_policy_service unix:private/p",
    ],
)
def test_what_stands_in_the_setting_itself_is_told(value):
    assert len(found({"smtpd_end_of_data_restrictions": value})) == 1


def test_a_restriction_class_is_looked_into():
    assert found({"smtpd_restriction_classes": "later", "later": "check_client_access static:HOLD"})


def test_a_route_that_discards_is_told_unless_it_is_the_self_tests(monkeypatch):
    rows = (
        "discard@selftest.invalid\tdiscard:self-test\nclerk@council.example\tdiscard:\n.cjsm.net\tcjsm:[hub.example]\n"
    )
    monkeypatch.setattr(actions, "attempt", lambda argv, *more: (0, rows, ""))
    ((_, what),) = found({"transport_maps": "lmdb:/etc/cjsm/maps/transport"})
    assert what.startswith("lmdb:/etc/cjsm/maps/transport: clerk@council.example discard:")


def test_refusals_and_names_of_files_are_no_actions(monkeypatch):
    monkeypatch.setattr(actions, "attempt", lambda argv, *more: (0, "a\tREJECT HOLD the line\nb\tDUNNO\n", ""))
    assert not found({RESTRICTIONS: "check_client_access lmdb:/etc/hold, check_ccert_access lmdb:/etc/filter, reject"})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("cidr", "192.0.2.0/24\tREDIRECT a@b.example\n"),
        ("texthash", "clerk@council.example\t\tDISCARD\n"),
        ("regexp", "/^Subject/\n  REDIRECT a@b.example\n"),
        ("pcre", "/^Subject/\n# in between\n\n\tBCC a@b.example\n"),
        ("cidr", "192.0.2.0/24\n HOLD\n"),
    ],
)
def test_a_row_is_told_however_it_is_spaced(tmp_path, kind, text):
    table = tmp_path / "rows"
    table.write_text(text)
    (row,) = found({RESTRICTIONS: f"check_client_access {kind}:{table}"})
    assert row[1].startswith(f"{table}: {text.split()[0]} ")


@pytest.mark.parametrize(
    "table", ["tcp:127.0.0.1:99", "socketmap:unix:/run/x:y", "sqlite:/etc/x.cf", "proxy:mysql:/etc/x", "ldap:x"]
)
def test_a_table_that_another_program_answers_for_is_told_as_a_policy_service_is(table):
    ((_, what),) = found({RESTRICTIONS: f"check_recipient_access {table}, reject"})
    assert what.startswith("a table decides that another program answers for")


@pytest.mark.parametrize(
    "result", ["permit_mynetworks, check_sender_access static:DISCARD", "check_policy_service unix:private/p"]
)
def test_a_result_that_is_a_list_of_restrictions_is_looked_into(monkeypatch, result):
    monkeypatch.setattr(actions, "attempt", lambda argv, *more: (0, f"council.example\t{result}\n", ""))
    assert len(found({RESTRICTIONS: "check_recipient_access lmdb:/etc/away"})) == 1
