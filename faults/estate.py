"""What must be noticed on any host, whatever its role."""

from __future__ import annotations

from faults import Patient, fault

BROKEN = "cjsm-fault.service"


@fault("estate.failed-unit", host="mail", violates="estate.no-failed-units")
def failed_unit(host: Patient) -> None:
    """A service ended with an error, and nobody looked."""
    host.run(["systemd-run", f"--unit={BROKEN}", "--wait", "false"], check=False)
    assert host.run(["systemctl", "is-failed", BROKEN], check=False).stdout.strip() == "failed"


@fault("estate.full-disk", host="mail", violates="estate.disk-space")
def full_disk(host: Patient) -> None:
    """The file system for kernels is full: the next security update of the kernel cannot be installed."""
    host.run(["mount", "-t", "tmpfs", "-o", "size=64k", "full", "/boot"])
    host.run(["dd", "if=/dev/zero", "of=/boot/filler", "bs=4k"], check=False)
    assert host.run(["touch", "/boot/one-more"], check=False).returncode or "100%" in host.run(["df", "/boot"]).stdout
