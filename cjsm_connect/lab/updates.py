"""Security updates for the lab's hosts: the same packages with a higher version, published while the lab runs."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from cjsm_connect.lab import hosts, images, mirror, outside
from cjsm_connect.lab.machine import run, write
from cjsm_connect.lab.topology import OUTSIDE, SUITE
from cjsm_connect.results import CjsmError


def publish(lab: str, package: str, version_suffix: str = "+lab1") -> str:
    """Put a newer build of a package of the mirror into the security archive; the version it has now."""
    debian = hosts.root(lab, OUTSIDE) / outside.PUBLISHED / "debian"
    pool = debian / "pool-security"
    pool.mkdir(parents=True, exist_ok=True)
    version = _rebuild(_original(package), pool, version_suffix)
    mirror.publish(debian, f"{SUITE}-security", pool="pool-security")
    return version


def _original(package: str) -> Path:
    pool = mirror.folder(images.home()) / "debian" / "pool"
    found = sorted(pool.glob(f"{package}_*.deb"))
    if not found:
        raise CjsmError(f"the lab's mirror has no package '{package}'; name one of {pool}.")
    return found[0]


def _rebuild(original: Path, pool: Path, suffix: str) -> str:
    """Unpack, raise the version, pack again (dpkg-deb(1)): it installs and works as the original does."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        run(["dpkg-deb", "--raw-extract", str(original), str(tree)])
        control = (tree / "DEBIAN/control").read_text()
        version = re.search(r"^Version: (.+)$", control, re.MULTILINE)
        assert version, f"{original} has no version"
        newer = version[1] + suffix
        write(tree / "DEBIAN/control", control.replace(version[0], f"Version: {newer}"))
        run(["dpkg-deb", "--root-owner-group", "--build", str(tree), str(pool)])
    return newer
