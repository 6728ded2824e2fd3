"""What only a host with a kernel of its own can have: a wrong clock, disks in clear, an old kernel. `./cjsm test vm`.

A container's clock is the machine's, and its disks are too: these faults refuse whatever is not the virtual machine.
"""

from __future__ import annotations

from faults import VIRTUAL, Patient, fault

MINUTES = 60
DAYS = 24 * 60 * MINUTES
MARK = "/run/reboot-required"
CHRONY = "/etc/chrony/chrony.conf"
# one that has just started is not accused (checks/units.py, SETTLING)
OLDER_THAN_SETTLING = 'test "$(ps -o etimes= -C chronyd | sort -n | head -n 1)" -gt 125'
NEWER_KERNEL = "/srv/kernel"
KERNEL = {"host": "relay", "violates": "patching.taken-up", "tier": "vm"}
LATER = {"logging.time": "chrony notices it when it asks its servers again"}
# one shell, so that nothing can come between looking where this is and setting the clock there
SET_CLOCK = """\
test "$(cat /sys/class/dmi/id/product_name)" = "$1" && test "$(systemd-detect-virt --container)" = none || {
    echo "this is not the virtual machine: its clock is left alone" >&2
    exit 3
}
exec date --set="@$(($(date +%s) + $2))"
"""


def shift_clock(host: Patient, seconds: int) -> None:
    """Set the clock of the virtual machine forward or back; any other machine refuses."""
    before = _clock(host)
    host.run(["sh", "-c", SET_CLOCK, "set-clock", VIRTUAL, str(seconds)])
    moved = _clock(host) - before
    assert abs(moved - seconds) < MINUTES, f"the clock moved by {moved} s"


def _clock(host: Patient) -> int:
    return int(host.run(["date", "+%s"]).stdout)


@fault("estate.clock-ahead", host="relay", violates="estate.accurate-clock", entails=LATER, tier="vm")
def clock_ahead(host: Patient) -> None:
    """The clock is ten minutes fast: mail seems to come from the future, and certificates end early."""
    shift_clock(host, 10 * MINUTES)


@fault("estate.clock-behind", host="relay", violates="estate.accurate-clock", entails=LATER, tier="vm")
def clock_behind(host: Patient) -> None:
    """The clock is three minutes slow, and the log tells another story than that of the other side."""
    shift_clock(host, -3 * MINUTES)


@fault("logging.no-time-server-heard", host="relay", violates="logging.time", tier="vm")
def no_time_server_heard(host: Patient) -> None:
    """The time servers do not answer any more, and chrony was started since."""
    _silence(host)
    host.run(["systemctl", "restart", "chrony"])
    host.run(["timeout", "300", "sh", "-c", f"until {OLDER_THAN_SETTLING}; do sleep 2; done"])
    assert "Not synchronised" in host.run(["chronyc", "-n", "tracking"]).stdout


@fault("logging.believes-itself", host="relay", violates="logging.time", tier="vm")
def believes_itself(host: Patient) -> None:
    """chrony may follow its own clock when no server answers, and calls that synchronised."""
    _silence(host)
    host.write(CHRONY, host.read(CHRONY) + "local stratum 8\n")
    host.run(["systemctl", "restart", "chrony"])
    host.run(["timeout", "30", "sh", "-c", "until chronyc -n tracking | grep -q 7F7F0101; do sleep 1; done"])
    assert "Leap status     : Normal" in host.run(["chronyc", "-n", "tracking"]).stdout


def _silence(host: Patient) -> None:
    """No packet to a time server leaves the host, and none is sent elsewhere first."""
    host.run(["nft", "add", "table", "inet", "silence"])
    host.run(["nft", "add chain inet silence output { type filter hook output priority raw; }"])
    host.run(["nft", "add rule inet silence output udp dport 123 drop"])


@fault("estate.queue-in-clear", host="relay", violates="estate.encryption-at-rest", tier="vm")
def queue_in_clear(host: Patient) -> None:
    """The encrypted volume was not mounted after a restart, and the queue is written to the folder below it."""
    host.run(["umount", "/var/spool/postfix"])
    assert "/dev/mapper" not in _source(host, "/var/spool/postfix")


@fault("estate.log-in-clear", host="relay", violates="estate.encryption-at-rest", tier="vm")
def log_in_clear(host: Patient) -> None:
    """The log was moved to a plain disk in a hurry: mounted over the encrypted one, which is still mounted below."""
    host.run(["mkdir", "-p", "/srv/plain"])
    host.run(["mount", "--bind", "/srv/plain", "/var/log"])
    assert "/dev/mapper" not in _source(host, "/var/log")


def _source(host: Patient, folder: str) -> str:
    """What a folder's file system is mounted from, by findmnt(8)."""
    return host.run(["findmnt", "--noheadings", "--output=SOURCE", "--target", folder]).stdout.splitlines()[-1]


@fault("estate.queue-only-proved", host="relay", violates="estate.encryption-at-rest", tier="vm")
def queue_only_proved(host: Patient) -> None:
    """The queue's volume was made with cryptsetup's other tool: changes are noticed, and nothing is encrypted."""
    host.run(["dd", "if=/dev/zero", "of=/srv/volume", "bs=1M", "count=16"])
    device = host.run(["losetup", "--find", "--show", "/srv/volume"]).stdout.strip()
    host.run(["integritysetup", "format", "--batch-mode", "--no-wipe", device])
    host.run(["integritysetup", "open", "--integrity-recalculate", device, "proved"])
    host.run(["mkfs.ext4", "-q", "/dev/mapper/proved"])
    host.run(["mount", "/dev/mapper/proved", "/var/spool/postfix"])
    assert (
        "CRYPT-INTEGRITY" in host.run(["dmsetup", "info", "--columns", "--noheadings", "-o", "uuid", "proved"]).stdout
    )


@fault("estate.swap-in-clear", host="relay", violates="estate.encryption-at-rest", tier="vm")
def swap_in_clear(host: Patient) -> None:
    """Memory was short, and somebody added a swap file on the plain disk: mail in memory may be written there."""
    host.run(["dd", "if=/dev/zero", "of=/srv/swap", "bs=1M", "count=8"])
    host.run(["chmod", "0600", "/srv/swap"])
    host.run(["mkswap", "/srv/swap"])
    host.run(["swapon", "/srv/swap"])
    assert "/srv/swap" in host.read("/proc/swaps")


@fault("patching.reboot-asked-again", **KERNEL)
def reboot_asked_again(host: Patient) -> None:
    """A reboot has been asked for since twenty days, last today: each new kernel asks again."""
    shift_clock(host, -20 * DAYS)
    host.write(MARK, "*** System restart required ***\n")
    shift_clock(host, 20 * DAYS)
    host.write(MARK, "*** System restart required ***\n")
    assert int(host.run(["stat", "--format=%Y", MARK]).stdout) > _clock(host) - DAYS


@fault("patching.newer-kernel-waits", **KERNEL)
def newer_kernel_waits(host: Patient) -> None:
    """A newer kernel is installed, the old one runs, and what would ask for the reboot was lost."""
    packages = host.run(["find", NEWER_KERNEL, "-name", "*.deb"]).stdout.split()
    host.run(["dpkg", "--install", *packages])
    host.run(["rm", "-f", MARK, f"{MARK}.pkgs"])
    running = host.run(["uname", "-r"]).stdout.strip()
    assert not host.run(["readlink", "/vmlinuz"]).stdout.strip().endswith(running)
