"""Owners and modes of Postfix's folders and programs, as `postfix check` wants them; reads only. Python 3.9.

`postfix check` itself makes missing folders, renames queue files and refreshes Debian's chroot, and takes half a second
of a core for it: a look must not change a host. What it judges is in postfix-script, at `check-warn`.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator

from cjsm_connect.remote import postconf
from cjsm_connect.remote.once import attempt

QUEUES = [
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "private"),
    *("public", "saved", "trace"),
]
NAMES = [
    *("config_directory", "daemon_directory", "meta_directory", "shlib_directory", "data_directory"),
    *("queue_directory", "command_directory", "mail_owner", "setgid_group"),
]
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
MOST = 20  # complaints that are told


def complaints() -> list[str]:
    """One line for everything that another user could use to take over the mail system, or that stops it."""
    code, said, err = attempt(postconf.MAIN)
    setting = postconf.parsed(said)
    if code or not all(setting.get(name) for name in NAMES):
        return [err.strip()[-300:] or "postconf does not tell where Postfix's folders are"]
    told = [*_of_root(setting), *_of_postfix(setting), *_of_the_group(setting), *_damaged(setting)]
    return list(dict.fromkeys(told))[:MOST]  # the folders lie in each other, and one may have two names


def _of_root(setting: dict[str, str]) -> Iterator[str]:
    """Configuration and programs: nobody but root may change them."""
    for name in ("config_directory", "daemon_directory", "meta_directory", "shlib_directory"):
        for path in _below(setting[name]):
            yield from _not_owned(path, "root")
            yield from _written_by_others(path)
    for path in (setting["queue_directory"], setting["queue_directory"] + "/pid"):
        yield from _not_owned(path, "root")
        yield from _written_by_others(path)


def _of_postfix(setting: dict[str, str]) -> Iterator[str]:
    """Postfix's own data, and its queues."""
    for path in _below(setting["data_directory"]):
        yield from _not_owned(path, setting["mail_owner"])
        yield from _written_by_others(path)
    for name in QUEUES:
        yield from _not_owned("%s/%s" % (setting["queue_directory"], name), setting["mail_owner"])


def _of_the_group(setting: dict[str, str]) -> Iterator[str]:
    """What local users hand in mail with: postqueue(1) and postdrop(1) must be set-gid."""
    programs = [setting["command_directory"] + "/" + name for name in ("postqueue", "postdrop")]
    folders = [setting["queue_directory"] + "/" + name for name in ("public", "maildrop")]
    for path in programs + folders:
        if _exists(path) and _named(grp.getgrgid, os.lstat(path).st_gid) != setting["setgid_group"]:
            yield "not owned by group %s: %s" % (setting["setgid_group"], path)
    for path in programs:
        if not _exists(path) or os.lstat(path).st_mode & 0o2111 != 0o2111:
            yield "not set-gid or not owner+group+world executable: %s" % path


def _damaged(setting: dict[str, str]) -> Iterator[str]:
    folder = setting["queue_directory"] + "/corrupt"
    if _exists(folder):
        yield from ("damaged message: %s/%s" % (folder, name) for name in sorted(os.listdir(folder)))


def _below(folder: str) -> Iterator[str]:
    """A folder and everything below it; links are not followed. shlib_directory may be "no" (postconf(5))."""
    if not folder.startswith("/"):
        return
    yield folder
    for place, folders, files in os.walk(folder):
        yield from (os.path.join(place, name) for name in folders + files)


def _exists(path: str) -> bool:
    return os.path.lexists(path)


def _not_owned(path: str, owner: str) -> Iterator[str]:
    if _exists(path) and _named(pwd.getpwuid, os.lstat(path).st_uid) != owner:
        yield "not owned by %s: %s" % (owner, path)


def _written_by_others(path: str) -> Iterator[str]:
    """A link has no mode of its own."""
    if _exists(path) and not os.path.islink(path) and os.lstat(path).st_mode & WRITABLE:
        yield "group or other writable: %s" % path


def _named(look_up: object, number: int) -> str:
    try:
        return str(look_up(number)[0])  # type: ignore[operator]
    except KeyError:
        return str(number)
