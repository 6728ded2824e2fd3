"""Every staged file is tried by its own program before it is renamed into place."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
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
    ("/etc/needrestart/conf.d/*.conf", ["perl", "-c", "{}"]),
    ("/etc/cjsm/*.pem", ["openssl", "x509", "-noout", "-in", "{}"]),
]
# programs that end with 0 all the same; in what they print, this is an error
SAID = {"logrotate": "(warning|error): {}", "clamconf": "^ERROR: "}
CLAMAV = "/etc/clamav/"
SSHD = "/etc/ssh/sshd_config"
UNITS = "/etc/systemd/system/"
POSTFIX = ("/etc/postfix/main.cf", "/etc/postfix/master.cf")


def everything(staged: list[tuple[str, str]], folder: str) -> None:
    """Validate (path, staged path) pairs; `folder` is Postfix's staged configuration (see postfix_folder).

    Raises:
        Failed: with the path and what its own program said of it.
    """
    for path, copy in staged:
        one(path, copy)
    units(staged)
    if any(path in POSTFIX for path, _ in staged):
        postfix(folder)


def one(path: str, copy: str) -> None:
    """Let its own program read a staged file; one that no program reads is taken as it is."""
    for pattern, argv in COMMANDS:
        if fnmatch.fnmatch(path, pattern):
            accepted(path, [word.replace("{}", copy) for word in argv], copy)
            return
    if path.startswith(CLAMAV):
        clamav(path, copy)
    elif path == SSHD or path.startswith(SSHD + ".d/"):
        sshd(path, copy)
    else:
        script(path, copy)


def accepted(path: str, argv: list[str], copy: str = "") -> None:
    """Run a program over a staged file.

    Raises:
        Failed: it ended with an error, or told of one.
    """
    code, out, err = common.attempt(argv)
    pattern = SAID.get(argv[0], "").replace("{}", re.escape(copy))
    if code or (pattern and re.search(pattern, out + err, re.MULTILINE)):
        told = "\n".join(line for line in (err or out).splitlines() if not pattern or re.search(pattern, line))
        raise common.Failed(f"{path} is not valid, {argv[0]} says: {(told or err or out).strip()[-600:]}")


def clamav(path: str, copy: str) -> None:
    """clamconf(1) reads a directory; clamav-milter(8) itself would only look when it starts."""
    with tempfile.TemporaryDirectory(prefix="cjsm-clamav-") as folder:
        shutil.copy(copy, os.path.join(folder, os.path.basename(path)))
        accepted(path, ["clamconf", "-c", folder])


def sshd(path: str, copy: str) -> None:
    """sshd -t (sshd(8)) over the whole configuration, a staged drop-in first: the first value of a keyword counts."""
    with tempfile.TemporaryDirectory(prefix="cjsm-sshd-") as folder:
        together = os.path.join(folder, "sshd_config")
        whole = f"Include {copy}\n" + common.read(SSHD)
        common.write_private(together, common.read(copy) if path == SSHD else whole)
        accepted(path, ["sshd", "-t", "-f", together])


def script(path: str, copy: str) -> None:
    """A script is parsed by the interpreter that its first line names, and not run."""
    text = common.read(copy)
    first = text.partition("\n")[0]
    if not first.startswith("#!"):
        return
    if "python" in first:
        try:
            compile(text, path, "exec")
        except SyntaxError as error:
            raise common.Failed(f"{path} is not valid, python3 says: {error}") from error
    elif first.split("/")[-1] in ("sh", "bash", "dash", "sh -e", "sh -eu"):
        accepted(path, [first[2:].split()[0], "-n", copy])


def units(staged: list[tuple[str, str]]) -> None:
    """systemd-analyze verify reads staged units and drop-ins as if they were installed (SYSTEMD_UNIT_PATH).

    Only what it says of these files and units counts; a program that arrives together with its unit is not missing.
    """
    ours = {path[len(UNITS) :]: copy for path, copy in staged if path.startswith(UNITS)}
    if not ours:
        return
    names = list(dict.fromkeys(name.partition(".d/")[0] for name in ours))
    with tempfile.TemporaryDirectory(prefix="cjsm-units-") as folder:
        for name, copy in ours.items():
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            shutil.copy(copy, os.path.join(folder, name))
        verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *names]
        _, _, err = common.attempt(["env", f"SYSTEMD_UNIT_PATH={folder}:", *verify])
    arriving = tuple(f"Command {path} is not executable" for path, _ in staged)
    about = (folder, *(name + ":" for name in names))
    told = [line for line in err.splitlines() if line.startswith(about) and not any(word in line for word in arriving)]
    if told:
        said = "; ".join(told).replace(folder + "/", UNITS)
        raise common.Failed(f"{names[0]} or a unit beside it is not valid, systemd-analyze says: {said[-600:]}")


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
        if os.path.exists(folder + "/main.cf"):
            common.settled(folder + "/main.cf")
        if os.path.isdir("/etc/postfix/dynamicmaps.cf.d"):
            os.symlink("/etc/postfix/dynamicmaps.cf.d", folder + "/dynamicmaps.cf.d")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postfix(folder: str) -> None:
    """Read main.cf and master.cf together as Postfix will: no warning from postconf -n and -M, and postfix check.

    `postfix check` alone misses misspelled parameters, so postconf's warnings count as errors. What an administrator's
    own file is warned of already is left to him: it runs like that today.
    """
    found = warnings(folder)
    if found and os.path.exists(POSTFIX[0]):
        known = warnings(os.path.dirname(POSTFIX[0]))
        found = [line for line in found if line not in known]
    if found:
        raise common.Failed("Postfix's configuration is not valid: " + "; ".join(found)[-800:])


def warnings(folder: str) -> list[str]:
    """What Postfix's programs have against the configuration in a folder, one line each, without line numbers."""
    found = []
    for program, *flags in (("postconf", "-n"), ("postconf", "-M"), ("postfix", "check")):
        code, _, err = common.attempt([program, "-c", folder, *flags])
        lines = [line.strip() for line in err.splitlines() if code or "warning" in line]
        found += [f"{program} says: {line}" for line in lines or [f"it ended with {code}"] if lines or code]
    return [re.sub(r"(, line|:) ?\d+:", ":", line.replace(folder, os.path.dirname(POSTFIX[0]))) for line in found]


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
