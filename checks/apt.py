"""APT's settings and archives, as the checks read them."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from cjsm_connect.probes.seen import Seen

# short and long names of what a pattern may ask for; unattended-upgrade(8)
KEYS = {"o": "origin", "l": "label", "n": "codename", "a": "suite", "archive": "suite"}


def values(seen: Seen, name: str) -> list[str]:
    """APT's effective values of a setting; its names know no upper and lower case."""
    configuration: Mapping[str, list[str]] = seen.fact("patching", "configuration")
    return [value for key, values in configuration.items() if key.lower() == name.lower() for value in values]


def short_patterns(seen: Seen) -> list[str]:
    """Unattended-Upgrade::Allowed-Origins, the older way to say it (ORIGIN:ARCHIVE), as patterns."""
    pairs = [text.partition(":") for text in values(seen, "Unattended-Upgrade::Allowed-Origins")]
    return [f"origin={origin.replace('${distro_id}', 'Debian')},archive={archive}" for origin, _, archive in pairs]


def allows(pattern: str, archive: Mapping[str, str], release: str) -> bool:
    """Does a pattern such as origin=Debian,codename=${distro_codename},label=Debian allow this archive?"""
    asked = [part.partition("=") for part in pattern.replace("${distro_codename}", release).split(",")]
    return all(fnmatchcase(archive.get(KEYS.get(key.strip(), key.strip()), ""), value) for key, _, value in asked)
