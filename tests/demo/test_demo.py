"""The first hour: README's `./cjsm demo`, from a fresh clone into an empty folder, without `.venv` and without images.

Its lab has a name of its own, so that one that somebody looks around in stays as it is. What is tried is what is
committed: a clone has nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cjsm_connect.lab.images import IMAGES
from tests.conftest import NAME
from tests.made_up import ROOT

pytestmark = [pytest.mark.demo, pytest.mark.lab, pytest.mark.timeout(1500)]

LAB = f"{NAME}-demo"
OURS = ("CJSM_", "PYTHON", "PYTEST", "VIRTUAL_ENV", "GIT_")  # beginnings of what a stranger's environment has not


def strangers_environment(folder: Path) -> dict[str, str]:
    """Without what belongs to this process. A machine that has images gets a cache of its own; on one that has none
    the usual place is as fresh, and the lab tier finds there what was built."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    kept |= {name: os.environ[name] for name in ("CJSM_PYTHON",) if name in os.environ}
    return kept | ({"CJSM_CACHE": str(folder / "cache")} if IMAGES.exists() else {})


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A fresh clone and the environment of somebody who has just made it."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: there is nothing to clone from")
    folder = tmp_path_factory.mktemp("stranger")
    environment = strangers_environment(folder)
    (folder / "gitconfig").write_text("[safe]\n\tdirectory = *\n")  # whoever owns this checkout
    cloning = environment | {"GIT_CONFIG_GLOBAL": str(folder / "gitconfig")}
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder / "clone")], env=cloning, check=True)
    yield folder / "clone", environment
    subprocess.run([folder / "clone" / "cjsm", "lab", "down", "--lab", LAB], env=environment, check=False)
    shutil.rmtree(folder)


def demo(stranger: tuple[Path, dict[str, str]]) -> subprocess.CompletedProcess[str]:
    clone, environment = stranger
    argv = [str(clone / "cjsm"), "demo", "--lab", LAB]
    return subprocess.run(argv, cwd=clone, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("time", ["first", "second"])
def test_the_demo_ends_with_verified_evidence(stranger: tuple[Path, dict[str, str]], time: str) -> None:
    done = demo(stranger)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    assert "The demo is complete." in done.stderr
    bundle = Path(done.stdout.splitlines()[-1])
    assert bundle.is_file() and bundle.name.startswith("evidence-")
    clone, environment = stranger
    status = ["git", "-C", str(clone), "status", "--porcelain"]
    left = subprocess.run(status, env=environment, capture_output=True, text=True, check=True)
    assert left.stdout == "", "the demo leaves files in the clone that git would stage"
