"""A running guest: a qemu process, SSH to it over a port of loopback, and a saved state to start from in seconds."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cjsm_connect.lab import access
from cjsm_connect.lab.machine import CACHE, Say, digest_of, drop_old, locked, remove_tree, require, run, silent, write
from cjsm_connect.lab.topology import RELAY
from cjsm_connect.lab.virtual import image
from cjsm_connect.results import CjsmError

TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "debugfs": "e2fsprogs",
    "ssh": "openssh-client",
}
STATES = CACHE / "virtual-booted"
MEMORY = "768"  # MB
SECOND_DISK = 64 * 2**20  # bytes: the guest's /dev/vdb, for what a test encrypts
PRODUCT = "cjsm-connect vm"
"""What the guest's firmware says that it is, in /sys/class/dmi/id/product_name: no other machine says so."""
GATEWAY = RELAY.legs[0].network.address(1)
BOOT_SECONDS = 900  # in software, on a machine with other things to do; a quiet one takes a tenth
KERNEL_LINE = (  # quick to boot, and patient with a slow machine; kernel-parameters, systemd(1)
    "root=/dev/vda ro console=ttyS0 net.ifnames=0 quiet mitigations=off cryptomgr.notests audit=0 "
    "8250.nr_uarts=1 systemd.default_device_timeout_sec=600 systemd.getty_auto=no"
)
SAVED = ("root.img", "second.img", "memory")


class Guest:
    """A guest whose disks and state lie in a folder of its own."""

    def __init__(self, folder: Path, say: Say = silent) -> None:
        self.folder, self.say = folder, say
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        write(folder / "known_hosts", f"[127.0.0.1]:{self.port} {access.public(access.host_key(RELAY))}")

    def start(self) -> None:
        """Start as a freshly booted host, from the saved state of one; the first time on a machine it is made."""
        saved = booted(self.say)
        for name in SAVED[:2]:
            run(["cp", "--sparse=always", str(saved / name), str(self.folder / name)])
        self._run("-incoming", f"exec:cat {shlex.quote(str(saved / 'memory'))}")
        self._wait(60)

    def boot(self) -> None:
        """Start the kernel that the disk's own /vmlinuz names, as a boot loader would."""
        for name in ("vmlinuz", "initrd.img"):
            write_out(self.folder / "root.img", name, self.folder / name)
        kernel = ["-kernel", str(self.folder / "vmlinuz"), "-initrd", str(self.folder / "initrd.img")]
        self._run(*kernel, "-append", KERNEL_LINE)
        self._wait(BOOT_SECONDS)

    def reboot(self) -> None:
        """Let the guest restart itself, and start what is on its disk then.

        Raises:
            CjsmError: it did not end, or did not come back.
        """
        self.execute(["systemctl", "--no-block", "reboot"])
        assert self._process is not None
        try:
            self._process.wait(BOOT_SECONDS)  # qemu ends where a machine would start again (-no-reboot)
        except subprocess.TimeoutExpired:
            raise CjsmError(f"the guest did not shut down; its console is {self.folder / 'console'}") from None
        self.boot()

    def stop(self) -> None:
        """End the process, by its id; the folder stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def execute(self, argv: Sequence[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in the guest as root, without a shell of its own there; whatever it ends with."""
        line = shlex.join(["sudo", "-n", "--", *argv])
        return run([*self._ssh(), line], stdin=text, timeout=BOOT_SECONDS, check=False)

    def run(self, *argv: str, text: str | None = None) -> str:
        """The standard output of a command in the guest that must succeed.

        Raises:
            CjsmError: it failed.
        """
        done = self.execute(argv, text)
        if done.returncode:
            raise CjsmError(f"in the guest '{shlex.join(argv)}' ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def _ssh(self) -> list[str]:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "120",  # each try that is given up costs a guest without hardware's help seconds
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "GlobalKnownHostsFile": "none",
            "UserKnownHostsFile": self.folder / "known_hosts",
            "ControlMaster": "auto",
            "ControlPath": self.folder / "ssh",
            "ControlPersist": "60",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-q", "-F", "none", "-i", str(access.administrator()), "-p", str(self.port), *words,
                "operator@127.0.0.1"]  # fmt: skip

    def _run(self, *start: str) -> None:
        console = self.folder / "console"
        argv = [*hardware(self.folder, self.port), *start]
        with (self.folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.say(f"the virtual machine runs as process {self._process.pid}, its console is {console}")

    def _wait(self, seconds: float) -> None:
        """Wait until SSH answers; a guest that ended, or does not answer in time, is ended and told."""
        end = time.monotonic() + seconds
        while self.execute(["true"]).returncode:
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                said = (self.folder / "qemu.log").read_text(errors="replace").strip()
                raise CjsmError(f"the guest did not answer by SSH within {seconds:.0f} s; its console is "
                                f"{self.folder / 'console'}; qemu said: {said or 'nothing'}")  # fmt: skip
            time.sleep(0.5)

    def save(self) -> None:
        """Write memory and devices to a file and end: with the disks this is the guest as it is now (QMP, migrate)."""
        with _monitor(self.folder / "monitor") as ask:
            ask("migrate-set-parameters", {"max-bandwidth": 2**33})
            ask("migrate", {"uri": f"exec:cat > {shlex.quote(str(self.folder / 'memory'))}"})
            while (status := ask("query-migrate").get("status")) not in ("completed", "failed", "cancelled"):
                time.sleep(0.1)
            ask("quit")
        assert self._process is not None
        self._process.wait(60)
        if status != "completed":
            raise CjsmError(f"the guest's state could not be saved: qemu says {status}")


def hardware(folder: Path, port: int) -> list[str]:
    """qemu's arguments, qemu(1): always the same, or a saved state would not fit. Only loopback reaches in."""
    network = f"user,id=lan,net={RELAY.legs[0].network.address(0)}/24,host={GATEWAY}"
    disks = [f"file={folder / name},if=virtio,format=raw,cache=unsafe" for name in SAVED[:2]]
    return [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *accelerated(Path("/proc/cpuinfo").read_text(), Path("/dev/kvm").exists()),
        *("-smp", "1", "-m", MEMORY, "-smbios", f"type=1,product={PRODUCT}"),
        *(word for disk in disks for word in ("-drive", disk)),
        *("-netdev", f"{network},hostfwd=tcp:127.0.0.1:{port}-{RELAY.address}:22"),
        *("-device", "virtio-net-pci,netdev=lan,romfile=", "-device", "virtio-rng-pci"),
        *("-serial", f"file:{folder / 'console'}", "-qmp", f"unix:{folder / 'monitor'},server=on,wait=off"),
    ]


def accelerated(cpuinfo: str, kvm: bool) -> list[str]:
    """By hardware only where the processor says so: a /dev/kvm without it lets guests hang."""
    if kvm and re.search(r"^flags\s*:.*\b(vmx|svm)\b", cpuinfo, re.MULTILINE):
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=single,tb-size=256", "-cpu", "Nehalem"]


def booted(say: Say = silent) -> Path:
    """The cached folder with the state of a guest that has just booted the older of its kernels.

    Raises:
        CjsmError: this machine cannot have one.
    """
    if run(["uname", "-m"]).stdout.strip() != "x86_64":
        raise CjsmError("the virtual machine needs a machine of the architecture x86_64: its kernel is an amd64 one.")
    require(say, TOOLS)
    disk = image.ensure(say)
    qemu = run(["qemu-system-x86_64", "--version"]).stdout.splitlines()[0]
    fixed = hardware(Path("/"), 0)
    with locked(CACHE / "virtual-booted.lock"):
        target = STATES / digest_of(disk.name, qemu, fixed)
        if not target.exists():
            say("booting the virtual machine, once on this machine; later starts take this state")
            _boot(target.with_name(f"{target.name}.unfinished"), disk, say)
            target.with_name(f"{target.name}.unfinished").rename(target)
        target.touch()
        drop_old(STATES, keep=1)
    return target


def _boot(folder: Path, disk: Path, say: Say) -> None:
    remove_tree(folder)
    folder.mkdir(parents=True, mode=0o700)
    run(["cp", "--sparse=always", str(disk / image.ROOT_DISK), str(folder / "root.img")])
    with (folder / "second.img").open("wb") as second:
        second.truncate(SECOND_DISK)
    guest = Guest(folder, say)
    try:
        guest.boot()
        guest.execute(["systemctl", "is-system-running", "--wait"])
        guest.save()
    finally:
        guest.stop()
    for path in folder.iterdir():
        if path.name not in SAVED and not path.is_dir():
            path.unlink()


def write_out(disk: Path, link: str, target: Path) -> None:
    """Write a file of an ext4 file system that is not mounted, which a link in its root names; debugfs(8)."""
    named = re.search(r'Fast link dest: "([^"]+)"', run(["debugfs", "-R", f"stat /{link}", str(disk)]).stdout)
    if named is None:
        raise CjsmError(f"{disk} has no link /{link}: expected one to the kernel that is to be started")
    run(["debugfs", "-R", f"dump /{named.group(1).lstrip('/')} {target}", str(disk)])


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def _monitor(path: Path) -> Iterator[Any]:
    """qemu's machine protocol, one JSON object a line; events between the answers are left out."""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(str(path))
        with one.makefile("rw", encoding="utf-8") as lines:
            lines.readline()  # its greeting

            def ask(command: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
                lines.write(json.dumps({"execute": command, "arguments": arguments or {}}) + "\n")
                lines.flush()
                for line in lines:
                    answer = json.loads(line)
                    if "return" in answer:
                        returned: dict[str, Any] = answer["return"]
                        return returned
                    if "error" in answer:
                        raise CjsmError(f"qemu refused {command}: {answer['error'].get('desc')}")
                raise CjsmError(f"qemu ended before it answered {command}")

            ask("qmp_capabilities")
            yield ask
