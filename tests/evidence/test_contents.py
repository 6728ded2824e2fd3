"""What is in a bundle: the same for the same run, readable, without secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.evidence import STATEMENT, EvidenceError, bundle, contents, guard, host_keys
from cjsm_connect.evidence.certificates import certificates
from cjsm_connect.evidence.statement import read
from cjsm_connect.results import Status, WaiverEntry
from tests.evidence.samples import HOST_KEY, NOW, material, observation, packed, result, run, signed
from tests.made_up import authority, organisation


def test_the_same_run_gives_the_same_bytes() -> None:
    assert packed(material().files) == packed(material().files)


def test_results_are_as_check_shows_them() -> None:
    shown = json.loads(material(run(result("tls.inner", Status.FAIL))).files["results.json"])
    assert shown["totals"]["fail"] == 1
    assert shown["results"][0]["expected"] == "what should be"
    assert shown["run"]["complete"] is True and shown["run"]["exit_code"] == 1


def test_the_effective_configuration_of_each_host_is_one_readable_text() -> None:
    text = material().files["configuration/relay.txt"].decode()
    assert text.endswith("##### postconf -n\nrelayhost =\nmyhostname = relay.council.example\n")


def test_certificates_are_found_wherever_a_probe_put_them() -> None:
    seen = {"hosts": {"relay": {"facts": {"tls": {"served": [authority()]}}}}, "tries": {"t": {"chain": authority()}}}
    [found] = certificates(seen)
    assert found["subject"] == "CN=Made-up CA"
    assert found["not_after"] == "2035-12-30T00:00:00Z"
    assert found["seen"] == ["hosts relay facts tls served 0", "tries t chain"]


def test_a_certificate_that_cannot_be_read_is_kept_and_said_so() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    [found] = certificates({"x": broken})
    assert found["subject"].startswith("cannot be read") and found["pem"].strip() == broken


def test_host_keys_are_fingerprints_as_ssh_keygen_prints_them() -> None:
    lines = (
        f"# ours\nrelay.council.example ssh-ed25519 {HOST_KEY} comment\n@revoked mail ssh-rsa {HOST_KEY}\nbroken line\n"
    )
    first, second = host_keys.fingerprints(lines)
    assert first["marker"] == "@revoked" and first["hosts"] == "mail"
    assert second["fingerprint"].startswith("SHA256:") and not second["fingerprint"].endswith("=")


def test_the_organisation_is_told_without_places_of_keys_and_secrets() -> None:
    hub = {"auth": {"user": "council", "password_ref": "env:CJSM_HUB_PASSWORD"}}
    told = contents.gather(run(), observation(), organisation(hub=hub)).files["organisation.json"].decode()
    assert json.loads(told)["hub"]["auth"] == {"user": "council"}
    for private in ("id_ed25519", "CJSM_HUB_PASSWORD", "/organisation"):
        assert private not in told


def test_the_domain_list_is_one_a_line() -> None:
    assert material().files["domains.txt"] == b"council.example\nlicensing.council.example\n"


def test_bytes_that_are_no_text_do_not_stop_a_bundle() -> None:
    strange = observation(mail={"banner": b"220 \xff\xfe".decode("utf-8", "surrogateescape")})
    text = contents.gather(run(), strange, organisation()).files["observations.json"]
    assert json.loads(text)["hosts"]["relay"]["facts"]["mail"]["banner"] == "220 \udcff\udcfe"


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "])
def test_a_private_key_stops_the_signing(kind: str) -> None:
    leaking = observation(tls={"file": f"-----BEGIN {kind}PRIVATE KEY-----\nMII"})
    with pytest.raises(EvidenceError, match=r"nothing was signed: observations.json holds a private key"):
        guard.refuse_secrets(material(seen=leaking).files, {})


@pytest.mark.parametrize("secret", ["correct horse", 'quoted " and \\', "<angle> & é"])
@pytest.mark.parametrize("form", ["plain", "base64"])
def test_the_value_of_a_secret_stops_the_signing_and_is_not_printed(secret: str, form: str) -> None:
    written = secret if form == "plain" else base64.b64encode(secret.encode()).decode()
    leaking = observation(configuration={"configuration": {"sasl": f"hub {written} end"}})
    with pytest.raises(EvidenceError) as told:
        guard.refuse_secrets(material(seen=leaking).files, {"env:HUB": secret})
    assert "observations.json holds the secret env:HUB" in str(told.value)
    assert "configuration/relay.txt holds the secret env:HUB" in str(told.value)
    assert secret not in str(told.value)


def test_a_short_secret_is_looked_for_as_a_word() -> None:
    guard.refuse_secrets({"results.json": b"not_tested"}, {"env:S": "test"})
    with pytest.raises(EvidenceError):
        guard.refuse_secrets({"results.json": b"password=test;"}, {"env:S": "test"})


def test_nothing_secret_stops_nothing() -> None:
    guard.refuse_secrets(material().files, {"env:EMPTY": "", "env:OTHER": "not in there"})


def test_a_bundle_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evidence" / "evidence-x.tar"
    monkeypatch.setattr("os.link", _full_disk)
    with pytest.raises(EvidenceError, match=r"could not be written: .*No space left"):
        bundle.write(path, {"a": b""}, NOW)
    assert list(path.parent.iterdir()) == []


def _full_disk(*_paths: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_bundle_never_replaces_another(tmp_path: Path) -> None:
    path = tmp_path / "evidence" / "evidence-x.tar"
    bundle.write(path, {"a": b"first"}, NOW)
    before = path.read_bytes()
    with pytest.raises(EvidenceError, match="is there already"):
        bundle.write(path, {"a": b"second"}, NOW)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_bundle_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "evidence").symlink_to(tmp_path)
    with pytest.raises(EvidenceError, match="is a symbolic link"):
        bundle.write(tmp_path / "evidence" / "evidence-x.tar", {"a": b""}, NOW)


def test_the_file_name_tells_whose_and_when() -> None:
    assert bundle.file_name("exampleshire-council", NOW) == "evidence-exampleshire-council-20261121T120000Z.tar"


def _told(name: str) -> Any:
    content = material(run(waivers=(WAIVER,))).files[name].decode()
    return json.loads(content) if name.endswith(".json") else content


WAIVER = WaiverEntry("tls.inner", "old hub", "Robin", "small", "2026-11-01", "2026-12-01", "in force", 1)

CONTENTS: dict[str, Callable[[], Any]] = {
    "manifest": lambda: read(signed()[STATEMENT]).digests["results.json"],
    "results": lambda: _told("results.json")["results"][0]["status"] == "pass",
    "observations": lambda: _told("observations.json")["hosts"]["relay"]["facts"],
    "effective configuration": lambda: "relayhost =" in _told("configuration/relay.txt"),
    "certificates": lambda: "BEGIN CERTIFICATE" in _told("certificates.pem"),
    "chains": lambda: _told("certificates.json")[0]["chain"] == [],
    "transcript outbound": lambda: "from relay to 203.0.113.20 port 4545" in _told("transcripts/outbound.txt"),
    "transcript inbound": lambda: "from hub to 198.51.100.10 port 4545" in _told("transcripts/inbound.txt"),
    "domain list": lambda: _told("domains.txt").startswith("council.example"),
    "its digest": lambda: (
        read(signed()[STATEMENT]).digests["domains.txt"] == sha256(_told("domains.txt").encode()).hexdigest()
    ),
    "host keys": lambda: _host_keys()[0]["fingerprint"].startswith("SHA256:"),
    "package versions": lambda: _told("versions.json")["hosts"]["relay"]["packages"]["postfix"],
    "firewall rules": lambda: _told("firewall/relay.nft") == "table inet cjsm { }",
    "declarations": lambda: {"id", "statement", "date", "owner"} <= _told("declarations.json")[0].keys(),
    "waivers": lambda: _told("waivers.json")["waivers"][0]["state"] == "in force",
    "catalogue version": lambda: read(signed()[STATEMENT]).predicate.catalogue_version == "1.0123456789ab",
    "tool version": lambda: read(signed()[STATEMENT]).predicate.tool_version == "0.1.0",
    "generation digest": lambda: _told("versions.json")["hosts"]["relay"]["generation"]["manifest_sha256"] == "cd" * 32,
    "start": lambda: read(signed()[STATEMENT]).predicate.started == "2026-11-21T11:59:45+00:00",
    "end": lambda: read(signed()[STATEMENT]).predicate.ended == "2026-11-21T11:59:58+00:00",
    "vantage of each try": lambda: all(one["at"] for one in _told("observations.json")["tries"].values()),
    "vantage of each result": lambda: all(one["vantage"] for one in _told("results.json")["results"]),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_a_bundle_holds(what: str) -> None:
    assert CONTENTS[what]()


def _host_keys() -> Any:
    known = {"files": {"known_hosts": f"relay.council.example ssh-ed25519 {HOST_KEY}\n"}}
    made = organisation().model_copy(update=known)
    return json.loads(contents.gather(run(), observation(), made).files["host_keys.json"])


def test_a_host_that_could_not_be_asked_says_why_its_firewall_is_not_shown() -> None:
    seen = {"hosts": {"relay": {"facts": {}, "unreachable": "no route"}}}
    assert contents.gather(run(), seen, organisation()).files["firewall/relay.nft"] == b"# not seen: no route\n"
