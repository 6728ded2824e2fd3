"""Every staged file is tried by its own program before it is renamed into place."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from cjsm_connect.remote import common, firewall

# path on the host -> the command that reads the staged copy; {} is its path. The first pattern that fits is used.
COMMANDS = [
    ("/etc/logrotate.d/*", ["logrotate", "--debug", "{}"]),
    ("/etc/rsyslog.d/*", ["rsyslogd", "-N1", "-f", "{}"]),
    ("/etc/rsyslog.conf", ["rsyslogd", "-N1", "-f", "{}"]),
    ("/etc/apt/apt.conf.d/*", ["apt-config", "-c", "{}", "dump"]),
    ("/etc/chrony/*.conf", ["chronyd", "-p", "-f", "{}"]),
]
POSTFIX = ("/etc/postfix/main.cf", "/etc/postfix/master.cf")


def everything(staged: list[tuple[str, str]], folder: str) -> None:
    """Validate (path, staged path) pairs; `folder` is Postfix's staged configuration (see postfix_folder).

    Raises:
        Failed: with the path and what its own program said of it.
    """
    for path, copy in staged:
        one(path, copy)
    if any(path in POSTFIX for path, _ in staged):
        postfix(folder)


def one(path: str, copy: str) -> None:
    """Run the first fitting command over a staged file."""
    for pattern, argv in COMMANDS:
        if fnmatch.fnmatch(path, pattern):
            code, out, err = common.attempt([word.replace("{}", copy) for word in argv])
            if code:
                raise common.Failed(f"{path} is not valid, {argv[0]} says: {(err or out).strip()[-600:]}")
            return


def rulesets(walls: list[dict[str, Any]]) -> None:
    """nft(8) reads every new ruleset as a whole and loads nothing (-c)."""
    for wall in walls:
        code, _, err = common.attempt([firewall.NFT, "-c", "-f", "-"], text=wall["ruleset"])
        if code:
            raise common.Failed(f"the rules of {wall['table']} are not valid, nft says: {err.strip()[-600:]}")


@contextlib.contextmanager
def postfix_folder(staged: list[tuple[str, str]]) -> Iterator[str]:
    """A private configuration directory for Postfix's programs: the staged files over what is installed.

    A new host has no main.cf yet, and without one not even postmap runs.
    """
    folder = tempfile.mkdtemp(prefix="cjsm-postfix-")
    try:
        os.chmod(folder, 0o755)  # postfix check refuses a directory that its own users cannot read
        installed = [
            ("/etc/postfix/" + name, "/etc/postfix/" + name) for name in ("main.cf", "master.cf", "dynamicmaps.cf")
        ]
        for path, copy in [*installed, *staged]:
            if os.path.dirname(path) == "/etc/postfix" and os.path.exists(copy):
                shutil.copy2(copy, os.path.join(folder, os.path.basename(path)))
        if os.path.isdir("/etc/postfix/dynamicmaps.cf.d"):
            os.symlink("/etc/postfix/dynamicmaps.cf.d", folder + "/dynamicmaps.cf.d")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postfix(folder: str) -> None:
    """Read main.cf and master.cf together as Postfix will: no warning from postconf -n and -M, and postfix check.

    `postfix check` alone misses misspelled parameters, so postconf's warnings count as errors.
    """
    for program, *flags in (("postconf", "-n"), ("postconf", "-M"), ("postfix", "check")):
        code, _, err = common.attempt([program, "-c", folder, *flags])
        if code or "warning" in err:
            raise common.Failed(f"Postfix's configuration is not valid, {program} says: {err.strip()[-600:]}")


def table(path: str, wanted: dict[str, Any], folder: str) -> None:
    """Open a lookup table and ask it for a key it has and one it has not (postmap(1) -q)."""
    name = f"{wanted['kind']}:{path}"
    absent = "absent.invalid" if wanted["kind"] == "lmdb" else "192.0.2.255"
    code, out, err = common.attempt(["postmap", "-c", folder, "-q", absent, name])
    if (code != 1 and wanted["kind"] == "lmdb") or err.strip():
        raise common.Failed(f"the map {wanted['name']} cannot be used, postmap says: {(err or out).strip()}")
    if wanted["kind"] == "lmdb" and wanted["rows"]:
        key, value = wanted["rows"][0]
        _, out, err = common.attempt(["postmap", "-c", folder, "-q", key, name])
        if out.strip() != str(value).strip():
            raise common.Failed(f"the map {wanted['name']} answers {out.strip()!r} for {key}, expected {value!r}")
