"""The lab's package mirror and virus signatures: Debian archives that `outside` serves over HTTP.

Packages are downloaded on the machine against the base image's list of installed packages, indexed with
apt-ftparchive(1) and signed with a key of the lab, so that hosts update exactly as they do in real life.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

from cjsm_connect.lab.machine import CACHE, digest_of, remove_tree, run, write
from cjsm_connect.results import CjsmError

# each group is one set that can be installed together; what it depends on comes along
PACKAGES: tuple[tuple[str, ...], ...] = (
    (
        "postfix", "postfix-lmdb", "postfix-pcre",
        "clamav-daemon", "clamav-milter", "clamav-freshclam", "clamdscan",
        "unattended-upgrades", "needrestart", "distro-info", "distro-info-data", "lsb-release",
        "ulogd2", "nftables", "chrony", "rsyslog", "rsyslog-gnutls", "rsyslog-openssl", "logrotate",
        "libsasl2-modules", "openssl", "ca-certificates", "procps", "curl", "bind9-dnsutils",
        "netcat-openbsd", "tcpdump", "swaks", "libnet-ssleay-perl", "libio-socket-ssl-perl", "nginx-light", "nsd",
    ),
)  # fmt: skip
KEYS = CACHE / "archive-key"
PUBLIC_KEY = KEYS / "lab.asc"
# the published test string, which is no virus; held in two halves so that no scanner minds this file
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def folder(images: Path) -> Path:
    """Where the mirror of a set of images lies: debian/ and clamav/."""
    return images / f"mirror-{digest_of(PACKAGES)}"


def archive() -> str:
    """The address of the Debian archive that this machine itself uses (apt-get(8), indextargets)."""
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    found = run(ask).stdout.split()
    if not found:
        run(["apt-get", "-qq", "update"])
        found = run(ask).stdout.split()
    if not found:
        raise CjsmError(
            "the lab needs a Debian archive, and this machine's apt sources name none; "
            "add one for Debian's main archive to /etc/apt/sources.list.d and run this again."
        )
    return found[0]


def download(target: Path, base: Path, suite: str) -> None:
    """Fetch every package of the lab into a pool, index it, and add an empty archive of security updates."""
    pool = target / "debian" / "pool"
    scratch = target / "scratch"
    options = archive_for(base, suite, scratch)
    for group in PACKAGES:
        fetch(options, *group)
    pool.mkdir(parents=True)
    for package in (scratch / "archives").glob("*.deb"):
        package.rename(pool / package.name.replace("%3a", ":"))
    shutil.rmtree(scratch)
    publish(target / "debian", suite)
    publish(target / "debian", f"{suite}-security", pool="pool-security")
    for name, content in signatures().items():
        write(target / "clamav" / name, content)


def archive_for(base: Path, suite: str, scratch: Path) -> list[str]:
    """Options with which this machine's apt believes that it runs on the base image; its lists are fetched."""
    (scratch / "archives" / "partial").mkdir(parents=True)
    (scratch / "lists" / "partial").mkdir(parents=True)
    keyring = next((base / "usr/share/keyrings").glob("debian-archive-keyring.*"))
    write(scratch / "sources.list", f"deb [signed-by={keyring}] {archive()} {suite} main\n")
    options = _options(base, scratch)
    run(["apt-get", "-qq", *options, "update"])
    return options


def fetch(options: list[str], *packages: str) -> None:
    """Download packages that can be installed together, with all that they depend on, into scratch/archives."""
    run(["apt-get", "-qq", *options, "-y", "--no-install-recommends", "--download-only", "--reinstall", "install",
         *packages])  # fmt: skip


def _options(base: Path, scratch: Path) -> list[str]:
    options = {
        "Dir": base,
        "Dir::State::status": base / "var/lib/dpkg/status",
        "Dir::State::lists": scratch / "lists",
        "Dir::Cache": scratch,
        "Dir::Cache::archives": scratch / "archives",
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "/nonexistent",
        "Dir::Etc::Parts": "/nonexistent",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
    }
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def publish(debian: Path, suite: str, pool: str = "pool") -> None:
    """Index the packages of a pool as a suite and sign it. Origin, label and codename are Debian's own: that is what
    unattended-upgrades matches on. Call it again after putting a newer package into the pool."""
    (debian / pool).mkdir(parents=True, exist_ok=True)
    architecture = run(["dpkg", "--print-architecture"]).stdout.strip()
    index = debian / "dists" / suite / "main" / f"binary-{architecture}"
    packages = run(["env", f"--chdir={debian}", "apt-ftparchive", "packages", pool]).stdout
    write(index / "Packages", packages)
    (index / "Packages.gz").write_bytes(gzip.compress(packages.encode()))
    fields = {
        "Origin": "Debian",
        "Label": "Debian-Security" if suite.endswith("-security") else "Debian",
        "Suite": "stable-security" if suite.endswith("-security") else "stable",
        "Codename": suite,
        "Architectures": architecture,
        "Components": "main",
    }
    options = [word for key, value in fields.items() for word in ("-o", f"APT::FTPArchive::Release::{key}={value}")]
    release = run(["apt-ftparchive", *options, "release", str(index.parent.parent)]).stdout
    write(index.parent.parent / "Release", release)
    write(index.parent.parent / "InRelease", _signed(release))


def _signed(text: str) -> str:
    _make_key()
    signed = run(["gpg", "--homedir", str(KEYS), "--batch", "--quiet", "--clearsign", "-o", "-"], stdin=text).stdout
    run(["gpgconf", "--homedir", str(KEYS), "--kill", "gpg-agent"])
    return signed


def _make_key() -> None:
    """A key without a passphrase, made once on this machine; its public half lies beside it as text."""
    if PUBLIC_KEY.exists():
        return
    remove_tree(KEYS)
    KEYS.mkdir(mode=0o700, parents=True)
    run(["gpg", "--homedir", str(KEYS), "--batch", "--quiet", "--passphrase", "", "--quick-generate-key",
         "cjsm-connect lab archive", "ed25519", "sign", "never"])  # fmt: skip
    write(PUBLIC_KEY, run(["gpg", "--homedir", str(KEYS), "--batch", "--armor", "--export"]).stdout)


def public_key() -> str:
    """The key that the lab's archives are signed with, in the form that Signed-By reads (sources.list(5))."""
    return PUBLIC_KEY.read_text()


def signatures() -> dict[str, str]:
    """Virus databases that know the EICAR test file (ClamAV manual, hash-based and body-based signatures): by digest,
    as a file of its own or in an archive, and by its bytes, anywhere in a message."""
    whole = {"Eicar-Test-Signature": EICAR, "Eicar-Test-Signature.Newline": EICAR + b"\r\n"}
    digests = [
        f"{hashlib.new(kind, content).hexdigest()}:{len(content)}:{name}"
        for name, content in whole.items()
        for kind in ("md5", "sha256")
    ]
    return {"lab.hdb": "\n".join(digests) + "\n", "lab.ndb": f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n"}
