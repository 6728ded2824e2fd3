"""README's way to a first real connection, on a mail server that somebody else has set up and that people use.

Every command is README's own; what stands between them is what a person does: describe the organisation, answer the
certificate requests, declare what the plan says would close. What went on before must go on after, seen where it is
received.
"""

from __future__ import annotations

import imaplib
import json
import os
import re
import secrets
import shutil
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.lab import Lab, authority, existing, mailboxes
from cjsm_connect.lab.entry import CLONE, NETNS, controller
from cjsm_connect.lab.topology import namespace
from tests.conftest import NAME
from tests.operations import readme

pytestmark = pytest.mark.lab

MAIL, USER_ADDRESS = "192.0.2.10", "192.0.2.150"  # a workstation in the half of the LAN that is called users
CLERK, ADVOCATE, STRANGER = "clerk@council.example", "advocate@charity.example", "someone@internet.example"
SAID = {"WORD-FROM-THE-ENGINEER": "heron-7"}
OWN_CA = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3000 -subj '/CN=Inner CA' \\
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \\
    -keyout certificates/your-ca.key -out certificates/your-ca.pem
cp certificates/your-ca.pem hub/inner-ca.pem
"""


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, labs_of_its_own: None) -> Iterator[Lab]:
    """The estate before anybody has heard of us."""
    report = request.config.pluginmanager.getplugin("terminalreporter")
    made = Lab(f"{NAME}-existing", report.write_line if report else print)
    made.down()
    made.up(scenario="existing")
    yield made
    if not request.config.getoption("--keep"):
        made.down()


class Stranger:
    """Somebody with a clone, a terminal in the council's LAN, and README."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.clone, self.said = lab, folder / "a clone", {}
        left_out = shutil.ignore_patterns(".git", ".venv*", ".cjsm", "__pycache__")
        shutil.copytree(CLONE, self.clone, ignore=left_out)
        shutil.rmtree(self.clone / "inventories" / "lab")
        (self.clone / ".venv").symlink_to((CLONE / ".venv").resolve())
        self.organisation = self.clone / "inventories" / "council"

    def types(self, line: str, at: str = ".") -> subprocess.CompletedProcess[str]:
        """A command in a shell, without a terminal, inside the council's network."""
        for placeholder, meant in SAID.items():
            line = line.replace(placeholder, meant)
        assert not readme.PLACEHOLDER.search(line), f"README does not say what to put into {line!r}"
        inside = ["nsenter", f"--net={controller(self.lab.name)}", "sh", "-c", line]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CJSM", "PYTEST"))}
        secret = {"MAIL_SUDO_PASSWORD": existing.SUDO_PASSWORD, "CJSM_EVIDENCE_PASSPHRASE": "seven herons by the weir"}
        where = {"cwd": self.clone / at, "env": kept | secret}
        return subprocess.run(inside, capture_output=True, text=True, check=False, timeout=900, **where)  # type: ignore[call-overload,no-any-return]

    def describes(self) -> None:
        """Steps 2 and 4: the council, its own CA for the inner hop, and what the engineer has said of the hub."""
        given = self.lab.organisation_folder
        for name in ("hub", "ssh"):
            shutil.copytree(given / name, self.organisation / name, dirs_exist_ok=True)
        (self.organisation / "organisation.toml").write_text(described((given / "organisation.toml").read_text()))
        (self.organisation / "certificates").mkdir(exist_ok=True)
        subprocess.run(["sh", "-ec", OWN_CA], cwd=self.organisation, check=True, capture_output=True)

    def compares(self, line: str) -> None:
        """Step 3: the fingerprints that came over the network are those at the hosts' own consoles."""
        shown = {self.lab.exec(host, ["sh", "-c", line]).stdout.split()[1] for host in ("relay", "mail")}
        heard = self.types("ssh-keygen -lf inventories/council/known_hosts").stdout
        assert shown == set(re.findall(r"SHA256:\S+", heard)), (shown, heard)

    def declares(self, lines: str) -> None:
        """What the plan has printed, with a reason and an approver."""
        reasoned = lines.replace('reason = ""', 'reason = "Staff and printers"').replace(
            'approver = ""', 'approver = "Chris Technical"'
        )
        with (self.organisation / "organisation.toml").open("a") as file:
            file.write("\n" + reasoned + "\n")

    def answers(self, line: str) -> None:
        """Step 8: the operator's certificate for the hub; the council's own by README's command, for each host."""
        folder = self.organisation / "certificates"
        (folder / "relay.pem").write_text(authority.operator().sign_request((folder / "relay.csr").read_text()))
        for host in ("relay", "mail"):
            done = self.types(line.replace("relay-inner", f"{host}-inner"), at="inventories/council/certificates")
            assert done.returncode == 0, done.stderr


def described(text: str) -> str:
    """The council of the lab's file, with its own mail server, no firewall of ours, and two networks that touch."""
    start = text.index('[[hosts]]\nname = "firewall"')
    text = text[:start] + text[text.index('[[hosts]]\nname = "relay"') :]
    start = text.index("[[vantage]]")
    text = text[:start] + text[text.index("[hub]\n") :]
    text = text.replace('cidr = "192.0.2.0/24"', 'cidr = "192.0.2.0/25"')
    users = '[[estate.networks]]\nname = "users"\ncidr = "192.0.2.128/25"\nzone = "lan"\n\n'
    text = text.replace('[[estate.networks]]\nname = "dmz"', users + '[[estate.networks]]\nname = "dmz"')
    head, mail = text.split('[[hosts]]\nname = "mail"', 1)
    mail = mail.replace('mailboxes = "local" ', 'mailboxes = "existing" ', 1)
    asks = 'sudo = "password", sudo_password_ref = "env:MAIL_SUDO_PASSWORD"'
    return head + '[[hosts]]\nname = "mail"' + mail.replace('sudo = "passwordless"', asks, 1)


@pytest.fixture(scope="module")
def stranger(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    return Stranger(lab, tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def smarthost(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the provider has taken, a file a message."""
    folder = tmp_path_factory.mktemp("smarthost")
    script = Path(__file__).with_name("smarthost.py")
    address = lab.address("outside")
    arguments = [address, str(existing.SMARTHOST_PORT), *existing.SMARTHOST_LOGIN, str(folder)]
    inside = ["nsenter", f"--net={NETNS / namespace(lab.name, 'outside')}", sys.executable, str(script), *arguments]
    with subprocess.Popen(inside, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        yield folder
        process.terminate()


@pytest.fixture(scope="module", autouse=True)
def workstation(lab: Lab) -> None:
    """An address of the users' network on the administrator's cable."""
    inside = ["nsenter", f"--net={controller(lab.name)}"]
    subprocess.run([*inside, "ip", "address", "add", f"{USER_ADDRESS}/24", "dev", "lan"], check=True)


AT_WORK = """
import json, sys
from tests.operations import test_existing_lab as work
print(json.dumps(getattr(work, sys.argv[1])(*json.loads(sys.argv[2]))))
"""


def from_workstation(lab: Lab, function: str, *arguments: Any) -> Any:
    """What a program at the workstation answers: a process of its own, in the LAN's network."""
    argv = [sys.executable, "-c", AT_WORK, function, json.dumps(arguments)]
    inside = ["nsenter", f"--net={controller(lab.name)}", *argv]
    done = subprocess.run(inside, cwd=CLONE, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def unverified() -> ssl.SSLContext:
    """The server's certificate is Debian's snakeoil; that is its administrator's affair."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def subjects(port: int) -> list[str]:
    """The subjects in the clerk's inbox, read by IMAP: 993, or 143 with STARTTLS."""
    if port == 993:
        box: imaplib.IMAP4 = imaplib.IMAP4_SSL(MAIL, port, ssl_context=unverified(), timeout=20)
    else:
        box = imaplib.IMAP4(MAIL, port, timeout=20)
        box.starttls(unverified())
    with box:
        box.login(existing.USER, existing.PASSWORD)
        box.select("INBOX", readonly=True)
        _, [numbers] = box.search(None, "ALL")
        told = [box.fetch(number, "(BODY[HEADER])")[1][0][1] for number in numbers.decode().split()]  # type: ignore[index]
    return [str(message_from_bytes(header)["Subject"]) for header in told]


def submit(recipient: str, subject: str) -> bool:
    """The clerk's mail program: submission with a password, an office room in the header."""
    with smtplib.SMTP(MAIL, 587, source_address=(USER_ADDRESS, 0), timeout=20) as server:
        server.starttls(context=unverified())
        server.login(existing.USER, existing.PASSWORD)
        text = f"From: {CLERK}\nTo: {recipient}\nSubject: {subject}\nX-Office-Room: 4.21\n\nText\n"
        return not server.sendmail(CLERK, [recipient], text)


def print_by_mail(recipient: str, subject: str) -> bool:
    """A printer: port 25, no password."""
    with smtplib.SMTP(MAIL, 25, source_address=(USER_ADDRESS, 0), timeout=20) as server:
        text = f"From: printer@council.example\nTo: {recipient}\nSubject: {subject}\n\nText\n"
        return not server.sendmail("printer@council.example", [recipient], text)


def soon(look: Callable[[], bool], seconds: float = 90) -> bool:
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.5)
    return found


def token() -> str:
    return secrets.token_hex(8)


def in_the_inbox(lab: Lab, subject: str) -> bool:
    return soon(lambda: subject in from_workstation(lab, "subjects", 993))


def send(lab: Lab, host: str, sender: str, recipient: str) -> str:
    subject = token()
    text = f"From: {sender}\nTo: {recipient}\nSubject: {subject}\n\nText\n"
    mailboxes.send(lab.name, host, sender, [recipient], text)
    return subject


@contextmanager
def kept(folder: Path, subject: str) -> Iterator[str]:
    """The message of that subject as the smarthost took it."""

    def found() -> list[str]:
        return [text for file in folder.iterdir() if f"Subject: {subject}" in (text := file.read_text())]

    assert soon(lambda: bool(found())), f"{subject} did not reach the smarthost"
    yield found()[0]


def everyday(lab: Lab, smarthost: Path) -> None:
    """What the council's staff do all day, each seen where it arrives."""
    from_internet = send(lab, "outside", STRANGER, CLERK)
    printed, sent = token(), token()
    assert from_workstation(lab, "print_by_mail", "press@council.example", printed)
    assert from_workstation(lab, "submit", STRANGER, sent)
    assert in_the_inbox(lab, from_internet), "mail from the internet"
    assert in_the_inbox(lab, printed), "a printer's mail to a virtual alias"
    assert printed in from_workstation(lab, "subjects", 143), "IMAP with STARTTLS"
    with kept(smarthost, sent) as text:
        assert text.startswith(STRANGER), "mail to the internet by the smarthost"
        assert "X-Office-Room" not in text, "the header check"
    refused = send(lab, "outside", "blocked@internet.example", CLERK)
    assert soon(lambda: "we have asked you to stop" in mailboxes.log(lab.name, "outside"))
    assert refused not in from_workstation(lab, "subjects", 993)


def planned(stranger: Stranger) -> set[str]:
    """What would close, from the plan as a program reads it."""
    told = json.loads(stranger.types("./cjsm plan --org inventories/council --json").stdout)
    rows = [one for host in told["hosts"].values() for one in host["closing"]]
    return {f"{one['host']} {one['direction']} {one['port']}/{one['protocol']} {one['other']}" for one in rows}


def test_what_people_do_works_before(lab: Lab, smarthost: Path) -> None:
    everyday(lab, smarthost)


def test_readme_leads_to_a_connection(lab: Lab, stranger: Stranger) -> None:
    """The steps in their order; after each what a person does then."""
    told = readme.commands(stranger.clone / "README.md")
    apply = "./cjsm apply --org inventories/council"
    assert told.count(apply) == 1, told
    for line in told:
        if line.startswith("ssh-keygen -lf /etc"):
            stranger.compares(line)
            continue
        if line.startswith("openssl"):
            stranger.answers(line)
            line = apply  # noqa: PLW2901 - step 9: "and apply again"
        elif line == apply:
            refused_until_declared(lab, stranger)
        done = stranger.types(line)
        assert done.returncode in acceptable(line), f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        if line.startswith("cp "):
            stranger.describes()


def acceptable(line: str) -> tuple[int, ...]:
    """The exit codes that a person reads as "go on": findings of assess, application, plan and evidence are text."""
    text = line.startswith("./cjsm") and " apply " not in line
    return (0, 1) if text else (0,)


def refused_until_declared(lab: Lab, stranger: Stranger) -> None:
    """Step 6, read: the plan names what would close, apply refuses it, the printed lines keep it."""
    served = {f"mail in {port}/tcp dmz, lan, users" for port in (25, 143, 587, 993)}
    assert planned(stranger) == served | {"mail out 587/tcp outside.example"}
    refused = stranger.types("./cjsm apply --org inventories/council --yes")
    assert refused.returncode == 2 and "would close what is in use" in refused.stderr, refused.stderr
    assert lab.exec("mail", ["sh", "-c", "ls /etc/cjsm /etc/nftables.d 2>/dev/null"]).stdout == ""
    shown = stranger.types("./cjsm plan --org inventories/council").stdout
    blocks = re.findall(r"\[\[flows\]\]\n(?: +\w+ = .*\n?)+", shown)
    assert len(blocks) == 2, shown[-2000:]
    stranger.declares("\n".join(blocks))
    assert planned(stranger) == set()


def test_mail_goes_both_ways_over_cjsm(lab: Lab, smarthost: Path) -> None:
    out = token()
    assert from_workstation(lab, "submit", f"{ADVOCATE}.cjsm.net", out)
    back = send(lab, "hub", ADVOCATE, f"{CLERK}.cjsm.net")
    assert soon(lambda: any(one["Subject"] == out for one in mailboxes.messages(lab.name, "hub", "charity")))
    assert in_the_inbox(lab, back)
    assert not [file for file in smarthost.iterdir() if out in file.read_text()]
    assert not [one for one in mailboxes.messages(lab.name, "outside", "trap") if one["Subject"] == out]


def test_what_people_did_before_still_works(lab: Lab, smarthost: Path) -> None:
    everyday(lab, smarthost)


def test_a_second_apply_changes_nothing(stranger: Stranger) -> None:
    done = stranger.types("./cjsm apply --org inventories/council")
    assert done.stderr.startswith("Nothing to do") and "every host is as wanted" in done.stderr, done.stderr


SNAKEOIL = "/etc/ssl/private/ssl-cert-snakeoil.key, /etc/ssl/certs/ssl-cert-snakeoil.pem"
# what other administrators have in main.cf; each would stop, or take elsewhere, mail of a hop that did not refuse it
OTHERS = {
    "TLS and ways out of another making": [
        *(f"{side}_tls_{kind}_file=" for side in ("smtp", "smtpd") for kind in ("cert", "key")),
        *(f"{side}_tls_chain_files={SNAKEOIL}" for side in ("smtp", "smtpd")),
        "smtp_tls_policy_maps=static:none",
        "smtp_tls_security_level=none",
        "smtp_tls_wrappermode=yes",
        "smtp_discard_ehlo_keywords=starttls",
        "smtpd_discard_ehlo_keywords=starttls",
        "sender_dependent_default_transport_maps=static:smtp:[outside.example]:587",
        "smtp_bind_address=192.0.2.99",
        "smtp_sasl_password_maps=static:council:staple-battery",
    ],
    "everything closed or filtered": [
        "default_transport=error:closed",
        "relayhost=",
        "smtpd_client_restrictions=reject",
        "smtpd_helo_restrictions=reject",
        "smtpd_sender_restrictions=reject",
        "smtpd_recipient_restrictions=check_policy_service inet:127.0.0.1:10031",
        "smtpd_proxy_filter=127.0.0.1:10026",
        "smtpd_milters=inet:127.0.0.1:8891",
        "smtpd_upstream_proxy_protocol=haproxy",
        "smtpd_sasl_auth_enable=yes",
        "smtp_tls_trust_anchor_file=/etc/ssl/certs/ssl-cert-snakeoil.pem",
        "smtp_fallback_relay=[outside.example]:587",
        "soft_bounce=yes",
        "inet_interfaces=127.0.0.1, 192.0.2.10",
        "compatibility_level=3.9",
    ],
}


@pytest.fixture
def other_main_cf(lab: Lab) -> Iterator[Callable[[list[str]], None]]:
    """Give the mail server's main.cf these settings for one test; their own come back."""
    path, again = "/etc/postfix/main.cf", "touch -d '-5 seconds' /etc/postfix/main.cf; postfix reload"
    before = lab.exec("mail", ["cat", path]).stdout

    def change(settings: list[str]) -> None:
        lab.exec("mail", ["postconf", "-e", *settings])
        lab.exec("mail", ["sh", "-c", again])

    yield change
    lab.exec("mail", ["sh", "-c", f"cat > {path}; {again}; postfix flush"], input=before)


@pytest.mark.parametrize("what", OTHERS)
def test_whatever_else_stands_in_their_main_cf_cjsm_mail_goes_its_way(
    lab: Lab, other_main_cf: Callable[[list[str]], None], what: str
) -> None:
    other_main_cf(OTHERS[what])
    out = send(lab, "mail", CLERK, f"{ADVOCATE}.cjsm.net")
    back = send(lab, "hub", ADVOCATE, f"{CLERK}.cjsm.net")
    assert soon(lambda: any(one["Subject"] == out for one in mailboxes.messages(lab.name, "hub", "charity")))
    assert in_the_inbox(lab, back)
    assert not [one for one in mailboxes.messages(lab.name, "outside", "trap") if one["Subject"] == out]


def test_what_nobody_declared_is_closed(lab: Lab) -> None:
    """The rules are real: the same machine may use IMAP and not a port that nobody serves for the LAN."""
    rules = lab.exec("mail", ["nft", "list", "table", "inet", "cjsm"]).stdout
    assert "policy drop" in rules and "dport { 25, 143, 587, 993 }" in rules


def test_their_configuration_is_theirs_and_postfix_warns_of_nothing_new(lab: Lab) -> None:
    for name in ("relayhost", "header_checks", "virtual_alias_maps", "smtpd_tls_cert_file", "smtp_bind_address"):
        now = lab.exec("mail", ["postconf", "-h", name]).stdout.strip()
        assert re.search(rf"^{name} *= *{re.escape(now)}$", dict(existing.files())["etc/postfix/main.cf"], re.MULTILINE)
    log = lab.exec(
        "mail", ["journalctl", "-q", "--no-pager", "-t", "postfix/smtpd", "-t", "postfix/cjsm-inner-listener"]
    )
    assert "legacy" not in log.stdout
    assert "are both" not in lab.exec("mail", ["sh", "-c", "cat /var/log/mail.log"]).stdout
