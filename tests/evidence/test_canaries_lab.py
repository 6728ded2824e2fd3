"""Secrets are never there in the first place: canaries wherever a host or the controller may keep one, searched for in
everything that this tool prints, keeps or sends."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.evidence import archive

pytestmark = [pytest.mark.lab, pytest.mark.touches("relay", "mail", "firewall")]

HOSTS = ("relay", "mail", "firewall")
# {} is the canary. What programs read is appended as something that changes nothing, or as a comment.
PLANTED = {
    "etc/shadow": "canary:{}:20000:0:99999:7:::\n",
    "etc/postfix/sasl_passwd": "[smtp.example]:587 council:{}\n",
    "etc/postfix/ldap.cf": "bind_pw = {}\n",
    "etc/apt/auth.conf": "machine mirror.example login council password {}\n",
    "etc/apt/auth.conf.d/90canary.conf": "machine mirror.example login council password {}\n",
    "etc/apt/apt.conf.d/95canary": 'Acquire::http::Proxy::canary.example "http://council:{}@proxy.example:3128";\n',
    "etc/apt/sources.list.d/canary.list": "# deb https://council:{}@mirror.example/debian trixie main\n",
    "etc/environment": "http_proxy_canary=http://council:{}@proxy.example:3128\n",
    "root/.netrc": "machine mirror.example login council password {}\n",
    "root/.ssh/id_canary": "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
    "root/.bash_history": "mysql -p{}\n",
    "etc/chrony/chrony.keys": "99 SHA1 HEX:{}\n",
    "etc/sudoers.d/zz-canary": "# password {}\n",
    "etc/rsyslog.d/90-canary.conf": '# action(type="ommysql" uid="log" pwd="{}")\n',
    "etc/logrotate.d/canary": "# mail secret={}\n",
    "etc/clamav/canary.conf": "HTTPProxyPassword {}\n",
    "etc/clamav/freshclam.conf": "#HTTPProxyPassword {}\n",
    "etc/needrestart/conf.d/90-canary.conf": "# password: {}\n",
    "etc/ssl/private/canary.key": "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
}
KEYS = ("etc/cjsm/tls/*.key", "etc/ssh/ssh_host_*_key")
COMMANDS = (
    ("check", "--json"),
    ("status", "--json"),
    ("plan",),
    ("plan", "--json"),
    ("apply", "--yes"),
    ("history", "--json"),
    ("status",),
)


@pytest.fixture
def canaries(lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """{where it is: the secret}, after all of them were planted on hosts and controller."""
    found: dict[str, bytes] = {}
    for host in HOSTS:
        for path, line in PLANTED.items():
            found[f"{host} {path}"] = _plant(Path(lab.root(host)) / path, line)
        for pattern in KEYS:
            for key in sorted(Path(lab.root(host)).glob(pattern)):
                found[f"{host} {key.name}"] = _body(key.read_bytes())
    found["controller .netrc"] = _plant(tmp_path / ".netrc", "machine mirror.example login council password {}\n")
    for name in ("CJSM_HUB_PASSWORD", "HTTP_PROXY_PASSWORD", "AWS_SECRET_ACCESS_KEY"):
        found[f"controller {name}"] = _new()
        monkeypatch.setenv(name, found[f"controller {name}"].decode())
    for key in sorted((lab.organisation_folder / "ssh").iterdir()):
        if b"PRIVATE KEY" in (content := key.read_bytes()):
            found[f"controller {key.name}"] = _body(content)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    return found


def _new() -> bytes:
    return secrets.token_hex(16).encode()


def _plant(path: Path, line: str) -> bytes:
    canary = _new()
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a") as file:
        file.write(line.format(canary.decode()))
    if new:
        path.chmod(0o600)
    return canary


def _body(pem: bytes) -> bytes:
    """What is inside a private key, as bytes."""
    return base64.b64decode(b"".join(line for line in pem.splitlines() if b"-----" not in line))


def forms(secret: bytes) -> Iterator[bytes]:
    """A secret in plain, base64 (at each of three places in a longer text) and hex; of a key any 48 bytes in a row."""
    pieces = (
        [secret]
        if len(secret) <= 64
        else [secret[at : at + 48] for at in range(len(secret) // 2, len(secret) - 48, 48)]
    )
    for piece in pieces:
        yield from (piece, piece.hex().encode(), piece.hex().upper().encode(), piece.hex(":").encode())
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + piece)
            yield coded[4 if shift else 0 : -4]


def leaks(canaries: dict[str, bytes], said: dict[str, bytes]) -> set[tuple[str, str]]:
    """Which secret is in which text; of a base64 text that runs over lines, in its joined form too."""
    return {
        (where, name)
        for name, content in said.items()
        for joined in (content, re.sub(rb"\\n|\s", b"", content))
        for where, secret in canaries.items()
        if any(form in joined for form in forms(secret))
    }


def test_no_canary_is_in_anything_that_is_printed_kept_or_sent(
    lab: Any, cjsm: Any, canaries: dict[str, bytes], tmp_path: Path
) -> None:
    said: dict[str, bytes] = {}
    record, junit = tmp_path / "seen.json", tmp_path / "results.xml"
    for words in (("check", "--record", str(record), "--junit", str(junit)), *COMMANDS):
        done = cjsm(*words)
        said[" ".join(words)] = (done.stdout + done.stderr).encode()
        assert "Traceback" not in done.stderr
    said |= {"--record": record.read_bytes(), "--junit": junit.read_bytes()}
    told = json.loads(cjsm("evidence", "--json", "--redact").stdout)
    key = lab.organisation_folder / "evidence-key"
    canaries["evidence key"] = _body((key / "key.pem").read_bytes())
    canaries["its passphrase"] = (key / "passphrase").read_bytes().strip()
    for bundle in (Path(told["bundle"]), Path(told["bundle"].replace(".tar", "-redacted.tar"))):
        said |= {f"{bundle.name} {name}": content for name, content in archive.unpack(bundle.read_bytes()).items()}
        bundle.unlink()
    for file in (path for path in lab.organisation_folder.rglob("*") if path.is_file() and ".cjsm" in path.parts):
        said[f"kept {file.name}"] = file.read_bytes()

    assert len(canaries) > 60 and len(said) > 30
    assert not leaks(canaries, said)
    shown = b"\n".join(content for name, content in said.items() if "configuration/" in name)
    assert shown.count(b"(redacted)") >= 10  # the places were really looked at
    assert os.environ["CJSM_HUB_PASSWORD"]
    control = {
        "plain": b"x" + canaries["relay etc/shadow"],
        "coded": base64.b64encode(b"ab" + canaries["mail etc/shadow"]),
    }
    assert {where for where, _ in leaks(canaries, control)} == {"relay etc/shadow", "mail etc/shadow"}
