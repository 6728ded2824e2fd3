"""Keys that the hub's listener put off are read from what Postfix 3.7 and 3.10 write, and from nothing else."""

import pytest

from cjsm_connect.remote import unknown_keys
from cjsm_connect.remote.unknown_keys import PUT_OFF, found

KEY = ":".join(["5E"] * 32)
HOST = "2026-11-30T19:0{minute}:00.123456+00:00 relay postfix/cjsm-listener/smtpd[{pid}]:"
NAMES = "subject_CN=hub-client.cjsm.example, issuer=CJSM operator"
SHOWN = {
    "3.7": f"{NAMES}, fingerprint=AB:CD, pkey_fingerprint={KEY}",
    "3.10": f"{NAMES}, cert fingerprint=AB:CD, pkey fingerprint={KEY}",
}
ENVELOPE = "from=<a@b.example> to=<c@council.example> proto=ESMTP"


def at(minute=1, pid=7):
    return HOST.format(minute=minute, pid=pid)


def shown(text=SHOWN["3.10"], **where):
    return f"{at(**where)} unknown[203.0.113.21]: {text}"


def refused(helo="hub.cjsm.example", code=450, **where):
    told = f"{code} 4.7.1 <unknown[203.0.113.21]>: Client host rejected: {PUT_OFF} here yet"
    return f"{at(**where)} NOQUEUE: reject: RCPT from unknown[203.0.113.21]: {told}; {ENVELOPE} helo=<{helo}>"


@pytest.mark.parametrize("version", SHOWN)
def test_a_key_is_told_with_its_certificate_and_since_when(version):
    (row,) = found([shown(SHOWN[version]), refused(), refused(minute=3)])
    assert (row["key"], row["name"], row["issuer"]) == (KEY.lower(), "hub-client.cjsm.example", "CJSM operator")
    assert (row["first"][:16], row["last"][:16], row["times"]) == ("2026-11-30T19:01", "2026-11-30T19:03", 2)


def test_a_key_that_was_let_in_is_not_told():
    assert not found([shown()])


def test_sessions_side_by_side_are_told_apart():
    other = SHOWN["3.10"].replace("5E:", "00:")
    assert [row["key"] for row in found([shown(), shown(other, pid=8), refused()])] == [KEY.lower()]


def test_our_own_try_with_another_members_certificate_is_no_renewal():
    assert not found([shown(), refused(helo="cjsm-selftest.invalid")])


def test_a_refusal_for_good_is_no_renewal():
    assert not found([shown(), refused(code=554)])


def test_a_refusal_without_the_line_of_its_key_is_told_all_the_same():
    assert [row["key"] for row in found([refused()])] == [""]


def test_a_helo_that_imitates_a_line_of_the_log_names_no_key():
    forged = f"x> unknown[203.0.113.21]: {SHOWN['3.10']}"
    assert [row["key"] for row in found([refused(helo=forged)])] == [""]


def test_a_sender_whose_address_says_what_the_listener_says_accuses_no_key():
    told = f"450 4.1.1 <c@council.example>: Recipient address rejected: unverified; from=<{PUT_OFF} here yet@b.example>"
    line = f"{at()} NOQUEUE: reject: RCPT from unknown[203.0.113.21]: {told} to=<c@council.example> helo=<hub.example>"
    assert not found([shown(), line])


def test_yesterdays_log_is_read_before_todays(tmp_path, monkeypatch):
    (tmp_path / "mail.log-2026-11-28").write_text(refused(minute=0) + "\n")
    (tmp_path / "mail.log-2026-11-29").write_text(shown() + "\n" + refused() + "\n")
    (tmp_path / "mail.log").write_text(refused(minute=5) + "\n")
    monkeypatch.setattr(unknown_keys, "LOG", str(tmp_path / "mail.log"))
    monkeypatch.setattr(unknown_keys, "ROTATED", str(tmp_path / "mail.log-????-??-??"))
    (row,) = unknown_keys.observe()
    assert (row["first"][14:16], row["last"][14:16], row["key"]) == ("01", "05", KEY.lower())


def test_no_log_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(unknown_keys, "LOG", str(tmp_path / "none"))
    monkeypatch.setattr(unknown_keys, "ROTATED", str(tmp_path / "none-*"))
    assert unknown_keys.observe() == []
