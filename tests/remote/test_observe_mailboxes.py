"""A name that is taken and ends in no mailbox is told with why; what leads to a mailbox is not."""

import pwd

import pytest

from cjsm_connect.remote.observe import mailboxes
from cjsm_connect.remote.observe.mailboxes import targets, why

USER = 1234


@pytest.fixture
def accounts(tmp_path, monkeypatch):
    """Two people, one of them without a home, and an account whose home belongs to another."""
    (tmp_path / "clerk").mkdir()
    monkeypatch.setattr(mailboxes, "home", lambda path, user: "" if path.endswith("clerk") else f"no home {path}")
    rows = {"clerk": str(tmp_path / "clerk"), "gone": str(tmp_path / "gone"), "daemon": "/usr/sbin"}
    return {name: pwd.struct_passwd((name, "x", USER, USER, "", path, "/bin/sh")) for name, path in rows.items()}


@pytest.mark.parametrize(
    ("name", "aliases", "word"),
    [
        ("clerk", {}, ""),
        ("gone", {}, "no home"),
        ("daemon", {}, "no home"),
        ("postmaster", {"postmaster": "root", "root": "clerk"}, ""),
        ("webmaster", {"webmaster": "daemon"}, "no home"),
        ("team", {"team": "clerk, gone"}, "no home"),
        ("typing", {"typing": "clrek"}, "neither an account nor an alias"),
        ("clerk", {"clerk": "\\clerk, other@example.org"}, ""),
        ("clerk", {"clerk": "clerk"}, ""),
        ("a", {"a": "b", "b": "a"}, "neither"),
        ("list", {"list": '"|/usr/bin/list -x, y"'}, "a program"),
        ("file", {"file": "/nowhere/box"}, "there is no file"),
        ("many", {"many": ":include:/nowhere/list"}, "is empty"),
        ("away", {"away": "someone@example.org"}, ""),
    ],
)
def test_a_name_ends_in_a_mailbox_or_it_is_said_why_not(accounts, name, aliases, word):
    found = why(name, accounts, aliases)
    assert word in found if word else not found


def test_targets_are_read_as_aliases_5_writes_them():
    text = '\\clerk, "|/usr/bin/x -a, b", someone@example.org,:include:/etc/team'
    assert targets(text) == ["clerk", "|/usr/bin/x -a, b", "someone@example.org", ":include:/etc/team"]


def test_a_home_is_written_by_its_owner_only(tmp_path):
    assert not mailboxes.home(str(tmp_path), tmp_path.stat().st_uid)
    assert "may not write" in mailboxes.home(str(tmp_path), tmp_path.stat().st_uid + 1)
    assert "is not there" in mailboxes.home(str(tmp_path / "none"), 0)


def test_each_table_of_a_list_is_asked_also_one_that_is_piped(monkeypatch):
    asked = []

    def attempt(argv, text="", seconds=30):
        asked.append(argv[-1])
        return 0, "clerk\tOK\n" if "passwd" in argv[-1] else "", ""

    monkeypatch.setattr(mailboxes, "attempt", attempt)
    maps = "pipemap:{unix:passwd.byname,regexp:/etc/people}, hash:/etc/aliases proxy:unix:group.byname"
    assert mailboxes.accepted(maps, ["clerk", "daemon"]) == ["clerk"]
    assert asked == ["pipemap:{unix:passwd.byname,regexp:/etc/people}", "hash:/etc/aliases", "proxy:unix:group.byname"]
    assert mailboxes.accepted("", ["clerk", "daemon"]) == ["clerk", "daemon"]
