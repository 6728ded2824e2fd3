"""The way back of a change that nobody has confirmed yet: taken by the host itself when the time is over, or at boot.

Before anything is renamed, `arm` writes down how to go back and starts a timer. `confirm`, called over a connection
that was opened after the change, gives the services their time; `done` ends it. Whoever locks himself out, loses his
network or his controller is let in again by a host as it was before, and so is one whose host restarted in between.

The folder `undo` holds hard links to replaced secrets (0600) for that time only: a generation never holds one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

from cjsm_connect.remote import collect, common, firewall, generation

UNIT = "cjsm-undo"
# what the timer starts is another unit: at boot ours comes before those of mail and SSH, and on a running host it would
# make their reload wait for itself while it waits for their reload
TIMED = UNIT + "-timed"
UNITS = "/etc/systemd/system"
ACTIVATION = 900  # seconds for the services and their tries, once the connections were confirmed

SERVICE = """\
# Written by cjsm-connect. Puts back a change that nobody confirmed at boot, before anything listens.
[Unit]
Description=cjsm-connect: put back what nobody confirmed
DefaultDependencies=no
ConditionPathExists={pending}
RequiresMountsFor=/var/lib/cjsm /etc
After=local-fs.target
Before=network-pre.target nftables.service ssh.service ssh.socket postfix.service
Wants=network-pre.target

[Service]
Type=oneshot
# rules first, and by nft alone: they must come back even where Python does not start
ExecStartPre=-{nft} -f {rules}
ExecStart=/usr/bin/python3 -I {program}
TimeoutStartSec=180

[Install]
WantedBy=sysinit.target
"""


def folder() -> str:
    """Where a pending change keeps its way back."""
    return collect.STATE + "/undo"


def pending() -> dict[str, Any]:
    """What waits to be confirmed; {} when nothing does."""
    try:
        found = json.loads(common.read(folder() + "/pending.json", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def arm(
    generation_folder: str, arguments: dict[str, Any], walls: list[dict[str, Any]], reached: dict[str, str]
) -> None:
    """Write the way back down and start the timer. Arguments: undo (program text), seconds, wanted, access.

    `walls` are about to be loaded, `reached` is what could be connected to before (reach.tried).

    Raises:
        Failed: the timer could not be started; then nothing may be changed.
    """
    shutil.rmtree(folder(), ignore_errors=True)
    os.makedirs(folder(), mode=0o700)
    common.write_private(folder() + "/run.py", arguments["undo"])
    for wall in walls:
        firewall.keep_way_back(wall["table"])
    noted = {
        "generation": generation_folder,
        "secrets": kept_secrets(generation_folder),
        "tables": [wall["table"] for wall in walls],
        "stay": [],
        "reached": reached,
        "access": arguments["access"],
        "units": collect.units({service["unit"]: [] for service in arguments["wanted"]["services"]}),
    }
    know_unit()
    note(noted)
    try:
        start_timer(arguments["seconds"])
    except common.Failed:
        forget()
        raise


def note(noted: dict[str, Any]) -> None:
    """Replace what is known of the pending change in one rename."""
    common.write_private(folder() + "/pending.new", json.dumps(noted))
    os.rename(folder() + "/pending.new", folder() + "/pending.json")


def kept_secrets(generation_folder: str) -> dict[str, str]:
    """Hard links (or copies where the file systems differ) to secrets that are about to be replaced, by their path."""
    secrets: dict[str, str] = {}
    for item in generation.manifest(generation_folder)["replaced"]:
        if item["secret"] and item["existed"]:
            kept = f"{folder()}/{len(secrets)}"
            try:
                os.link(item["path"], kept, follow_symlinks=False)
            except OSError:
                generation.copy(item["path"], kept)
            secrets[item["path"]] = kept
    return secrets


def know_unit() -> None:
    """Have the unit that goes back at the next boot."""
    text = SERVICE.format(
        pending=folder() + "/pending.json", program=folder() + "/run.py", rules=firewall.UNDO, nft=firewall.NFT
    )
    path = f"{UNITS}/{UNIT}.service"
    if common.read(path) != text:
        firewall.replace(path, text, 0o644)
        common.run(["systemctl", "daemon-reload"], seconds=60)
    common.run(["systemctl", "enable", "--quiet", UNIT + ".service"], seconds=60)


def start_timer(seconds: int) -> None:
    """Go back after `seconds`, whatever becomes of us (systemd-run(1))."""
    common.attempt(["systemctl", "reset-failed", TIMED + ".service", TIMED + ".timer"])
    when = ["--on-active=%ds" % seconds, "--timer-property=AccuracySec=500ms"]
    # rules first, and by nft alone: they must come back even where Python does not start
    rules = "--property=ExecStartPre=-%s -f %s" % (firewall.NFT, firewall.UNDO)
    what = [rules, "/usr/bin/python3", "-I", folder() + "/run.py"]
    common.run(["systemd-run", "--quiet", "--collect", "--unit=" + TIMED, *when, *what])


def confirm() -> dict[str, Any]:
    """The new connections work: keep the rules, and give the services their time before the host goes back.

    Returns what is pending.

    Raises:
        Failed: the host has gone back already, or does so now because the live rules are not those that were tried.
    """
    with alone():
        noted = pending()
        if not noted:
            raise common.Failed(
                "the change was not confirmed in time and the host has put everything back. Apply again; if it comes "
                "back, see whether the firewall lets SSH from here through"
            )
        common.run(["systemctl", "stop", TIMED + ".timer"])
        start_timer(ACTIVATION)
    for wall in wanted(noted)["firewalls"]:
        if wall["table"] in noted["tables"]:
            keep_rules(wall, noted)
    return noted


def keep_rules(wall: dict[str, Any], noted: dict[str, Any]) -> None:
    """Write the live rules for boot. The first rules of a host stay whatever comes: it is not opened again."""
    first = not os.path.exists(wall["boot_path"])
    firewall.confirm(wall)
    if first:
        firewall.forget_way_back()
        note(dict(noted, stay=[*noted["stay"], wall["boot_path"], firewall.MAIN]))


def wanted(noted: dict[str, Any]) -> dict[str, Any]:
    """What the pending generation wants to run: services, tries, firewalls."""
    found = generation.manifest(noted["generation"])["wanted"]
    assert isinstance(found, dict)
    return found


def done() -> None:
    """Everything was tried: the change stays."""
    with alone():
        noted = pending()
        if not noted:
            raise common.Failed("the host has put the change back while its services were being started")
        common.run(["systemctl", "stop", TIMED + ".timer"])
        generation.mark(noted["generation"], "kept")
        forget()
    generation.prune()


def forget() -> None:
    """Nothing waits any more; the links to replaced secrets go with it."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(folder() + "/pending.json")  # first: what is half-removed must not be taken for a way back
    shutil.rmtree(folder(), ignore_errors=True)
    firewall.forget_way_back()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Confirmation and way back never overlap: each waits for the other (a way back, for its services to reload)."""
    os.makedirs(collect.STATE, mode=0o711, exist_ok=True)
    descriptor = os.open(collect.STATE + "/undo.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def put_back(arguments: dict[str, Any]) -> dict[str, Any]:
    """Go back to how the host was. Arguments: why. Returns what was restored, and what could not be.

    Each part is tried whatever becomes of the others: rules, files, services.
    """
    with alone():
        noted = pending()
        if not noted:
            return {"restored": [], "problems": []}
        common.attempt(["systemctl", "stop", TIMED + ".timer"])
        problems: list[str] = []
        for part in (rules_back, files_back, services_back):
            try:
                problems += part(noted)
            except (common.Failed, OSError, ValueError) as error:
                problems.append(str(error))
        rows = generation.manifest(noted["generation"])["replaced"]
        paths = [item["path"] for item in rows if item["path"] not in noted["stay"]]
        generation.mark(noted["generation"], "put back", arguments["why"])
        forget()
    return {"restored": paths, "problems": problems}


def rules_back(noted: dict[str, Any]) -> list[str]:
    """The rules that were live before."""
    if noted["tables"] and os.path.exists(firewall.UNDO):
        common.run([firewall.NFT, "-f", firewall.UNDO])
    return []


def files_back(noted: dict[str, Any]) -> list[str]:
    """Every file, link and secret that was replaced."""
    rows = generation.manifest(noted["generation"])["replaced"]
    generation.restore(noted["generation"], [item for item in rows if item["path"] not in noted["stay"]])
    for path, kept in noted["secrets"].items():
        generation.replace(kept, path)
    return []


def services_back(noted: dict[str, Any]) -> list[str]:
    """Every unit takes up the old files, or the state it had. At boot there is nothing running yet."""
    if common.attempt(["systemctl", "is-system-running"])[1].strip() in ("initializing", "starting"):
        return []
    common.attempt(["systemctl", "daemon-reload"], seconds=60)
    problems: list[str] = []
    for unit in noted["access"]:
        problems += said(unit, common.attempt(["systemctl", "try-reload-or-restart", unit], seconds=60))
    for unit in reversed(noted["units"]):
        problems += as_before(unit, noted["units"][unit])
    return problems


def as_before(unit: str, state: dict[str, Any]) -> list[str]:
    """Give a unit the state it had: one that ran takes up the restored files, one that did not is stopped."""
    ran = state["active"] in ("active", "reloading")
    wanted_state = [["try-reload-or-restart" if ran else "stop", unit]]
    if state["enabled"] in ("disabled", "") and state["load"] == "loaded":
        wanted_state.append(["disable", unit])
    return [line for argv in wanted_state for line in said(unit, common.attempt(["systemctl", *argv], seconds=180))]


def said(unit: str, outcome: tuple[int, str, str]) -> list[str]:
    """What a command said that failed."""
    code, _, err = outcome
    return ["%s: %s" % (unit, err.strip()[-200:])] if code and "not loaded" not in err else []
