"""Laying settings over an administrator's main.cf and master.cf."""

import pytest

from cjsm_connect.desired.settings import merged, replaced, values

MAIN = """\
# written by the administrator
myhostname = mail.council.example
mynetworks = 127.0.0.0/8
  192.0.2.0/24
relayhost =
transport_maps = hash:/etc/postfix/old
"""

MASTER = """\
# service type
smtp      inet  n       -       y       -       -       smtpd
pickup    unix  n       -       y       60      1       pickup
smtp      unix  -       -       y       -       -       smtp
  -o syslog_name=postfix/out
"""


def test_a_setting_is_replaced_where_it_stood_and_the_rest_is_kept_word_for_word():
    text = merged("main.cf", MAIN, [("transport_maps", "lmdb:/etc/cjsm/maps/transport")])
    assert text == MAIN.replace("hash:/etc/postfix/old", "lmdb:/etc/cjsm/maps/transport")


def test_continuation_lines_go_with_the_setting_they_belong_to():
    text = merged("main.cf", MAIN, [("mynetworks", "")])
    assert "192.0.2.0/24" not in text
    assert "mynetworks =\nrelayhost =\n" in text


def test_a_new_setting_comes_at_the_end_even_when_the_last_line_lacks_its_newline():
    assert merged("main.cf", "relayhost =", [("inet_protocols", "all")]) == "relayhost =\ninet_protocols = all\n"


def test_a_setting_written_twice_is_left_once():
    text = merged("main.cf", "relayhost = a\nmyorigin = b\nrelayhost = c\n", [("relayhost", "d")])
    assert text == "relayhost = d\nmyorigin = b\n"


def test_none_removes_a_setting_and_only_that():
    assert merged("main.cf", MAIN, [("relayhost", None)]) == MAIN.replace("relayhost =\n", "")


def test_a_comment_that_names_a_setting_is_not_the_setting():
    text = merged("main.cf", "# relayhost = a\n", [("relayhost", "b")])
    assert text == "# relayhost = a\nrelayhost = b\n"


def test_a_service_is_known_by_name_and_type():
    entry = "smtp unix - - n - - smtp\n  -o smtp_tls_security_level=may\n"
    text = merged("master.cf", MASTER, [("smtp/unix", entry)])
    assert text.endswith(entry)
    assert "smtp      inet  n       -       y" in text
    assert "postfix/out" not in text


def test_merging_twice_changes_nothing_more():
    entries = [("transport_maps", "lmdb:/x"), ("new_one", "1"), ("relayhost", None)]
    once = merged("main.cf", MAIN, entries)
    assert merged("main.cf", once, entries) == once


def test_comment_and_empty_lines_do_not_end_a_setting_as_postfix_reads_it():
    """postconf(5): a logical line goes on after them; a continuation line left behind would join the new value."""
    text = "mynetworks = 127.0.0.0/8\n# the old office\n\n  192.0.2.0/24\n# about relayhost\nrelayhost =\n"
    assert merged("main.cf", text, [("mynetworks", "198.51.100.0/24")]) == (
        "mynetworks = 198.51.100.0/24\n# about relayhost\nrelayhost =\n"
    )


def test_what_is_kept_is_kept_word_for_word():
    text = "  \n# a\n\nx = 1\n  # inside\n  2\n\n# b\n\ny = 3\n"
    assert merged("main.cf", text, []) == text


def test_settings_that_differ_are_told_by_name_with_both_values():
    before = "a = 1\nb = one,\n  # inside\n  two\nc = 3\n"
    after = "# other comment\na = 1\nb = one\nd = 4\n"
    assert list(replaced("main.cf", before, after)) == [("b", "one, two", "one"), ("c", "3", None), ("d", None, "4")]


def test_of_two_settings_of_one_name_the_last_counts():
    assert values("main.cf", "a = 1\na = 2\n") == {"a": "2"}


def test_services_of_master_cf_are_told_with_their_options():
    after = MASTER.replace("postfix/out", "postfix/other")
    ((name, old, new),) = replaced("master.cf", MASTER, after)
    assert name == "smtp/unix"
    assert old.endswith("smtp -o syslog_name=postfix/out") and new.endswith("smtp -o syslog_name=postfix/other")


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ("", "lmdb:/ours"),
        ("lmdb:/ours, hash:/theirs", "lmdb:/ours, hash:/theirs"),
        ("hash:/theirs, lmdb:/ours", "lmdb:/ours, hash:/theirs"),
        ("hash:/theirs lmdb:/ours", "lmdb:/ours, hash:/theirs"),
        ("lmdb:/ours_too", "lmdb:/ours, lmdb:/ours_too"),
        ("lmdb:/ours", "lmdb:/ours"),
    ],
)
def test_our_table_comes_first_in_the_administrators_list_and_once(there, wanted):
    found = merged("main.cf", f"transport_maps = {there}\n", [("transport_maps", "+lmdb:/ours")])
    assert found == f"transport_maps = {wanted}\n"


def test_of_a_list_that_is_set_twice_the_one_that_postfix_uses_is_extended():
    text = "transport_maps = hash:/old\nx = 1\ntransport_maps = hash:/used\n"
    found = merged("main.cf", text, [("transport_maps", "+lmdb:/ours")])
    assert found == "transport_maps = lmdb:/ours, hash:/used\nx = 1\n"


@pytest.mark.parametrize(
    "there",
    ["hash:/theirs", "lmdb:/ours, hash:/theirs", "hash:/theirs, regexp:/ours", "lmdb:/ours,regexp:/ours,hash:/theirs"],
)
def test_several_items_of_ours_come_first_and_once_whatever_was_there_of_them(there):
    entries = [("transport_maps", "+lmdb:/ours, regexp:/ours")]
    found = merged("main.cf", f"transport_maps = {there}\n", entries)
    assert found == "transport_maps = lmdb:/ours, regexp:/ours, hash:/theirs\n"
    assert merged("main.cf", found, entries) == found
