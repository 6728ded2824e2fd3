"""An engineer tries the listener on real hosts: in for a while, as far as RCPT, and out when the time is over."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from cjsm_connect.lab import authority, mailboxes
from cjsm_connect.lab.outside import SENDER
from cjsm_connect.remote.firewall import BOOT
from tests.deploys.test_mail_lab import OURS, THEIRS, message, subjects, until

pytestmark = pytest.mark.lab

STRANGER = "203.0.113.30"  # the same machine by its other address, which no tester has
TESTER = """
[[hub.testers]]
name = "Jo Engineer"
approver = "Sam Administrator"
reason = "acceptance test"
addresses = ["{address}"]
fingerprints = ["{key}"]
start = {start}
expiry = {expiry}
"""
# the engineer's own client: plain sockets, so that nothing of the product decides what is said
CLIENT = r"""
import json, socket, ssl, sys, time
source, certificate, *commands = json.load(sys.stdin)
def read(s):
    data = b""
    while not data.endswith(b"\n") or data.splitlines()[-1][3:4] == b"-":
        more = s.recv(4096)
        if not more:
            return data.decode() + "closed"
        data += more
    return data.decode()
def ask(s, text):
    s.sendall(text.encode() + b"\r\n")
    return read(s)
said = []
try:
    s = socket.create_connection(("198.51.100.10", 4545), 5, (source, 0))
    s.settimeout(12)
    read(s), ask(s, "EHLO engineer.example"), ask(s, "STARTTLS")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(certificate)
    s = context.wrap_socket(s)
    for command in commands:
        if command == "HOLD":
            s.settimeout(4)
            for _ in range(40):
                said.append(ask(s, "NOOP"))
                time.sleep(0.5)
        else:
            said.append(ask(s, command))
except OSError as error:
    said.append(type(error).__name__)
print(json.dumps(said))
"""
MAIL = ("EHLO engineer.example", "MAIL FROM:<>", f"RCPT TO:<{OURS}>")


@pytest.fixture
def admitted(lab, cjsm):
    """A tester at the second address of the host `outside`, applied; its certificate is there and on nobody's list."""
    key, chain = authority.member("tester", "engineer.example")
    lab.exec("outside", ["sh", "-c", "umask 077; cat > /root/tester.pem"], input=key + chain)
    other_key, other = authority.member("member", "member.example")
    lab.exec("outside", ["sh", "-c", "umask 077; cat > /root/other.pem"], input=other_key + other)
    file = lab.organisation_folder / "organisation.toml"
    original, now = file.read_text(), datetime.now(UTC).replace(microsecond=0)
    times = {"start": (now - timedelta(minutes=1)).isoformat(), "expiry": (now + timedelta(hours=1)).isoformat()}
    file.write_text(original + TESTER.format(address=SENDER, key=authority.fingerprint(chain), **times))
    try:
        done = cjsm("apply", "--yes")
        assert done.returncode == 0, done.stderr
        yield int((now + timedelta(hours=1)).timestamp())
    finally:
        file.write_text(original)


def asked(lab, *commands, source=SENDER, certificate="/root/tester.pem"):
    """The last line of each reply; the name of the error at its end."""
    told = json.dumps([source, certificate, *commands])
    done = lab.exec("outside", ["python3", "-c", CLIENT, "-"], input=told)
    return [reply.strip().splitlines()[-1] for reply in json.loads(done.stdout)]


def codes(replies):
    return [reply[:3] for reply in replies]


@pytest.mark.touches("relay", "firewall", "mail", "hub", "outside")
def test_a_tester_gets_as_far_as_rcpt_and_is_shut_out_when_its_time_is_over_though_nothing_runs(lab, cjsm, admitted):
    assert codes(asked(lab, *MAIL, "DATA")) == ["250", "250", "250", "554"]
    assert codes(asked(lab, *MAIL, "BDAT 14 LAST\r\nSubject: x\r\n"))[3] == "554"
    assert asked(lab, *MAIL, source=STRANGER) == ["TimeoutError"]
    assert codes(asked(lab, *MAIL, certificate="/root/other.pem"))[2] == "554"

    recipient = f"{OURS}.cjsm.net"
    mailboxes.send(lab.name, "hub", THEIRS, [recipient], message(THEIRS, recipient, "beside a tester"))
    assert until(lambda: "beside a tester" in subjects(lab, "mail", "clerk")), "the hub's own mail must go on"
    assert "Subject: x" not in str([one.as_string() for one in mailboxes.messages(lab.name, "mail", "clerk")])
    assert accused(cjsm) == []

    held: list[str] = []
    holding = threading.Thread(target=lambda: held.extend(asked(lab, "EHLO engineer.example", "HOLD")))
    holding.start()
    over(lab, admitted, seconds=5)
    holding.join()
    assert codes(held[1:4]) == ["250"] * 3, "a session that was open in time"
    assert held[-1] == "TimeoutError", "and is not answered any more after it"
    assert asked(lab, *MAIL) == ["TimeoutError"]

    open_to_testers(lab)
    assert {"relay.testers-hand-in-nothing relay"} <= set(accused(cjsm))


def over(lab, expiry, *, seconds):
    """Bring the end nearer: the rules that were applied, with another number in them, loaded by hand."""
    soon = int(datetime.now(UTC).timestamp()) + seconds
    for host in ("firewall", "relay"):
        text = lab.exec(host, ["cat", BOOT]).stdout
        assert text.count(str(expiry)) == 2
        assert lab.exec(host, ["nft", "-f", "-"], input=text.replace(str(expiry), str(soon))).returncode == 0


def open_to_testers(lab):
    """What the listener must never be: a tester's message is taken."""
    service = "198.51.100.10:4545/inet/smtpd_data_restrictions"
    assert lab.exec("relay", ["postconf", "-P", f"{service}=reject_unauth_pipelining"]).returncode == 0
    lab.exec("relay", ["postfix", "reload"])


def accused(cjsm):
    done = cjsm("check", "--json")
    rows = json.loads(done.stdout)["results"]
    return sorted(f"{row['check']} {row['subject']}" for row in rows if row["status"] in ("fail", "error"))
