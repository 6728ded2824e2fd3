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
