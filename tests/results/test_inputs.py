"""What is given to us is a regular file of a stated size, read once; all else is one sentence at once."""

from __future__ import annotations

import ast
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cjsm_connect.application import pack
from cjsm_connect.engineer import campaign, criteria, targets
from cjsm_connect.evidence import keys, read_file
from cjsm_connect.organisation import OrganisationError, load, secret
from cjsm_connect.organisation.access import ahead
from cjsm_connect.organisation.references import pem_blocks
from cjsm_connect.probes import recording
from cjsm_connect.results import CjsmError
from cjsm_connect.results.catalogue import load as catalogue
from cjsm_connect.results.inputs import DEEPEST, INPUTS, KEY, Input, Unreadable, read, text, toml
from cjsm_connect.verbs import _evidence_key, _last, _observed, _timestamp
from tests.evidence import samples
from tests.made_up import ROOT

SMALL = Input("a small thing", 16)
REQUIREMENTS = catalogue(ROOT / "checks/requirements.toml")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's name may have about 100 bytes (unix(7))
        try:
            listener.bind(path.name)
        finally:
            os.chdir(here)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def circle(path: Path) -> None:
    path.symlink_to(path)


NOT_FILES: dict[str, Callable[[Path], None]] = {
    "a named pipe": pipe,
    "a link to /dev/zero": endless,
    "a folder": folder,
    "a socket": listening,
    "a file of a terabyte": huge,
    "a link to itself": circle,
}


@pytest.fixture(params=NOT_FILES)
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "it"
    NOT_FILES[request.param](path)
    return path


def test_what_is_no_regular_file_is_refused_at_once(no_file: Path) -> None:
    with pytest.raises(Unreadable, match="expected a small thing, in a regular file of at most 0 KiB") as refused:
        read(no_file, SMALL)
    assert not refused.value.missing
    assert len(str(refused.value).splitlines()) == 1


def test_a_file_may_be_as_large_as_is_stated_and_no_larger(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"x" * 16)
    assert read(tmp_path / "it", SMALL) == b"x" * 16
    (tmp_path / "it").write_bytes(b"x" * 17)
    with pytest.raises(Unreadable, match="too large a file"):
        read(tmp_path / "it", SMALL)


def test_a_file_without_a_size_is_read_up_to_the_limit() -> None:
    with pytest.raises(Unreadable, match="too large a file"):
        read(Path("/proc/self/environ" if len(os.environ) > 1 else "/proc/self/maps"), SMALL)


@pytest.mark.parametrize("name", ["none", "none/none", "it/none", "a\0b", "x" * 5000])
def test_what_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "it").touch()
    with pytest.raises(Unreadable, match="cannot be read"):
        read(tmp_path / name, SMALL)


def test_what_is_not_utf8_is_told_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"ab\xff")
    with pytest.raises(Unreadable, match="byte 2 is not UTF-8"):
        text(tmp_path / "it", SMALL)
    (tmp_path / "it").write_bytes(b"\xef\xbb\xbfab")
    assert text(tmp_path / "it", SMALL) == "ab"


PLACES: dict[str, Callable[[Path], object]] = {
    "targets": targets.load,
    "criteria": lambda path: criteria.load(path, REQUIREMENTS),
    "answers of a probe": lambda path: campaign.left([targets.parse("mail.council.example")], path),
    "an observation": recording.read,
    "earlier results": lambda path: _last.earlier(str(path), path.parent),
    "a bundle or a key": lambda path: read_file(path, KEY),
    "a bundle of one's own": lambda path: _observed.of_bundle(path, with_key(path.parent), samples.NOW),
    "a timestamp authority": lambda path: _timestamp.Stamping.of(None, path),
    "a passphrase": lambda path: _evidence_key.passphrase(path, new=True),
    "a secret": lambda path: secret(f"file:{path}", path.parent, {}),
    "an organisation": load,
}


def with_key(place: Path) -> Path:
    (place / keys.PUBLIC).write_bytes(b"never read")
    return place


@pytest.mark.parametrize("name", PLACES)
def test_nothing_that_is_given_on_the_command_line_makes_us_wait(no_file: Path, name: str) -> None:
    with pytest.raises(CjsmError) as refused:
        PLACES[name](no_file)
    assert len(str(refused.value)) < 1000


def test_the_last_pack_and_the_last_check_are_files_too(tmp_path: Path) -> None:
    for place, name, reader in (
        (tmp_path, pack.USERS, lambda: pack.earlier(tmp_path)),
        (tmp_path / ".cjsm", _last.FILE, lambda: _last.last(tmp_path)),
    ):
        place.mkdir(exist_ok=True)
        pipe(place / name)
        with pytest.raises(CjsmError, match="a named pipe"):
            reader()


@pytest.fixture
def council(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "inventories/example", tmp_path / "a council"))


ITS_FILES = ("organisation.toml", "domains.txt", "hub/ca.pem", "hub/fingerprints.txt", "hub/inner-ca.pem")
BESIDE = ("certificates/relay.pem", "ssh_config", "known_hosts")


@pytest.mark.parametrize("kind", NOT_FILES)
@pytest.mark.parametrize("name", [*ITS_FILES, *BESIDE])
def test_each_file_of_an_organisation_is_named_when_it_is_none(council: Path, name: str, kind: str) -> None:
    (council / name).unlink(missing_ok=True)
    (council / name).parent.mkdir(exist_ok=True)
    NOT_FILES[kind](council / name)
    with pytest.raises(OrganisationError) as refused:
        load(council, require_files=False)
    assert name in str(refused.value)
    assert len(str(refused.value)) < 2000
    assert ahead(council) == []


def test_a_key_for_ssh_has_the_size_of_a_key(council: Path) -> None:
    file = council / "organisation.toml"
    file.write_text(file.read_text().replace("agent = true", 'key_file = "key"'))
    with (council / "key").open("wb") as key:
        key.truncate(2**30)
    (council / "key").chmod(0o600)
    with pytest.raises(OrganisationError, match="larger than any key"):
        load(council)


# what is small on the disk and large in memory or time; each is one message within seconds
BOMBS = {
    "nested arrays": ("organisation.toml", "x = " + "[" * 100_000),
    "nested tables": ("organisation.toml", "x = " + "{a=" * 50_000),
    "arrays as deep as the reader allows": ("organisation.toml", f"x = {'[' * 60}{']' * 60}"),
    "a key of many parts": ("organisation.toml", f"{'a.' * 200_000}b = 1"),
    "a header of many parts": ("organisation.toml", f"[{'a.' * 200_000}b]"),
    "many keys of some parts": ("organisation.toml", "\n".join(f"{'a.' * 30}b{n} = 1" for n in range(9000))),
    "a number of 5,000 digits": ("organisation.toml", f"x = {'9' * 5000}"),
    "a number of 4,000 digits": ("organisation.toml", f"schema = {'9' * 4000}"),
    "unknown keys": ("organisation.toml", "\n".join(f"key{n} = 1" for n in range(60_000))),
    "unknown keys of a table": ("organisation.toml", "[mail]\n" + "\n".join(f"key{n} = 1" for n in range(60_000))),
    "many hosts": ("organisation.toml", '[[hosts]]\nname="a"\n' * 40_000),
    "many networks": ("organisation.toml", "[estate]\nnetworks = [" + "{}," * 250_000 + "]"),
    "many names": ("organisation.toml", "[domains]\nnames = [" + '"_",' * 200_000 + "]"),
    "a long text": ("organisation.toml", f'schema = "{"x" * 1_000_000}"'),
    "a long key": ("organisation.toml", f'"{"x" * 1_000_000}" = 1'),
    "bad domains": ("domains.txt", "a_b\n" * 200_000),
    "more domains than anybody has": ("domains.txt", "a.example\n" * 400_000),
    "an endless domain": ("domains.txt", "ä" * 8_000_000),
    "bad fingerprints": ("hub/fingerprints.txt", "zz\n" * 199_000),
    "an endless fingerprint": ("hub/fingerprints.txt", "ab" * 8_000_000),
    "beginnings without an end": ("hub/ca.pem", "-----BEGIN CERTIFICATE-----\n" * 37_000),
    "ends without a beginning": ("hub/ca.pem", "-----END CERTIFICATE-----\n" * 37_000),
    "beginnings of many kinds": ("hub/ca.pem", "".join(f"-----BEGIN X{n}-----\n" for n in range(50_000))),
    "dashes": ("hub/ca.pem", "-" * 1_000_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_small_on_the_disk_stays_small(council: Path, name: str) -> None:
    """In a process of its own with little memory and processor time: what takes more ends it by a signal."""
    file, content = BOMBS[name]
    (council / file).write_text(content)
    done = subprocess.run(
        [sys.executable, "-c", TOLD], cwd=ROOT, env={**os.environ, "WHERE": str(council)},
        capture_output=True, text=True, check=False, preexec_fn=little,
    )  # fmt: skip
    assert done.returncode == 2, (done.returncode, done.stderr[-500:])
    assert 0 < len(done.stdout) < 20_000 and done.stdout.count("\n") < 70
    assert done.stderr == ""


TOLD = """
import os, sys
from pathlib import Path
from cjsm_connect.organisation import load
from cjsm_connect.results import CjsmError
try:
    load(Path(os.environ["WHERE"]))
except CjsmError as error:
    print(error)
    sys.exit(2)
"""


def little() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


def test_many_mistakes_are_counted_and_some_are_told(council: Path) -> None:
    (council / "domains.txt").write_text("a_b\n" * 200_000)
    with pytest.raises(OrganisationError, match=r"domains\.txt: the file: found and 199,980 more such lines"):
        load(council)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("x = " + "[" * 100_000, "nested too deeply"),
        (f"x = {'9' * 5000}", "4300 digits"),
        (f"{'a.' * 50_000}b = 1", "parts"),
        ("criteria = [" + "{}," * 1000 + "]", "and 2,954 more"),
    ],
)
def test_criteria_that_are_a_bomb_are_one_sentence(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "criteria.toml").write_text(
        content if content.startswith(("x", "a.", "criteria")) else f"x = {content}"
    )
    with pytest.raises(CjsmError, match=why) as refused:
        criteria.load(tmp_path / "criteria.toml", REQUIREMENTS)
    assert len(str(refused.value)) < 10_000


@pytest.mark.parametrize("content", ["a" * 5_000_000, "a b\n" * 150_000, "a.example\n" * 400_000, '"' * 100_000])
def test_targets_that_are_a_bomb_are_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "targets").write_text(content)
    with pytest.raises(targets.TargetError) as refused:
        targets.load(tmp_path / "targets")
    assert len(str(refused.value)) < 10_000


@pytest.mark.parametrize("content", ["[" * 200_000, "9" * 5000, '{"a":' * 100_000, ""])
def test_results_and_observations_that_are_a_bomb_are_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "it").write_text(content)
    for reader in (recording.read, lambda path: _last.earlier(str(path), tmp_path)):
        with pytest.raises(CjsmError):
            reader(tmp_path / "it")


def test_a_document_as_deep_as_needed_is_read() -> None:
    assert toml("a.b.c.d.e = [[1]]")
    assert toml(f'a = "{"." * 1000}" # {"." * 1000}')
    with pytest.raises(ValueError, match="deeper"):
        toml(f"x = {'[' * DEEPEST}{']' * DEEPEST}")


def test_a_pem_block_ends_where_the_next_edge_says_so() -> None:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    assert list(pem_blocks(f"x{begin}a{end}y{begin}b{end}")) == [("CERTIFICATE", "a"), ("CERTIFICATE", "b")]
    assert list(pem_blocks(f"{begin}a{begin}b{end}")) == [("CERTIFICATE", "b")]
    assert list(pem_blocks(f"{begin}a-----END X-----b{end}")) == []


def test_the_limits_in_the_docs_are_those_in_the_code() -> None:
    page = (ROOT / "docs/limits.md").read_text()
    rows = dict(
        line.strip("| ").split(" | ")[:2] for line in page.splitlines() if line.startswith("| ") and "iB" in line
    )
    assert rows == {kind.name: kind.size for kind in INPUTS}


READING = {"read_text", "read_bytes"}
# our own files beside the code and what the kernel tells; what runs on a host or in the lab
OURS = (
    "cjsm_connect/remote/", "cjsm_connect/lab/", "cjsm_connect/bench/", "cjsm_connect/results/inputs.py",
    "cjsm_connect/results/catalogue.py", "cjsm_connect/application/terms.py", "cjsm_connect/application/forms/",
    "cjsm_connect/probes/programs.py", "cjsm_connect/reports/", "cjsm_connect/rooms/", "cjsm_connect/ending.py",
    "cjsm_connect/evidence/wording.py",
    "cjsm_connect/verbs/_redaction.py",
)  # fmt: skip


def test_files_are_read_in_one_place() -> None:
    found = [f"{path.relative_to(ROOT)}:{line}" for path in sources() for line in reads(path)]
    assert [place for place in found if not place.startswith(OURS)] == []


def sources() -> Iterator[Path]:
    for room in ("cjsm_connect", "deploys", "checks"):
        yield from sorted((ROOT / room).rglob("*.py"))


def reads(path: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            words = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            opens = node.func.attr == "open" and any(word in ("r", "rb", "rt") for word in words)
            if node.func.attr in READING or opens:
                yield node.lineno
