"""What patching must not be: switched off, partial, unsigned, late without anybody knowing, or not taken up."""

from __future__ import annotations

import json

from faults import Patient, fault

OURS = "/etc/apt/apt.conf.d/60cjsm"
AFTER_OURS = "/etc/apt/apt.conf.d/99own"
SOURCES = "/etc/apt/sources.list.d/debian.sources"
RELEASES = "/usr/share/distro-info/debian.csv"
FIRST_SEEN = "/var/lib/cjsm/patching/first-seen.json"


def configure(host: Patient, line: str) -> None:
    """Add an administrator's own setting of APT, and prove that it counts."""
    host.write(AFTER_OURS, line + "\n")
    assert line.partition(" ")[0] in host.run(["apt-config", "dump"]).stdout


@fault("patching.switched-off", host="relay", violates="patching.automatic")
def switched_off(host: Patient) -> None:
    """Automatic installation was switched off after a bad update."""
    configure(host, 'APT::Periodic::Unattended-Upgrade "0";')


@fault("patching.timer-masked", host="mail", violates="patching.automatic")
def timer_masked(host: Patient) -> None:
    """The timer was masked so that it does not disturb the day."""
    host.run(["systemctl", "mask", "--now", "apt-daily-upgrade.timer"])
    assert host.run(["systemctl", "is-enabled", "apt-daily-upgrade.timer"], check=False).stdout.strip() == "masked"


@fault("patching.kernel-excluded", host="firewall", violates="patching.automatic")
def kernel_excluded(host: Patient) -> None:
    """Kernels are not updated, to be spared the reboot."""
    configure(host, 'Unattended-Upgrade::Package-Blacklist { "linux-"; };')


@fault("patching.security-excluded", host="relay", violates="patching.automatic")
def security_excluded(host: Patient) -> None:
    """Only point releases are installed by themselves."""
    host.replace(OURS, "label=Debian-Security", "label=Nobody")


@fault("patching.no-security-archive", host="mail", violates="patching.sources")
def no_security_archive(host: Patient) -> None:
    """The security archive is not among the sources: nothing is ever pending."""
    host.replace(SOURCES, " trixie-security", "")
    host.run(["apt-get", "-qq", "update"])


@fault("patching.unsigned-archive", host="relay", violates="patching.sources")
def unsigned_archive(host: Patient) -> None:
    """An archive is believed without a signature."""
    host.replace(SOURCES, "Signed-By: /etc/apt/keyrings/lab.asc", "Trusted: yes")


@fault("patching.held", host="relay", violates="patching.nothing-held")
def held(host: Patient) -> None:
    """A package was put on hold because of one bad version."""
    host.run(["apt-mark", "hold", "clamav-daemon"])
    assert host.run(["apt-mark", "showhold"]).stdout.split() == ["clamav-daemon"]


@fault("patching.nobody-restarts", host="firewall", violates="patching.taken-up")
def nobody_restarts(host: Patient) -> None:
    """Services keep their old libraries until somebody thinks of it."""
    host.write("/etc/needrestart/conf.d/99-own.conf", "$nrconf{restart} = 'l';\n")


@fault("patching.reboot-forgotten", host="mail", violates="patching.taken-up")
def reboot_forgotten(host: Patient) -> None:
    """A new kernel has waited for three weeks."""
    host.run(["touch", "-d", "21 days ago", "/run/reboot-required"])
    host.write("/run/reboot-required.pkgs", "linux-image-amd64\n")


@fault("patching.age-unknown", host="firewall", violates="patching.timely")
def age_unknown(host: Patient) -> None:
    """Nobody writes down since when a fix is pending."""
    host.run(["systemctl", "disable", "--now", "cjsm-pending-updates.timer"])
    state = json.loads(host.read(FIRST_SEEN))
    host.write(FIRST_SEEN, json.dumps({**state, "looked": state["looked"] - 5 * 86400}))


@fault("patching.old-lists", host="relay", violates="patching.timely")
def old_lists(host: Patient) -> None:
    """The mirror was not reached for ten days: no fix is pending because none is known."""
    host.run(["touch", "-d", "10 days ago", "/var/lib/apt/periodic/update-stamp", "/var/lib/apt/lists/partial"])
    state = json.loads(host.read(FIRST_SEEN))
    host.write(FIRST_SEEN, json.dumps({key: value for key, value in state.items() if key != "lists_updated"}))


@fault("patching.overdue", host="firewall", violates="patching.timely")
def overdue(host: Patient) -> None:
    """A fix was seen twenty days ago, and is still not installed."""
    package = "ulogd2"
    fixed = host.run(["dpkg-query", "-W", "-f", "${Version}", package]).stdout
    host.replace("/var/lib/dpkg/status", f"Version: {fixed}\n", "Version: 0.1\n")
    host.run(["/usr/bin/python3", "-I", "/usr/local/lib/cjsm/pending-updates"])
    state = json.loads(host.read(FIRST_SEEN))
    state["pending"][f"{package} {fixed}"]["first_seen"] -= 20 * 86400
    host.write(FIRST_SEEN, json.dumps(state))


@fault("patching.release-ended", host="mail", violates="patching.supported-release")
def release_ended(host: Patient) -> None:
    """The last support for the release ended, and nobody has migrated the host."""
    [row] = [line for line in host.read(RELEASES).splitlines() if ",trixie," in line]
    version, name, series, *_ = row.split(",")
    host.replace(RELEASES, row, f"{version},{name},{series},2012-06-10,2014-08-09,2017-08-09,2019-06-30,2024-06-30")
    found = host.run(["debian-distro-info", "--supported"], check=False).stdout.split()
    assert "trixie" not in found


@fault("patching.questions-asked", host="mail", violates="patching.automatic")
def questions_asked(host: Patient) -> None:
    """An update that brings a new configuration file waits for an answer that nobody gives."""
    host.replace(OURS, '\t"--force-confold";\n', "")
    assert "--force-confold" not in host.run(["apt-config", "dump"]).stdout


@fault("patching.no-restart-at-night", host="relay", violates="patching.taken-up")
def no_restart_at_night(host: Patient) -> None:
    """A needed restart waits for somebody to have time."""
    configure(host, 'Unattended-Upgrade::Automatic-Reboot "false";')
