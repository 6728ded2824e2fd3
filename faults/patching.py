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


PREFERENCES = "/etc/apt/preferences.d/99own"
LISTS = "/var/lib/apt/lists"


def pin(host: Patient, stanza: str) -> None:
    """An administrator's own pin (apt_preferences(5)); apt believes that its lists are as they were."""
    host.write(PREFERENCES, stanza + "\n")
    assert "-" in host.run(["apt-cache", "policy"]).stdout


def publish(host: Patient, package: str, more: str = "") -> None:
    """A fix of a package, as the list of the archive of security fixes has it; nothing is downloaded."""
    [listed] = host.run(["find", LISTS, "-name", "*dists_trixie_main*_Packages*"]).stdout.split()
    text = host.run(["/usr/lib/apt/apt-helper", "cat-file", listed]).stdout
    [stanza] = [one for one in text.split("\n\n") if one.startswith(f"Package: {package}\n")]
    lines = [line for line in stanza.splitlines() if not (more and line.startswith("Depends:"))]
    version = next(line for line in lines if line.startswith("Version: "))
    fixed = "\n".join(lines).replace(version, f"{version}+fix1" + more)
    place = listed.replace("dists_trixie_main", "dists_trixie-security_main").removesuffix(".lz4").removesuffix(".gz")
    host.run(["find", LISTS, "-name", place.rpartition("/")[2] + "*", "-delete"])
    host.write(place, fixed + "\n")
    host.run(["rm", "-f", "/var/cache/apt/pkgcache.bin", "/var/cache/apt/srcpkgcache.bin"])
    assert "+fix1" in host.run(["apt-cache", "policy", package]).stdout


@fault("patching.everything-pinned", host="relay", violates="patching.nothing-held")
def everything_pinned(host: Patient) -> None:
    """Every package is pinned away, so that nothing changes before an audit; a fix is published the day after."""
    publish(host, "distro-info-data")
    pin(host, "Package: *\nPin: release *\nPin-Priority: -10")


@fault("patching.security-pinned", host="mail", violates="patching.nothing-held")
def security_pinned(host: Patient) -> None:
    """The archive of security fixes was pinned below what is installed."""
    publish(host, "distro-info-data")
    pin(host, "Package: *\nPin: release n=trixie-security\nPin-Priority: 1")


@fault("patching.origin-pinned", host="firewall", violates="patching.nothing-held")
def origin_pinned(host: Patient) -> None:
    """The mirror was pinned away by its name, after it had served a broken package."""
    pin(host, 'Package: *\nPin: origin "mirror.outside.example"\nPin-Priority: -1')


@fault("patching.package-pinned", host="relay", violates="patching.nothing-held")
def package_pinned(host: Patient) -> None:
    """One package is pinned to the version that it has, and its fix is published."""
    publish(host, "openssl")
    version = host.run(["dpkg-query", "-W", "-f", "${Version}", "openssl"]).stdout
    host.write(PREFERENCES, f"Package: openssl\nPin: version {version}\nPin-Priority: 1001\n")
    assert "Candidate: " + version + "\n" in host.run(["apt-cache", "policy", "openssl"]).stdout


@fault("patching.dependency-missing", host="relay", violates="patching.timely")
def dependency_missing(host: Patient) -> None:
    """A published fix depends on what no archive has: apt keeps it back, and says nothing of it."""
    publish(host, "distro-info-data", "\nDepends: nobody-has-this (>= 2)")
    assert "Inst distro-info-data" not in host.run(["apt-get", "-s", "dist-upgrade"]).stdout


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
