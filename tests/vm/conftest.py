"""A virtual machine as the organisation's relay: time from this machine, queue and log on LVM on LUKS."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from cjsm_connect.lab import access
from cjsm_connect.lab.virtual import Guest, TimeServer
from cjsm_connect.lab.virtual.guest import GATEWAY
from cjsm_connect.organisation import Organisation, parse
from cjsm_connect.probes import gather
from cjsm_connect.probes.gather import Options
from cjsm_connect.probes.run import Wanted, run_checks
from cjsm_connect.results import Result
from deploys import logging, patching
from tests.made_up import FINGERPRINT, authority, lab_file

REQUIREMENTS = ("estate.accurate-clock", "estate.encryption-at-rest", "logging.time", "patching.taken-up")
# what deploys/ writes that these requirements look at
FILES = (logging.CHRONY, patching.APT, patching.NEEDRESTART)
ENCRYPT = """\
umask 077 && head -c 32 /dev/urandom > /run/passphrase
cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /run/passphrase /dev/vdb
cryptsetup open --key-file /run/passphrase /dev/vdb crypted
size=$(blockdev --getsz /dev/mapper/crypted)
dmsetup create data --uuid LVM-data --table "0 $size linear /dev/mapper/crypted 0"
mkfs.ext4 -q /dev/mapper/data
mkdir /srv/encrypted && mount /dev/mapper/data /srv/encrypted
mkdir /srv/encrypted/queue && cp --archive /var/log /srv/encrypted/log
"""
MEND = """\
swapoff --all
nft delete table inet silence
for folder in /var/log /var/spool/postfix; do while umount --lazy $folder; do :; done; done
mount --bind /srv/encrypted/log /var/log && mount --bind /srv/encrypted/queue /var/spool/postfix
rm -f /srv/swap /run/reboot-required /run/reboot-required.pkgs
sed -i '/^local /d' /etc/chrony/chrony.conf
systemctl restart chrony
"""


@dataclasses.dataclass(frozen=True)
class Relay:
    """The guest, and the organisation whose relay it is."""

    guest: Guest
    organisation: Organisation

    def judged(self, *requirements: str) -> dict[str, Result]:
        """What the checks say of it, each by its id: the product's own probe over SSH, and nothing tried."""
        wanted = Wanted(Options(tries=False, hosts=("relay",)), requirement=requirements or REQUIREMENTS)
        run, _ = run_checks(self.organisation, wanted)
        return {result.check: result for result in run.results if result.subject == "relay"}

    def mend(self) -> None:
        """Undo what faults do; chrony sets the clock at its start."""
        self.guest.execute(["sh", "-c", MEND])
        self.guest.run("chronyc", "waitsync", "60", "0.5", "0", "1")


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Relay]:
    """A freshly booted guest, made what a relay is: it is ended with the tests."""
    report = request.config.pluginmanager.getplugin("terminalreporter")
    say: Callable[[str], None] = report.write_line if report else print
    guest = Guest(tmp_path_factory.mktemp("guest"), say)
    organisation = _organisation(tmp_path_factory.mktemp("organisation"), guest)
    try:
        with TimeServer() as server, pytest.MonkeyPatch.context() as patch:
            patch.setattr(gather, "OBSERVE_SECONDS", 150)  # a tenth of the speed, on a machine with other things to do
            patch.setattr(gather, "LOOK_SECONDS", 60)
            guest.start()
            _prepare(guest, organisation, server.port)
            yield Relay(guest, organisation)
    finally:
        guest.stop()


def _organisation(folder: Path, guest: Guest) -> Organisation:
    """The lab's organisation, whose relay is reached by the guest's port on this machine's loopback."""
    hosts = [dict(host) for host in lab_file()["hosts"]]
    [own] = [host for host in hosts if host["role"] == "relay"]
    own["ssh"] = {**own["ssh"], "port": guest.port}
    ssh = {"known_hosts": (guest.folder / "known_hosts").read_text(), "ssh_config": "Hostname 127.0.0.1\n"}
    for name, text in ssh.items():
        (folder / name).write_text(text)
    (folder / "ssh").mkdir()
    shutil.copy(access.administrator(), folder / own["ssh"]["key_file"])
    files = {"hub/ca.pem": authority(), "hub/inner-ca.pem": authority(), "hub/fingerprints.txt": FINGERPRINT, **ssh}
    return parse({**lab_file(), "hosts": hosts}, files, date.today(), folder=folder)


def _prepare(guest: Guest, organisation: Organisation, port: int) -> None:
    """Queue and log on LVM on LUKS, the product's files, and the declared time servers answered by this machine."""
    guest.run("sh", "-exc", ENCRYPT)
    host = organisation.host("relay")
    for concern in (logging, patching):
        for file in concern.desired(organisation, host).files:
            if file.path in FILES:
                guest.run("mkdir", "-p", str(Path(file.path).parent))
                guest.run("tee", file.path, text=file.content)
    guest.run("nft", "add", "table", "ip", "servers")
    guest.run("nft", "add chain ip servers output { type nat hook output priority -100; }")
    guest.run("nft", f"add rule ip servers output udp dport 123 dnat to {GATEWAY}:{port}")
