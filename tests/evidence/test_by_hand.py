"""The documented way without this tool, and this tool, come to the same verdict about every bundle."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cjsm_connect.bench import hostile
from cjsm_connect.evidence import CMS, DSSE, STATEMENT, bundle, keys
from cjsm_connect.evidence.verification import Reader, verify
from tests.evidence.samples import NOW, genuine, key, other_key, packed, signed
from tests.evidence.test_verification import certificate

TOOLS = ("openssl", "jq", "tar", "sha256sum", "cmp", "sh")
DOCS = Path(__file__).parents[2] / "docs" / "evidence.md"
PUBLIC = keys.certificate_text(key().certificate, "Exampleshire Council")

pytestmark = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")


def lines() -> list[str]:
    """The documented commands, a line each."""
    joined = bundle.BY_HAND.replace("\\\n", " ").replace("|\n", "| ")
    return [line.strip() for line in joined.splitlines()]


def by_hand(data: bytes, folder: Path, public: bytes = PUBLIC) -> bool:
    """Does each line succeed? At the moment for which the samples are made."""
    (folder / "evidence").mkdir()
    (folder / "BUNDLE.tar").write_bytes(data)
    (folder / "evidence" / "evidence.pub").write_bytes(public)
    moment = str(int(NOW.timestamp()))
    script = ["set -e", "tar -xf ../BUNDLE.tar --warning=no-timestamp"]
    for line in lines():
        text = line.replace(" BUNDLE.tar", " ../BUNDLE.tar").replace(
            "<= now and now <=", f"<= {moment} and {moment} <="
        )
        script.append(text.replace("openssl cms", f"openssl cms -attime {moment}"))
    command = [
        "bash",
        "-o",
        "pipefail",
        "-c",
        "\n".join(script).replace("; ls statement", "; ls 2>/dev/null statement"),
    ]
    command[-1] = command[-1].replace("statement.tsr; }", "statement.tsr || true; }")
    return subprocess.run(command, cwd=folder / "evidence", capture_output=True, check=False).returncode == 0


def ours(data: bytes, public: bytes = PUBLIC) -> bool:
    return verify(data, keys.public_key(public, "evidence.pub"), None, NOW, Reader.of(public)).genuine


def otherwise() -> Iterator[tuple[str, bytes]]:
    """Well-formed archives with something else in them than was signed."""
    files = signed()
    yield "an extra file", packed(files | {"more.txt": b"trust me"})
    yield "an extra file with the name of a signature", packed(files | {"statement.txt": b"trust me"})
    yield "a missing file", packed({name: data for name, data in files.items() if name != "domains.txt"})
    yield "another file", packed(files | {"domains.txt": b"other.example\n"})
    yield "another statement", packed(files | {STATEMENT: signed(nonce="x")[STATEMENT]})
    yield "another CMS signature", packed(files | {CMS: signed(nonce="x")[CMS]})
    yield "another DSSE signature", packed(files | {DSSE: signed(nonce="x")[DSSE]})
    yield "another key", packed(signed(by=other_key()))
    yield "two that differ in capitals", _one_name_in_capitals(genuine())


def _one_name_in_capitals(data: bytes) -> bytes:
    return data.replace(b"domains.txt\0", b"Domains.txt\0", 1)


HOSTILE = {name: data for name, (data, _) in hostile.archives(genuine()).items() if len(data) < 2**20} | dict(
    otherwise()
)


def test_the_documented_way_accepts_a_genuine_bundle(tmp_path: Path) -> None:
    assert by_hand(genuine(), tmp_path)
    assert ours(genuine())
    assert bundle.BY_HAND in DOCS.read_text() and bundle.BY_HAND in bundle.README


@pytest.mark.parametrize("name", HOSTILE)
def test_both_ways_refuse_what_an_enemy_would_make(name: str, tmp_path: Path) -> None:
    assert not ours(HOSTILE[name])
    assert not by_hand(HOSTILE[name], tmp_path)


@pytest.mark.parametrize("days", [-1, 31])
def test_both_ways_refuse_what_is_not_valid_now(days: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.evidence.test_by_hand.NOW", NOW + timedelta(days=days))
    assert not ours(genuine())
    assert not by_hand(genuine(), tmp_path)


@pytest.mark.parametrize("changes", [{"end": NOW - timedelta(seconds=1)}, {"start": NOW + timedelta(minutes=1)}, {}])
def test_both_ways_say_the_same_of_a_certificate_in_and_out_of_date(
    changes: dict[str, datetime], tmp_path: Path
) -> None:
    by = certificate(**changes)
    public = keys.certificate_text(by.certificate, "Exampleshire Council")
    data = packed(signed(by=by))
    assert ours(data, public) is by_hand(data, tmp_path, public) is (not changes)


def test_both_ways_refuse_another_certificate_of_the_same_key(tmp_path: Path) -> None:
    public = keys.certificate_text(certificate().certificate, "Exampleshire Council")
    assert not ours(genuine(), public)
    assert not by_hand(genuine(), tmp_path, public)
