"""Messages with odd MIME, both ways: at the receiver each byte of the text is what was sent, and each header too."""

import base64
import json

import pytest

from cjsm_connect.lab import mailboxes
from tests.deploys.test_mail_lab import OURS, THEIRS, until

pytestmark = pytest.mark.lab

LONG = b"data: " + b"x" * 1800 + b" end"
BODIES = {
    "of exactly 998 bytes": b"a" * 998 + b"\r\n",
    "beyond 998 bytes": LONG + b"\r\n" + b"y" * 5000 + b"\r\nshort\r\n",
    "with dots and From": b".\r\n..\r\n.x\r\nFrom here\r\n>From there\r\n-- \r\ntrailing  \t\r\n\r\n\r\n",
    "in Latin-1": b"caf\xe9 \xa35 \x80\xff\r\n",
    "in UTF-8": "ünïcode £5 \u2028 \u200b\r\n".encode(),
    "of parts": (
        b'--"b"\r\nContent-Type: text/plain\r\n\r\npreamble-less\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n'
        b"Subject: inner\r\nX-Virus-Status: Infected\r\n\r\nbody\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"QUJD\r\n\r\n--b--\r\nepilogue\r\n"
    ),
}
# what a sender's own systems may have written, and what programs on the way like to take out, fold or replace
HEADERS = (
    b"X-Virus-Scanned: by the sender\r\n",
    b"X-Virus-Status: Clean\r\n",
    b"x-virus-status:  Clean again\r\n",
    b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=k;\r\n\tb=abc\r\n  def;\r\n",
    b"Content-Length: 1\r\n",
    b"References: " + b" ".join(b"<%d@example.org>" % number for number in range(60)) + b"\r\n",
    b"X-Long: " + b"z" * 1500 + b"\r\n",
    b"X-Huge: " + b"".join(b"\r\n %d, " % number + b"h" * 60 for number in range(800)) + b"\r\n",
    b"Subject: =?utf-8?Q?f=C3=BCr?= \xc3\xbc\r\n",
    b"Bcc: somebody@example.org\r\n",
)
INSIDE = (b"Content-Length", b"Bcc")  # what a mail server takes out at the end or the beginning of the way

SESSION = """
import base64, json, smtplib, ssl, sys
told = json.load(sys.stdin)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.load_cert_chain(*told["chain"])
with smtplib.SMTP(told["host"], told["port"], told["helo"], 60, (told["source"], 0)) as session:
    session.starttls(context=context)
    session.ehlo()
    session.mail(told["sender"], ["BODY=8BITMIME"])
    code, said = session.rcpt(told["recipient"])
    assert code == 250, said
    print(session.data(base64.b64decode(told["message"])))
"""
FROM_HUB = {"host": "198.51.100.10", "port": 4545, "source": "203.0.113.21", "helo": "hub.cjsm.example"}
FROM_HUB |= {"chain": ["/etc/cjsm-hub/client.pem", "/etc/cjsm-hub/client.key"], "sender": f"{THEIRS}.cjsm.net"}
FROM_MAIL = {"host": "198.51.100.10", "port": 2525, "source": "192.0.2.10", "helo": "mail.council.example"}
FROM_MAIL |= {"chain": ["/etc/cjsm/tls/inner.chain.pem"], "sender": OURS}


def letter(sender, recipient, mark, body):
    """A whole message as it is sent, lines ended by CRLF."""
    head = [f"From: {sender}\r\nTo: {recipient}\r\nX-Mark: {mark}\r\n".encode(), *HEADERS]
    head += [b"Message-ID: <1@example.org>\r\n", b"Date: Mon, 30 Nov 2026 10:00:00 +0000\r\n", b"MIME-Version: 1.0\r\n"]
    kind = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n'
        if body == BODIES["of parts"]
        else b"Content-Type: text/plain\r\n"
    )
    return b"".join([*head, kind, b"Content-Transfer-Encoding: 8bit\r\n", b"\r\n", body])


def handed_in(lab, at, session, recipient, message):
    """A message given to the relay over a session of its own, so that nobody before it has a hand in it."""
    told = {**session, "recipient": recipient, "message": base64.b64encode(message).decode()}
    done = lab.exec(at, ["python3", "-c", SESSION], input=json.dumps(told))
    assert "250" in done.stdout, done.stderr[-500:]


def arrived(lab, host, user, mark):
    """The bytes of the message with that mark, as they lie in the Maildir; lines there end by LF alone."""
    folder = mailboxes.maildir(lab.name, host, user)
    found = until(
        lambda: [file for file in folder.glob("new/*") if f"X-Mark: {mark}\n".encode() in file.read_bytes()], 30
    )
    assert found, f"nothing with the mark {mark} arrived"
    return found[0].read_bytes()


def same(sent, received, rewritten=()):
    """Every header of the sender's is there, in its order, and the text is what it was."""
    head, _, body = sent.replace(b"\r\n", b"\n").partition(b"\n\n")
    got, _, text = received.partition(b"\n\n")
    assert text == body
    assert [one for one in fields(head) if not one.startswith(rewritten)] == [
        one for one in fields(got) if not one.startswith((*rewritten, *TRACE))
    ]


TRACE = (b"Return-Path:", b"X-Original-To:", b"Delivered-To:", b"Received:")


def fields(head):
    """The header fields with their folding, as they stand there."""
    found = []
    for line in head.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            found[-1] += b"\n" + line
        else:
            found.append(line)
    return found


@pytest.mark.touches("mail", "relay", "hub")
@pytest.mark.parametrize("kind", BODIES)
def test_from_the_hub_into_a_mailbox_nothing_changes_but_the_trace(lab, kind):
    mark = f"in, {kind}"
    sent = letter(f"{THEIRS}.cjsm.net", OURS, mark, BODIES[kind])
    handed_in(lab, "hub", FROM_HUB, OURS, sent)
    same(sent, arrived(lab, "mail", "clerk", mark), INSIDE)


@pytest.mark.touches("mail", "relay", "hub")
@pytest.mark.parametrize("kind", BODIES)
def test_from_the_mail_server_to_the_hub_nothing_changes_but_the_trace(lab, kind):
    mark = f"out, {kind}"
    sent = letter(OURS, f"{THEIRS}.cjsm.net", mark, BODIES[kind])
    handed_in(lab, "mail", FROM_MAIL, f"{THEIRS}.cjsm.net", sent)
    # this hub rewrites senders and recipients, and takes out what Postfix takes out by default
    same(sent, arrived(lab, "hub", "charity", mark), (b"From:", b"To:", *INSIDE))


@pytest.mark.touches("mail", "relay", "hub")
def test_a_long_line_is_not_cut_on_the_inner_hop_either(lab):
    sent = letter(OURS, f"{THEIRS}.cjsm.net", "both hops", BODIES["beyond 998 bytes"])
    text = base64.b64encode(sent.replace(b"\r\n", b"\n")).decode()
    command = f"base64 -d | sendmail -i -f {OURS} {THEIRS}.cjsm.net"
    assert not lab.exec("mail", ["sh", "-c", command], input=text).returncode
    same(sent, arrived(lab, "hub", "charity", "both hops"), (b"From:", b"To:", *INSIDE))


@pytest.mark.touches("mail", "relay", "hub")
def test_what_is_added_tells_no_version(lab):
    sent = letter(OURS, f"{THEIRS}.cjsm.net", "trace", b"x\r\n")
    handed_in(lab, "mail", FROM_MAIL, f"{THEIRS}.cjsm.net", sent)
    head = arrived(lab, "hub", "charity", "trace").partition(b"\n\n")[0]
    added = [one for one in fields(head) if one.startswith(TRACE)]
    assert not [one for one in added if b"clamav" in one.lower() or b"Postfix 3" in one]
