"""patching: fixes are installed by themselves, services and kernel take them up, and the age of each is known.

Application 2009, minimum prerequisites: service packs, patches and security fixes; terms v10.2, clause 23; Cyber
Essentials v3.3, A6.4 and A6.5: 14 days.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import PurePosixPath

from cjsm_connect.desired import Awaited, Desired, Directory, File, Health, Package, Service
from cjsm_connect.desired.languages import SYSTEMD
from cjsm_connect.desired.render import template
from cjsm_connect.operations import concern
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.hooks import PatchingHook
from cjsm_connect.remote import updates

LIBRARY = "/usr/local/lib/cjsm"
APT = "/etc/apt/apt.conf.d/60cjsm"  # after 50unattended-upgrades: the later file wins
NEEDRESTART = "/etc/needrestart/conf.d/50-cjsm.conf"
UNITS = "/etc/systemd/system"
PENDING_UNIT = f"{UNITS}/cjsm-pending-updates.service"
PENDING_TIMER = f"{UNITS}/cjsm-pending-updates.timer"
LISTS_BEFORE_REBOOT, UPGRADE_BEFORE_REBOOT = 120, 60  # minutes
DAY = 24 * 60
TIMERS = ("apt-daily", "apt-daily-upgrade")
FIRST_SEEN = "/var/lib/cjsm/patching/first-seen.json"
AGES_NOTED = Service("cjsm-pending-updates.timer", watches=(PENDING_TIMER,), order=25)
FIRST_LOOK = Awaited(
    "the first look for pending updates", "first_look", (("path", FIRST_SEEN), ("timer", AGES_NOTED.unit))
)
PACKAGES = ("unattended-upgrades", "needrestart", "distro-info-data")


def desired(organisation: Organisation, host: Host) -> Desired:
    """Patching is the same on every managed host, but for its time; or another system patches it."""
    hook = organisation.patching.of(host.name)
    return _by_hook(hook) if hook else _by_apt(organisation, host)


def _by_hook(hook: PatchingHook) -> Desired:
    """Another system patches: it is started, and asked how it is. The age of each fix is noted, and services take up
    replaced libraries, all the same. What we set for apt's timers before is left as it is."""
    return Desired(
        packages=tuple(Package(name) for name in PACKAGES if name != "unattended-upgrades"),
        directories=(Directory(LIBRARY),),
        files=(_taking_up(), *_ages()),
        services=(*(Service(unit, on_change="none", order=25) for unit in hook.units), AGES_NOTED),
        health=(_elapses(AGES_NOTED.unit),),
        awaited=(FIRST_LOOK,),
    )


def _by_apt(organisation: Organisation, host: Host) -> Desired:
    return Desired(
        packages=tuple(Package(name) for name in PACKAGES),
        directories=(Directory(LIBRARY), *(Directory(str(PurePosixPath(_drop_in(name)).parent)) for name in TIMERS)),
        files=tuple(_files(organisation, host)),
        services=(
            Service("apt-daily.timer", watches=(_drop_in("apt-daily"),), order=25),
            Service("apt-daily-upgrade.timer", watches=(_drop_in("apt-daily-upgrade"),), order=25),
            AGES_NOTED,
        ),
        health=tuple(_elapses(f"{name}.timer") for name in (*TIMERS, "cjsm-pending-updates")),
        awaited=(FIRST_LOOK,),
    )


def _elapses(unit: str) -> Health:
    return Health(f"{unit} will elapse again", "timer", (("unit", unit),))


def _files(organisation: Organisation, host: Host) -> Iterator[File]:
    apt = template("patching/apt.conf.j2", reboot_time=host.reboot_time, proxy=organisation.estate.proxy)
    yield File(APT, apt, reason="security fixes and point releases are installed by themselves")
    yield _taking_up()
    yield _timer("apt-daily", host, LISTS_BEFORE_REBOOT, "10min", "New package lists an hour before they are used.")
    yield _timer("apt-daily-upgrade", host, UPGRADE_BEFORE_REBOOT, "10min", "Fixes shortly before the reboot window.")
    yield from _ages()


def _taking_up() -> File:
    return File(NEEDRESTART, template("patching/needrestart.conf.j2"), reason="services take up replaced libraries")


def _ages() -> Iterator[File]:
    """How long each fix has waited is written down: neither apt nor its lists know."""
    script = template("patching/pending-updates.j2")
    yield File(
        f"{LIBRARY}/updates.py", inspect.getsource(updates), reason="which fixes are published and not installed"
    )
    yield File(f"{LIBRARY}/pending-updates", script, mode=0o755, reason="the age of each pending fix")
    yield File(PENDING_UNIT, template("patching/pending.service.j2"), reason="the age of each pending fix")
    yield File(PENDING_TIMER, template("patching/pending.timer.j2"), reason="the age of each pending fix")


def _drop_in(timer: str) -> str:
    return f"{UNITS}/{timer}.timer.d/50-cjsm.conf"


def _timer(name: str, host: Host, minutes: int, spread: str, why: str) -> File:
    """A timer of APT's, set to some minutes before the host's reboot time."""
    calendar = SYSTEMD.words("*-*-*", earlier(host.reboot_time, minutes))
    text = template("patching/timer.conf.j2", reason=why, calendar=calendar, spread=spread)
    return File(_drop_in(name), text, reason="patches in the host's own window")


def earlier(time: str, minutes: int) -> str:
    """A time of day some minutes before another: earlier("00:30", 60) is "23:30"."""
    hour, minute = map(int, time.split(":"))
    total = (hour * 60 + minute - minutes) % DAY
    return f"{total // 60:02d}:{total % 60:02d}"


patching = concern("patching", desired)
if __name__ == "builtins":  # so pyinfra executes a deploy file
    patching()
