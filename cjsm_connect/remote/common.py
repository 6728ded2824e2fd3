"""What the programs on a host share. Standard library of Python 3.9."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import subprocess
import time
from typing import Optional

# administrators' own PATH and language must not change what a program prints
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}

ON_THE_WAY = 12  # seconds of a message from host to host at most; twice that is less than all tries together have
LATE = "no end within"  # in what is told of a program that had too little time: nothing is known of it


LONGEST_COMMAND = 1000  # bytes of an SMTP command; RFC 5321, 4.5.3.1.4 asks servers for 512, extensions for some more


class Failed(Exception):
    """A program ended with an error, was missing, or took too long; the message holds the end of what it said."""


class Unsayable(Failed):
    """A text that is not one command of SMTP; it was not sent."""


def command_line(text: str) -> bytes:
    """An SMTP command as it goes over the wire (RFC 5321, 2.4 and 4.1.1): one line of printable ASCII.

    Raises:
        Unsayable: it holds a line end, a NUL or another character that would be more than a part of this command.
    """
    if not (text.isascii() and text.isprintable()) or len(text) > LONGEST_COMMAND:
        raise Unsayable("not sent, as it is not one line of printable ASCII: %r" % text[:80])
    return text.encode("ascii") + b"\r\n"


def attempt(argv: list[str], text: str = "", seconds: float = 30) -> tuple[int, str, str]:
    """Run a program without a shell: (exit code, standard output, standard error).

    127 when it is not installed, 124 when it did not end within `seconds`.
    """
    try:
        done = subprocess.run(
            argv,
            input=text,
            capture_output=True,
            timeout=seconds,
            env=ENVIRONMENT,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        return 127, "", argv[0] + ": not installed"
    except subprocess.TimeoutExpired:
        return 124, "", "%s: %s %d seconds" % (argv[0], LATE, seconds)
    return done.returncode, done.stdout, done.stderr


def run(argv: list[str], text: str = "", seconds: float = 30) -> str:
    """The standard output of a program that must succeed.

    Raises:
        Failed: it did not; the message says what it said last.
    """
    return succeeded(argv, attempt(argv, text, seconds))


def succeeded(argv: list[str], answer: tuple[int, str, str]) -> str:
    """The standard output in a program's answer.

    Raises:
        Failed: it ended with another code than 0.
    """
    code, out, err = answer
    if code:
        said = (err.strip() or out.strip())[-800:]
        raise Failed("%s ended with %d: %s" % (" ".join(argv[:4]), code, said))
    return out


class Patience:
    """Waits for what takes `seconds` at most on a host with time to spare; on a busy one up to twice as long.

    What does not come in time is a finding, so the time must not be the finding: time in which something waited for a
    processor is not counted. Linux tells it (PSI, proc_pressure_cpu(5)); where it is not told, twice as long it is.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._started, self._stalled = seconds, time.monotonic(), _stalled()

    @property
    def waited(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    @property
    def over(self) -> bool:
        """Has it been long enough?"""
        stalled = self.waited / 2 if self._stalled is None else (_stalled() or 0.0) - self._stalled
        return self.waited >= 2 * self._seconds or self.waited - stalled >= self._seconds


def _stalled() -> Optional[float]:
    """Seconds since the start of the machine in which something waited for a processor; None where nobody counts."""
    found = re.match(r"some .* total=(\d+)$", read("/proc/pressure/cpu"), re.MULTILINE)
    return int(found.group(1)) / 1e6 if found else None


def read(path: str, default: str = "") -> str:
    """The text of a file, or `default` if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return default


def started(pid: str) -> float:
    """When a process began, in seconds since 1970; 0 when it is gone. proc(5), stat."""
    booted = [line.split()[1] for line in read("/proc/stat").splitlines() if line.startswith("btime ")]
    fields = read("/proc/%s/stat" % pid).rpartition(")")[2].split()
    return float(booted[0]) + int(fields[19]) / os.sysconf("SC_CLK_TCK") if booted and fields else 0.0


def digest(path: str) -> str:
    """SHA-256 of a file's bytes in hex."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def write_private(path: str, text: str, mode: int = 0o600) -> None:
    """Create a new file that nobody else can read, even for a moment; never follows or replaces what is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def settled(path: str) -> None:
    """Date a file that is complete three seconds back.

    Each program of Postfix that reads a main.cf younger than two seconds waits a second and reads it again, for fear
    of a file that is still being written (Postfix, src/util/dict.c, dict_load_file_xt); ours is renamed as a whole.
    """
    then = time.time() - 3
    os.utime(path, (then, then))


def swept(pattern: str) -> None:
    """Remove folders that a killed run left; ours last minutes at most."""
    import shutil  # not for those who only look

    for folder in glob.glob(pattern):
        if os.lstat(folder).st_mtime < time.time() - 1800:
            shutil.rmtree(folder, ignore_errors=True)


HIDDEN = "(redacted)"
# "HTTPProxyPassword x", "smtp_sasl_password_maps = static:user:x", "#DatabasePwd x", "machine a login b password x"
AFTER_THE_WORD = (
    r"(?im)^(.*?(?:password|passwd|passphrase|secret(?![a-z])|(?<![a-z])pwd(?![a-z])|bind_?pw)"
    r"[\w-]*[\"',]*[ \t]*[=: \t][ \t]*)(?!(?:yes|no)$)\S.*$"
)
USER_INFO = r"(://)[^\s/@\"']+@"  # Acquire::http::Proxy "http://user:secret@proxy:3128";


def without_passwords(text: str) -> str:
    """A configuration, or a difference of two, as it may be shown: what follows a word for a password is not."""
    return re.sub(USER_INFO, r"\1" + HIDDEN + "@", re.sub(AFTER_THE_WORD, r"\1" + HIDDEN, text))
