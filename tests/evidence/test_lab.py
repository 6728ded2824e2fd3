"""Evidence of real hosts: nothing private in it, the configuration that runs, and openssl agrees."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.evidence import archive

pytestmark = pytest.mark.lab


COMMAND = (  # as README.txt of each bundle has it
    "openssl cms -verify -binary -inform DER -in statement.cms -content statement.json "
    "-CAfile evidence.pub -out /dev/null"
)


@pytest.fixture
def told(lab: Any, cjsm: Any) -> Iterator[dict[str, Any]]:
    """What `cjsm evidence --json` said; its bundle is taken away afterwards."""
    done = cjsm("evidence", "--json", "--nonce", "lab-tier")
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    assert done.returncode == said["exit_code"]
    yield said
    Path(said["bundle"]).unlink()


def test_evidence_of_the_lab_is_genuine_and_holds_no_private_key(
    lab: Any, cjsm: Any, told: dict[str, Any], tmp_path: Path
) -> None:
    public = lab.organisation_folder / "evidence.pub"
    seen = cjsm("verify", told["bundle"], "--key", str(public), "--nonce", "lab-tier")
    assert seen.returncode == 0, seen.stdout
    assert f"laboratory     {told['laboratory']} (says nothing" in seen.stdout

    files = archive.unpack(Path(told["bundle"]).read_bytes())
    for host, key in (("relay", "hub"), ("relay", "inner"), ("mail", "inner")):
        secret = lab.exec(host, ["cat", f"/etc/cjsm/tls/{key}.key"]).stdout.splitlines()[2]
        assert len(secret) == 64
        assert not [name for name, content in files.items() if secret.encode() in content]

    relay = files["configuration/relay.txt"].decode()
    assert lab.exec("relay", ["postconf", "-n"]).stdout.strip() in relay
    assert "relay.council.example" in files["certificates.json"].decode()

    here = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    there = lab.exec("outside", ["openssl", "version"]).stdout
    assert there.startswith("OpenSSL 3.5."), f"Debian 13's, beside {here.strip()} of this machine"
    (place := Path(lab.root("outside")) / "root/evidence").mkdir(exist_ok=True)
    for folder in (tmp_path, place):
        for name in ("statement.json", "statement.cms"):
            (folder / name).write_bytes(files[name])
        (folder / "evidence.pub").write_bytes(public.read_bytes())
    subprocess.run(COMMAND.split(), cwd=tmp_path, check=True, capture_output=True)
    assert lab.exec("outside", ["env", "-C", "/root/evidence", *COMMAND.split()]).returncode == 0
    (place / "statement.json").write_bytes(files["statement.json"].replace(b"cjsm-connect", b"cjsm-c0nnect", 1))
    assert lab.exec("outside", ["env", "-C", "/root/evidence", *COMMAND.split()]).returncode != 0
