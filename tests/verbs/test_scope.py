"""--only says when it takes more than was asked for."""

from cjsm_connect.verbs._scope import more_than_asked

MAIL_PATH = ("tls", "relay", "domains")


def test_what_comes_along_is_said():
    said = more_than_asked(("tls",), MAIL_PATH)
    assert said == "cjsm: tls shares one Postfix and one set of maps with relay, domains: all are taken"


def test_nothing_is_said_when_nothing_comes_along():
    assert not more_than_asked(("firewall",), ("firewall",))
    assert not more_than_asked(("domains", "tls", "relay"), MAIL_PATH)
    assert not more_than_asked((), ())
