"""What is private to an organisation stays where it is: git stages none of it, and no archive of ours carries it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from cjsm_connect.evidence import keys
from cjsm_connect.rooms import Rooms
from cjsm_connect.verbs._group import cjsm as group
from tests.checks.recordings import observation
from tests.evidence.samples import genuine, key
from tests.made_up import FINGERPRINT, ROOT, authority

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="needs a clone, and git"),
]

SECRET = b"PRIVATE-TO-THE-COUNCIL"
IN_A_FOLDER = (
    *("organisation.toml", "users.csv", "known_hosts", "ssh_config", "ssh/id_ed25519", "ssh/id_ed25519.pub"),
    *("hub/ca.pem", "hub/their-letter.pdf", "hub/sasl-password", "certificates/relay.csr", "certificates/relay.pem"),
    *("evidence-key/key.pem", "evidence-key/certificate.pem", "evidence-key/passphrase", "evidence.pub"),
    *("evidence/evidence-council.tar", ".cjsm/last-check.json", ".cjsm/errors/1.txt", "application/users.json"),
    *("application/2017-form.html", "inventory.py", "notes.docx", "tests/test_ours.py"),
)
"""Each name that our verbs write, and some that people do."""
OF_THE_PROJECT = ("organisation.toml", "inventory.py", "domains.txt", "users.csv", "hub/ca.pem")
ELSEWHERE = (
    *("evidence-council-2026.tar", "evidence-key/key.pem", "evidence.pub", ".cjsm/last-check.json", "opened.json"),
    *("r.html", "r.pdf", "s.pdf", "r.xml", "probe.json", "targets.txt", "application/users.json", "users.csv"),
    *("evidence/evidence-council.tar", "certificates/relay.csr", "certificates/relay.pem", "known_hosts"),
    *(
        "organisation.toml",
        "council/organisation.toml",
        "council/ssh/id_ed25519",
        "tls/relay.key",
        "cjsm_connect/key.pem",
    ),
)
"""What a verb leaves where it was typed, when it is told to, as README and docs write it; and an organisation's own
files in another place than `inventories`."""


def git(folder: Path, *arguments: str) -> str:
    argv = ["git", "-c", "safe.directory=*", "-C", str(folder), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it lies here, in a clone of its own, with an organisation beside the example and in its folder."""
    place = tmp_path_factory.mktemp("a place") / "clone"
    place.mkdir()
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
    git(place, "init", "-q")
    git(place, "add", "-A")
    git(place, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "as it is")
    for folder in ("council", "law firm", "council/branch"):
        _fill(place / "inventories" / folder, IN_A_FOLDER)
    for folder in ("example", "lab"):
        _fill(place / "inventories" / folder, [name for name in IN_A_FOLDER if name not in OF_THE_PROJECT])
    _fill(place, ELSEWHERE)
    return place


def _fill(folder: Path, names: tuple[str, ...] | list[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRET)


def test_git_add_stages_nothing_of_an_organisation(clone: Path) -> None:
    git(clone, "add", "-A")
    assert git(clone, "diff", "--cached", "--name-only") == ""
    assert git(clone, "status", "--porcelain") == ""


def test_a_new_module_is_still_staged(clone: Path) -> None:
    new = clone / "deploys" / "new.py"
    new.write_text("")
    assert "deploys/new.py" in git(clone, "status", "--porcelain", "--untracked-files=all")
    new.unlink()


@pytest.fixture(scope="module")
def archives(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel of the dirty clone, a source archive of it, and a wheel of that archive."""
    place = tmp_path_factory.mktemp("archives")
    build(clone, "sdist", place / "sdist")
    [source] = (place / "sdist").glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(place / "unpacked", filter="data")
    [unpacked] = (place / "unpacked").iterdir()
    build(clone, "wheel", place / "direct")
    build(unpacked, "wheel", place / "through")
    [direct], [through] = (place / "direct").glob("*.whl"), (place / "through").glob("*.whl")
    return {"sdist": source, "wheel": direct, "wheel of the sdist": through}


def build(source: Path, kind: str, target: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)], cwd=source, check=True)


def contents(archive: Path) -> dict[str, bytes]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(archive) as source:
        files = [member for member in source.getmembers() if member.isfile()]
        return {member.name: source.extractfile(member).read() for member in files}  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["sdist", "wheel", "wheel of the sdist"])
def test_no_archive_of_a_dirty_clone_holds_anything_private(archives: dict[str, Path], kind: str) -> None:
    found = contents(archives[kind])
    assert [name for name, text in found.items() if SECRET in text] == []
    assert [name for name in found if "council" in name or "law firm" in name or "evidence-key" in name] == []


@pytest.mark.parametrize("kind", ["wheel", "wheel of the sdist"])
def test_a_wheel_brings_one_top_level_package_and_only_the_example(archives: dict[str, Path], kind: str) -> None:
    names = contents(archives[kind])
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"cjsm_connect"}
    inventories = {name.split("/")[3] for name in names if name.startswith("cjsm_connect/rooms/inventories/")}
    assert inventories == {"example"}


def test_both_wheels_hold_the_same(archives: dict[str, Path]) -> None:
    assert contents(archives["wheel"]).keys() == contents(archives["wheel of the sdist"]).keys()


TRAVELS = ("cjsm_connect", "deploys", "checks", "templates")
STAYS = ("cjsm_connect/bench/", "cjsm_connect/lab/templates/")  # an installed tool has no lab


def test_a_wheel_holds_every_file_that_the_tool_needs(archives: dict[str, Path], clone: Path) -> None:
    """Whoever adds a file of a new kind is told here, and not by a user of the wheel."""
    tracked = [name for name in git(clone, "ls-files", *TRAVELS).split("\n") if name and not name.startswith(STAYS)]
    wanted = {name if name.startswith("cjsm_connect/") else f"cjsm_connect/rooms/{name}" for name in tracked}
    assert wanted - contents(archives["wheel"]).keys() == set()


@pytest.fixture(scope="module")
def installed(archives: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`cjsm` of the wheel in an environment of its own, which sees our dependencies but nothing of the clone."""
    place = tmp_path_factory.mktemp("tool")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    [packages] = place.glob("lib/python*/site-packages")
    [ours] = Path(sys.prefix).glob("lib/python*/site-packages")
    for dependency in ours.iterdir():
        if "cjsm_connect" not in dependency.name and dependency.suffix != ".pth":
            (packages / dependency.name).symlink_to(dependency)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin/python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(archives["wheel"])], check=True)
    return place / "bin/cjsm"


def cjsm(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed tool in a folder, with nothing in the environment that leads to a clone."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    return subprocess.run([installed, *arguments], cwd=folder, env=kept, capture_output=True, text=True, check=False)


def test_an_installed_tool_has_the_verbs_that_need_no_clone(installed: Path, tmp_path: Path) -> None:
    done = cjsm(installed, tmp_path, "--help")
    assert done.returncode == 0
    verbs = set(re.findall(r"^  (\S+)", done.stdout.partition("Verbs:")[2], re.M))
    assert {"plan", "check", "verify", "probe"} <= verbs
    assert verbs.isdisjoint({"lab", "demo", "test", "bench"})


@pytest.mark.parametrize("verb", ["lab", "demo", "test", "bench"])
def test_a_verb_of_the_clone_says_so_in_an_installed_tool(installed: Path, tmp_path: Path, verb: str) -> None:
    done = cjsm(installed, tmp_path, verb)
    assert (done.returncode, "needs a clone" in done.stderr) == (2, True), done.stderr


@pytest.fixture
def organisation(tmp_path: Path) -> Path:
    """An organisation without pinned host keys: nobody is ever connected to."""
    folder = tmp_path / "council"
    (folder / "hub").mkdir(parents=True)
    (folder / "ssh").mkdir()
    (folder / "organisation.toml").write_text((ROOT / "inventories/lab/organisation.toml").read_text())
    for name in ("hub/ca.pem", "hub/inner-ca.pem"):
        (folder / name).write_text(authority())
    (folder / "hub/fingerprints.txt").write_text(FINGERPRINT)
    (folder / "ssh/id_ed25519").touch(0o600)
    (folder / "seen.json").write_text(json.dumps(observation({"host": "relay", "facts": {}})))
    return folder


def test_an_installed_tool_plans(installed: Path, tmp_path: Path, organisation: Path) -> None:
    done = cjsm(installed, tmp_path, "plan", "--org", str(organisation))
    assert done.returncode == 2, done.stderr
    assert "no host key can be checked" in done.stdout  # what is wanted of each host was rendered before


def check_in_the_clone(organisation: Path, *options: str) -> str:
    argv = ["check", "--org", str(organisation), *options]
    return CliRunner().invoke(group, argv, obj=Rooms(ROOT), prog_name="cjsm").stdout


def test_an_installed_tool_checks(installed: Path, tmp_path: Path, organisation: Path) -> None:
    recorded = ("--observed", str(organisation / "seen.json"), "--json")
    done = cjsm(installed, tmp_path, "check", "--org", str(organisation), *recorded)
    in_clone = check_in_the_clone(organisation, *recorded)
    assert json.loads(done.stdout)["results"] == json.loads(in_clone)["results"]


def test_an_installed_tool_gives_a_verdict_on_a_bundle(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "evidence.pub").write_bytes(keys.certificate_text(key().certificate, "x"))
    (tmp_path / "evidence.tar").write_bytes(genuine())
    done = cjsm(installed, tmp_path, "verify", "evidence.tar", "--key", "evidence.pub")
    assert "Traceback" not in done.stderr
    assert "GENUINE" in done.stdout, done.stderr  # or, once this bundle's month is over, NOT GENUINE


def test_an_installed_tool_probes(installed: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen: the connection is refused
        done = cjsm(installed, tmp_path, "probe", f"127.0.0.1:{taken.getsockname()[1]}", "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["target"]
