"""Nothing that a sender writes makes mail leave in clear text, or to somebody who is not proven. Real hosts.

Each hop's receiver is made to offer no TLS, an expired certificate, another's, or suites without forward secrecy. Then
every letter of the table is sent at once, and the receiver's own log says what it was given: MAIL, RCPT, DATA and BDAT,
of every session (smtpd(8) counts them in its `disconnect` lines).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cjsm_connect.lab import Hub, Lab, authority, mailboxes
from cjsm_connect.lab.machine import write
from tests.deploys.letters import ADVOCATE, ASKING, CLERK, DISGUISED, HOW, REFUSED, TLS_REQUIRED, WRITTEN, Letter

pytestmark = [pytest.mark.lab, pytest.mark.touches("relay", "mail", "hub", "outside")]

PATIENCE = 60  # seconds; the machine is shared
HANDED_OVER = re.compile(r"\b(?:mail|rcpt|data|bdat)=(\d+)")
CERTIFICATE = "/etc/cjsm/tls/wrong.pem"


@dataclass(frozen=True)
class Hop:
    """One way that mail goes: who hands it in where, who then holds it, and who is to receive it over which service."""

    source: str
    holder: str
    receiver: str
    log_name: str
    transport: str
    recipient: str
    name: str  # what the receiver's certificate has to say


OUT = Hop("mail", "relay", "hub", "postfix/members", "cjsm", ADVOCATE, "hub.cjsm.example")
INSIDE = Hop("mail", "mail", "relay", "postfix/cjsm-inner-listener", "cjsm-inner", ADVOCATE, "relay.council.example")
IN = Hop("hub", "relay", "mail", "postfix/cjsm-inner-listener", "inner", f"{CLERK}.cjsm.net", "mail.council.example")
HOPS = [OUT, INSIDE, IN]

# one session a letter, because Postfix slows down whoever makes mistakes; what is refused is refused
HAND_IN = """
import json, smtplib, subprocess, sys
answers = []
for how, name, sender, recipients, mail_options, rcpt_options, text in json.load(sys.stdin):
    if how == "sendmail":
        done = subprocess.run(["sendmail", "-i", "-f", sender, "--", *recipients], input=text.encode(), stderr=-1)
        answers.append([name, how, "taken" if done.returncode == 0 else done.stderr.decode(errors="replace")])
        continue
    with smtplib.SMTP("127.0.0.1", 25) as session:
        session.ehlo("mail.council.example")
        session.command_encoding = "utf-8"
        said = [session.docmd("MAIL FROM:<%s>%s" % (sender, mail_options))]
        said += [session.docmd("RCPT TO:<%s>%s" % (one, rcpt_options)) for one in recipients]
        taken = said[0][0] < 300 and any(code < 300 for code, _ in said[1:])
        answers.append([name, how, "taken" if taken and session.data(text.encode())[0] < 300 else str(said)])
json.dump(answers, sys.stdout)
"""


@pytest.fixture
def hub(lab: Lab) -> Iterator[Hub]:
    found = Hub(lab.name)
    yield found
    found.behave()


def soon(look: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.5)
    return found


def handed_in(lab: Lab, hop: Hop, letters: list[tuple[str, Letter]]) -> list[tuple[str, str, str]]:
    """Hand letters in, each in one way; for each its name, the way, and "taken" or what was answered."""
    rows = []
    for how, letter in letters:
        recipients = letter.recipients or (hop.recipient,)
        options = (letter.mail_options, letter.rcpt_options)
        text = f"{letter.header}From: {CLERK}\nTo: {hop.recipient}\nSubject: {letter.name}\n\nA case paper.\n"
        rows.append([how, letter.name, letter.sender, recipients, *options, text])
    done = lab.exec(hop.source, ["python3", "-c", HAND_IN], json.dumps(rows))
    assert done.returncode == 0, done.stderr
    return [(name, how, answer) for name, how, answer in json.loads(done.stdout)]


def each_way(hop: Hop, letters: tuple[Letter, ...]) -> list[tuple[str, Letter]]:
    """Every letter by SMTP and by sendmail(1), from the hub by sendmail only; what only SMTP can say is said there."""
    ways = HOW if hop.source == "mail" else ("sendmail",)
    return [(how, letter) for letter in letters for how in ways if how == "smtp" or not _options(letter)]


def _options(letter: Letter) -> str:
    """What only SMTP can say; sendmail(1) finds out by itself that an address needs SMTPUTF8."""
    return letter.mail_options.replace(" SMTPUTF8", "") + letter.rcpt_options


def queued(lab: Lab, host: str) -> list[str]:
    """Why each recipient in a host's queue waits that was tried; postqueue(1) -j names those that are served too."""
    lines = lab.exec(host, ["postqueue", "-j"]).stdout.splitlines()
    rows = [recipient for line in lines for recipient in json.loads(line)["recipients"]]
    return [row["delay_reason"] for row in rows if row.get("delay_reason")]


def log(lab: Lab, host: str) -> str:
    kept = lab.root(host) / "var/log/cjsm/mail.log"
    return kept.read_text(errors="replace") if kept.exists() else mailboxes.log(lab.name, host)


def sessions(text: str, log_name: str) -> list[int]:
    """How many commands that carry mail, or say for whom it is, each session had that a listener logged."""
    ends = [line for line in text.splitlines() if f"{log_name}/smtpd" in line and " disconnect from " in line]
    return [sum(int(number) for number in HANDED_OVER.findall(line)) for line in ends]


def wrong_certificate(hop: Hop, name: str, ended_days_ago: int) -> tuple[str, str]:
    """A key, and a certificate by the receiver's own authority that should not be believed."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.operator() if hop is OUT else authority.inner()
    start = datetime.now(UTC) - timedelta(days=30 + ended_days_ago)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = issuer.issue(subject, [x509.DNSName(name)], key.public_key(), 30 if ended_days_ago else 60, start)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), issuer.chain(made)


def listener(lab: Lab, hop: Hop) -> str:
    rows = (line.partition(" = ") for line in lab.exec(hop.receiver, ["postconf", "-P"]).stdout.splitlines())
    return next(name.removesuffix("/syslog_name") for name, _, value in rows if value == hop.log_name)


def offer_no_tls(lab: Lab, hop: Hop) -> None:
    if hop is OUT:
        Hub(lab.name).configure(offered_tls="none")
        return
    where = listener(lab, hop)
    settings = {"smtpd_tls_security_level": "none", "smtpd_client_restrictions": "", "smtpd_sender_restrictions": ""}
    lab.exec(hop.receiver, ["postconf", "-P", *(f"{where}/{name}={value}" for name, value in settings.items())])
    lab.exec(hop.receiver, ["postfix", "reload"])


def present(lab: Lab, hop: Hop, name: str, ended_days_ago: int = 0) -> None:
    key, chain = wrong_certificate(hop, name, ended_days_ago)
    if hop is OUT:
        write(lab.root("hub") / "etc/cjsm-hub/wrong.key", key, 0o600)
        write(lab.root("hub") / "etc/cjsm-hub/wrong.pem", chain)
        Hub(lab.name).configure(server_certificate="wrong")
        return
    write(lab.root(hop.receiver) / CERTIFICATE.lstrip("/"), key + chain, 0o600)
    lab.exec(hop.receiver, ["postconf", "-P", f"{listener(lab, hop)}/smtpd_tls_chain_files={CERTIFICATE}"])
    lab.exec(hop.receiver, ["postfix", "reload"])


def speak_old_suites(lab: Lab, hop: Hop) -> None:
    where = listener(lab, hop)
    settings = {"mandatory_protocols": "TLSv1.2", "mandatory_ciphers": "high"}
    old = f"{where}/tls_high_cipherlist=ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:AES256-GCM-SHA384"
    lab.exec(
        hop.receiver,
        ["postconf", "-P", old, *(f"{where}/smtpd_tls_{name}={value}" for name, value in settings.items())],
    )
    lab.exec(hop.receiver, ["postfix", "reload"])


MISCONDUCT: dict[str, Callable[[Lab, Hop], None]] = {
    "no TLS": offer_no_tls,
    "expired": lambda lab, hop: present(lab, hop, hop.name, ended_days_ago=10),
    "another's": lambda lab, hop: present(lab, hop, "member.charity.example"),
    "old suites": speak_old_suites,
}


def each_is_tried(lab: Lab, hop: Hop) -> None:
    """One that could not be delivered must not keep the next from being tried (postconf(5)); the hub's mail server is
    then known to the relay, which asks it for recipients."""
    limit = f"{hop.transport}_destination_concurrency_failed_cohort_limit=100"
    lab.exec(hop.holder, ["postconf", "-e", limit, "minimal_backoff_time=3600s", "queue_run_delay=3600s"])
    lab.exec(hop.holder, ["postfix", "reload"])


def known_to_the_relay(lab: Lab) -> None:
    """The relay takes mail for the clerk while the mail server cannot be asked: it was asked before."""
    handed_in(lab, IN, [("sendmail", Letter("before"))])
    found = soon(lambda: any(one["Subject"] == "before" for one in mailboxes.messages(lab.name, "mail", "clerk")))
    assert found, log(lab, "hub")[-2000:]


def offered(lab: Lab, hop: Hop, letters: tuple[Letter, ...]) -> list[int]:
    """Send letters over a hop and see each fail to be delivered; what the receiver counted, session by session."""
    begun = len(log(lab, hop.receiver))
    ways = each_way(hop, letters)
    refused = [answer for answer in handed_in(lab, hop, ways) if answer[2] != "taken"]
    assert not refused
    expected = sum(letter.waits for _, letter in ways)
    assert soon(lambda: len(queued(lab, hop.holder)) >= expected), (expected, log(lab, hop.holder)[-3000:])
    assert soon(lambda: len(sessions(log(lab, hop.receiver)[begun:], hop.log_name)) >= len(ways))
    return sessions(log(lab, hop.receiver)[begun:], hop.log_name)


def went_by_mx(lab: Lab) -> list[str]:
    """What the public mail server, and the trap behind the MX of cjsm.net, were told of members or of ourselves."""
    lines = mailboxes.log(lab.name, "outside").splitlines()
    return [line for line in lines if re.search(r"(to|orig_to)=<[^>]*(cjsm|charity|council|trap)", line)]


@pytest.mark.parametrize("hop", HOPS, ids=["relay to hub", "mail server to relay", "relay to mail server"])
@pytest.mark.parametrize("misconduct", MISCONDUCT)
def test_nothing_is_handed_to_a_receiver_that_is_not_proven(lab: Lab, hub: Hub, hop: Hop, misconduct: str) -> None:
    if hop is IN:
        known_to_the_relay(lab)
    each_is_tried(lab, hop)
    MISCONDUCT[misconduct](lab, hop)
    letters = (*TLS_REQUIRED, *ASKING, *WRITTEN) if hop is not IN else (*TLS_REQUIRED, *ASKING)
    counted = offered(lab, hop, letters)
    assert not any(counted), log(lab, hop.receiver)[-3000:]
    assert not went_by_mx(lab)


def test_the_receivers_log_would_have_shown_it(lab: Lab, hub: Hub) -> None:
    """The control of all above: the default of Postfix 3.10 obeys the header, and clear text is then counted."""
    each_is_tried(lab, OUT)
    hub.configure(offered_tls="none")
    lab.exec("relay", ["postconf", "-P", "cjsm/unix/tls_required_enable=yes"])
    lab.exec("relay", ["postconf", "-e", "tls_required_enable=yes"])
    lab.exec("relay", ["postfix", "reload"])
    begun = len(log(lab, "hub"))
    handed_in(lab, OUT, [("sendmail", TLS_REQUIRED[0])])
    assert soon(lambda: any(sessions(log(lab, "hub")[begun:], OUT.log_name)))


def returned(lab: Lab) -> str:
    return "\n".join(message.as_string() for message in mailboxes.messages(lab.name, "mail", "clerk"))


@pytest.mark.parametrize("way_out", ["", "[203.0.113.31]:25"], ids=["by MX", "by a smart host"])
def test_a_domain_in_disguise_is_refused_with_the_character_and_never_leaves(lab: Lab, way_out: str) -> None:
    lab.exec("mail", ["postconf", "-e", f"relayhost={way_out}"])
    lab.exec("mail", ["postfix", "reload"])
    answers = handed_in(lab, OUT, each_way(OUT, tuple(DISGUISED.values())))
    for character, letter in DISGUISED.items():
        [at_the_door] = [answer for name, how, answer in answers if (name, how) == (letter.name, "smtp")]
        assert "550" in at_the_door and f"{character} in it" in at_the_door, at_the_door
    assert soon(lambda: all(f"{character} in it" in " ".join(returned(lab).split()) for character in DISGUISED))
    assert not queued(lab, "mail") and not went_by_mx(lab)


def test_what_is_no_address_is_refused_at_the_door_and_returned_by_sendmail(lab: Lab) -> None:
    answers = handed_in(lab, OUT, each_way(OUT, REFUSED))
    assert not [answer for answer in answers if answer[1] == "smtp" and answer[2] == "taken"]
    by_sendmail = [letter for how, letter in each_way(OUT, REFUSED) if how == "sendmail"]
    assert soon(lambda: returned(lab).count("Final-Recipient:") >= len(by_sendmail))
    assert not queued(lab, "mail") and not went_by_mx(lab)


def test_nobody_seems_to_send_from_cjsm_by_writing_it_in_other_characters(lab: Lab) -> None:
    senders = [letter.recipients[0] for letter in DISGUISED.values() if letter.recipients]
    letters = [
        ("smtp", Letter(sender, sender=sender, recipients=(CLERK,), mail_options=" SMTPUTF8")) for sender in senders
    ]
    answers = handed_in(lab, INSIDE, letters)
    assert len(answers) == len(DISGUISED)
    assert not [answer for answer in answers if "Sender address rejected: " not in answer[2]]
    assert any("the domain has the character U+" in answer[2] for answer in answers)


def test_a_table_without_a_route_to_cjsm_still_asks_no_dns(lab: Lab) -> None:
    """The last line: the mail server's routes are gone, and what DNS says of CJSM is not followed."""
    lab.exec("mail", ["postconf", "-e", "transport_maps="])
    lab.exec("mail", ["postfix", "reload"])
    letters = (Letter("plain"), *DISGUISED.values())
    handed_in(lab, OUT, [("smtp", letter) for letter in letters])
    assert soon(lambda: queued(lab, "mail"))
    assert not went_by_mx(lab), log(lab, "mail")[-2000:]
