"""Targets as people write them."""

import pytest

from cjsm_connect.engineer.targets import Target, TargetError, load, parse


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("relay.council.example", "relay.council.example", 25),
        ("Relay.Council.Example.:4545", "relay.council.example", 4545),
        ("192.0.2.1:26", "192.0.2.1", 26),
        ("[2001:db8::1]:26", "2001:db8::1", 26),
        ("[2001:db8::1]", "2001:db8::1", 25),
        ("bücher.example", "xn--bcher-kva.example", 25),
    ],
)
def test_a_target_is_a_name_or_an_address_with_a_port(text, host, port):
    assert parse(text) == Target(host, port)
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text", ["", "a b", "host:0", "host:70000", "host:smtp", "2001:db8::1", "[::x]", "-", "a..b", "[]:1"]
)
def test_what_is_no_target_is_told_with_what_was_expected(text):
    with pytest.raises(TargetError, match="expected"):
        parse(text)


def test_all_wrong_lines_of_a_file_are_named_and_doubles_are_taken_once(tmp_path):
    file = tmp_path / "targets"
    file.write_text("one.example\n\n# comment\nONE.example\ntwo.example:26 # ours\n")
    assert load(file) == [Target("one.example"), Target("two.example", 26)]
    file.write_text("one.example\nhost:0\na b\n")
    with pytest.raises(TargetError, match=r"line 2: .*line 3: "):
        load(file)
