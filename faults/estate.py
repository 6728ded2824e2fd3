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


@fault("estate.second-leg", host="mail", violates="estate.perimeter")
def second_leg(host: Patient) -> None:
    """The mail server got an address in the DMZ as well, for a test, past the firewall."""
    host.run(["ip", "address", "add", "198.51.100.77/32", "dev", "lan"])
    assert "198.51.100.77" in host.run(["ip", "-4", "address", "show", "dev", "lan"]).stdout


@fault("estate.log-in-in-clear", host="mail", violates="estate.secure-access")
def log_in_in_clear(host: Patient) -> None:
    """A port for an old scanner in the office takes passwords without TLS."""
    service = "127.0.0.1:587/inet"
    host.run(["postconf", "-M", f"{service}=127.0.0.1:587 inet n - y - - smtpd"])
    settings = {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "no", "smtpd_tls_security_level": "may"}
    for name, value in settings.items():
        host.run(["postconf", "-P", f"{service}/{name}={value}"])
    host.reload_postfix()
    assert host.run(["postconf", "-Ph", f"{service}/smtpd_sasl_auth_enable"]).stdout.strip() == "yes"
