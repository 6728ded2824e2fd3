"""Laying settings over an administrator's main.cf and master.cf."""

from cjsm_connect.desired.settings import merged

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
