"""A hub with a new key loses nothing: asserted in the hub's own queue, in the mailbox and in what status says."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cjsm_connect.lab import authority, mailboxes
from tests.deploys.test_mail_lab import OURS, THEIRS, message, subjects, until

pytestmark = pytest.mark.lab

NAME = "hub-client.cjsm.example"
FOLDER = "etc/cjsm-hub"


@pytest.fixture
def hub(lab):
    """The simulated hub, which behaves again after the test."""
    yield lab.hub
    lab.hub.behave()


def keyed():
    """A new key (PEM) and a request for the hub's own name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    names = x509.SubjectAlternativeName([x509.DNSName(NAME)])
    request = x509.CertificateSigningRequestBuilder(subject).add_extension(names, False).sign(key, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode(), request.public_bytes(serialization.Encoding.PEM).decode()


def renew(lab, chain, key):
    """The hub shows another certificate from now on."""
    folder = lab.root("hub") / FOLDER
    (folder / "renewed.pem").write_text(chain)
    (folder / "renewed.key").touch(0o600)
    (folder / "renewed.key").write_text(key)


def sent(lab, subject):
    """Hand in a message at the hub; what the hub's log says of its first attempt."""
    recipient = f"{OURS}.cjsm.net"
    mailboxes.send(lab.name, "hub", THEIRS, [recipient], message(THEIRS, recipient, subject))
    fates = until(
        lambda: [row for row in mailboxes.log(lab.name, "hub").splitlines() if "cjsm-out" in row and "status=" in row]
    )
    return fates[-1] if fates else "no attempt"


@pytest.mark.touches("mail", "relay", "hub")
def test_mail_of_a_hub_with_a_new_key_waits_is_named_and_arrives_when_the_key_is_declared(lab, hub, cjsm):
    key, request = keyed()
    chain = authority.operator().sign_request(request)
    renew(lab, chain, key)
    hub.configure(client_certificate="renewed")
    fate = sent(lab, "from the renewed hub")
    assert "status=deferred" in fate and "450 4.7.1" in fate, "a bounce would lose the message"
    renewed = authority.fingerprint(chain)
    told = cjsm("status")
    said = " ".join(told.stdout.split())
    assert renewed in said
    assert "Ask the CJSM helpdesk by telephone" in said
    assert told.returncode == 1
    row = json.loads(cjsm("status", "--json").stdout)["hosts"]["relay"]["unknown_keys"][0]
    assert row["key"] == renewed and row["name"] == NAME and row["first"] <= row["last"]
    known = lab.organisation_folder / "hub" / "fingerprints.txt"
    before = known.read_text()
    try:
        known.write_text(f"{before}\n{renewed}\n")
        assert cjsm("apply", "--yes").returncode == 0
        lab.exec("hub", ["postqueue", "-f"])
        assert until(lambda: "from the renewed hub" in subjects(lab, "mail", "clerk"), 30)
        assert renewed not in cjsm("status").stdout
    finally:
        known.write_text(before)


def expired(request):
    return authority.operator().sign_wrongly(request, starts=-60, days=30)


def of_another_ca_with_the_same_name(request):
    asked = x509.load_pem_x509_csr(request.encode())
    issuer = authority.operator().issuing.subject
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer, asked.subject, asked.public_key(), 7, now - timedelta(1), now + timedelta(9)
    )
    return authority.pem(builder.sign(key, hashes.SHA256())) + authority.pem(authority.operator().issuing)


def of_the_inner_ca(request):
    return authority.inner().sign_request(request)


@pytest.mark.touches("mail", "relay", "hub")
@pytest.mark.parametrize("certify", [expired, of_another_ca_with_the_same_name, of_the_inner_ca])
def test_a_certificate_of_which_more_than_the_key_is_wrong_is_refused_before_any_mail(lab, hub, cjsm, certify):
    key, request = keyed()
    renew(lab, certify(request), key)
    hub.configure(client_certificate="renewed")
    fate = sent(lab, "not the hub")
    assert "status=sent" not in fate and "450 4.7.1" not in fate
    assert "Client certificate not trusted" in fate
    assert "is not in hub.fingerprints" not in cjsm("status").stdout, "nobody may be asked to declare this key"


@pytest.mark.touches("mail", "relay", "hub", "firewall")
def test_a_new_key_from_another_address_is_refused_for_good(lab, hub, cjsm):
    key, request = keyed()
    renew(lab, authority.operator().sign_request(request), key)
    hub.configure(client_certificate="renewed", source="203.0.113.22")
    lab.exec("firewall", ["nft", "insert", "rule", "inet", "cjsm", "forward", "accept"])
    lab.exec("relay", ["nft", "insert", "rule", "inet", "cjsm", "input", "accept"])
    fate = sent(lab, "from elsewhere")
    assert "status=bounced" in fate and " 554 5.7.1 " in fate
    assert "is not in hub.fingerprints" not in cjsm("status").stdout
