"""The guest's disk: the lab's base image with a kernel, what the concerns need of Debian, and a newer kernel.

Cached below /var/cache/cjsm/virtual, keyed by a digest of what it is made from.
"""

from __future__ import annotations

import re
from pathlib import Path

from cjsm_connect.lab import access, identity, images, mirror
from cjsm_connect.lab.machine import CACHE, Say, digest_of, drop_old, locked, remove_tree, run, write
from cjsm_connect.lab.topology import RELAY, SUITE
from cjsm_connect.results import CjsmError

DISKS = CACHE / "virtual"
ROOT_DISK = "root.img"
KEPT_AT_MOST = 2
SIZE = "1500M"  # sparse; a third of it is used
NAME = "vm"  # what the guest's marker says
NEWER_KERNEL = "/srv/kernel"
# patching and logging, as deploys/ installs them, and what a kernel of its own needs
PACKAGES = (
    "chrony", "cryptsetup-bin", "distro-info-data", "e2fsprogs", "initramfs-tools", "logrotate", "mount", "needrestart",
    "rsyslog", "udev", "unattended-upgrades",
)  # fmt: skip
KERNEL = re.compile(r"linux-image-[0-9][0-9.+a-z]*-cloud-amd64")
COMMANDS = (
    "apt-get -qq -y --no-install-recommends -o DPkg::Options::=--force-unsafe-io install /srv/packages/*.deb",
    "rm -r /srv/packages /var/lib/apt/lists/* && mkdir -p /var/spool/postfix",
    # a first boot would compute this anew, at a tenth of the speed; systemd-update-done.service(8)
    "ldconfig && journalctl --quiet --update-catalog && systemd-hwdb update && touch /etc/.updated /var/.updated",
    # on the hosts of the lab they run; here they would run in the middle of what is tried
    "systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service fstrim.timer",
    # nobody sits at its console, and what only waits for a shutdown costs a Python interpreter
    "systemctl mask --quiet getty.target systemd-logind.service unattended-upgrades.service",
    "systemctl enable --quiet address.service",
)
FILES = {
    # only what finds the root file system: the initial file system is unpacked at every boot
    "etc/initramfs-tools/conf.d/vm": "MODULES=list\n",
    "etc/initramfs-tools/hooks/vm": """\
#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_pci virtio_blk virtio_net ext4
""",
    "etc/systemd/system/address.service": f"""\
[Unit]
DefaultDependencies=no
Wants=network.target
After=systemd-modules-load.service
Before=network.target ssh.service chrony.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip address add {RELAY.address}/24 dev eth0
ExecStart=ip link set eth0 up
ExecStart=ip route add default via {RELAY.legs[0].network.address(1)}

[Install]
WantedBy=multi-user.target
""",
    "etc/modules-load.d/vm.conf": "virtio_net\n",
    # it asks for a socket between guest and host, which there is none of, and complains on the console
    "etc/systemd/system-generators/systemd-ssh-generator": "",
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    "etc/hostname": f"{RELAY.name}\n",
    "etc/hosts": f"127.0.0.1 localhost\n{RELAY.address} {RELAY.fqdn} {RELAY.name}\n",
    "etc/machine-id": "b7e3a5d0c1f24e6f9a8b7c6d5e4f3a2b\n",
    identity.MARKER: f"{NAME}\n",
}


def digest(suite: str = SUITE) -> str:
    """Names the disk by all that it is made from: the base image, packages, files, the keys that it has."""
    keys = (access.public(access.administrator()), access.public(access.host_key(RELAY)))
    return digest_of(str(images.folder("base", suite)), PACKAGES, COMMANDS, FILES, keys, SIZE)


def ensure(say: Say, suite: str = SUITE) -> Path:
    """The cached folder with the disk, which is made if it is not there."""
    target = DISKS / f"{suite}-{digest(suite)}"
    base = images.base(say, suite)
    with locked(CACHE / "virtual.lock"):
        if not target.exists():
            say("building the virtual machine's disk, once on this machine")
            unfinished = target.with_name(f"{target.name}.unfinished")
            remove_tree(unfinished)
            unfinished.mkdir(parents=True)
            _build(unfinished, base, suite)
            unfinished.rename(target)
        target.touch()
        drop_old(DISKS, keep=KEPT_AT_MOST)
    return target


def _build(target: Path, base: Path, suite: str) -> None:
    root, scratch = target / "root", target / "scratch"
    run(["cp", "--archive", str(base), str(root)])
    older, newer = _fetch(root, suite, scratch)
    for path, content in FILES.items():
        write(root / path, content, 0o755 if "/hooks/" in path else 0o644)
    images.inside(root, COMMANDS)
    identity.give_keys(root, RELAY)
    run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(target / ROOT_DISK), SIZE])
    write(target / "kernels", f"{older}\n{newer}\n")
    for folder in (root, scratch):
        remove_tree(folder)


def _fetch(root: Path, suite: str, scratch: Path) -> tuple[str, str]:
    """Put the packages into the root, with the older of the archive's two newest kernels; the newer one aside."""
    options = mirror.archive_for(root, suite, scratch)
    older, newer = two_newest(run(["apt-cache", *options, "pkgnames", "linux-image-"]).stdout.split())
    mirror.fetch(options, *PACKAGES, older)
    _move(scratch, root / "srv/packages")
    mirror.fetch(options, newer)
    for path in (scratch / "archives").glob("*.deb"):
        if not path.name.startswith(f"{newer}_"):
            path.unlink()  # what it depends on is there already, or will be: the older one needs the same
    _move(scratch, root / NEWER_KERNEL.lstrip("/"))
    return older, newer


def two_newest(names: list[str]) -> list[str]:
    """The two newest cloud kernels among packages, the older first.

    Raises:
        CjsmError: there are not two.
    """
    found = sorted(filter(KERNEL.fullmatch, names), key=lambda name: [int(part) for part in re.findall(r"\d+", name)])
    if len(found) < 2:
        raise CjsmError(
            "to try an update of the kernel the virtual machine needs two cloud kernels of one release, and the "
            f"Debian archive has {', '.join(found) or 'none'}; another mirror may still have the older one."
        )
    return found[-2:]


def _move(scratch: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in (scratch / "archives").glob("*.deb"):
        path.rename(target / path.name)
