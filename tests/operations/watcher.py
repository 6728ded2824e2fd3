"""Runs ON a host, as root or as nobody, until its standard input ends: looks at files again and again, and prints
every state that each was ever seen in. Standard library only; it knows nothing of the code under test.

Argument: {"paths": [...], "folders": [...], "secret": ["words that only root may read"]}. Without folders nothing but
the paths is looked at, several hundred times a second.
Prints {"states": {path: [state, ...]}, "touched": {path: [event, ...]}, "strangers": [path, ...], "leaks": [path, ...],
"rounds": number}. A state is "missing", "closed" or "MODE UID:GID SIZE SHA256". `touched` is what the kernel tells of
files that were written in place, made or removed, and not renamed (inotify(7)): such a moment may be too short to be
read in a loop. Strangers are files in the folders that the paths do not name.
"""

import ctypes
import glob
import hashlib
import json
import os
import select
import struct
import sys

TOUCHED = {0x2: "written in place", 0x40: "moved away", 0x100: "made in place", 0x200: "removed"}


def state(path):
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return "missing"
    except PermissionError:
        return "closed"
    try:
        found = os.fstat(descriptor)  # of what was opened, whatever is renamed meanwhile
        content = b"".join(iter(lambda: os.read(descriptor, 1 << 20), b""))
    finally:
        os.close(descriptor)
    digest = hashlib.sha256(content).hexdigest()
    return "%o %d:%d %d %s" % (found.st_mode & 0o7777, found.st_uid, found.st_gid, len(content), digest)


class Kernel:
    """What happens to files of these names in folders that are there now."""

    def __init__(self, paths):
        libc = ctypes.CDLL(None)
        self.descriptor = libc.inotify_init1(os.O_NONBLOCK)
        assert self.descriptor >= 0, "no inotify instance is free"
        self.paths, self.folders = set(paths), {}
        for folder in {os.path.dirname(path) for path in paths}:
            watch = libc.inotify_add_watch(self.descriptor, os.fsencode(folder), sum(TOUCHED))
            if watch >= 0:
                self.folders[watch] = folder

    def events(self):
        """(path, event) pairs since the last call."""
        try:
            waiting = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return
        while waiting:
            watch, mask, _, length = struct.unpack("iIII", waiting[:16])
            name, waiting = waiting[16 : 16 + length].rstrip(b"\0").decode(), waiting[16 + length :]
            path = self.folders.get(watch, "") + "/" + name
            if path in self.paths:
                yield path, next(word for bit, word in TOUCHED.items() if mask & bit)


def below(pattern):
    """Everything in the folders of a pattern and below; what cannot be listed holds nothing for us."""
    for folder in glob.glob(pattern):
        for top, _, names in os.walk(folder):
            for name in names:
                yield os.path.join(top, name)


def look_around(folders, known, secret, strangers, leaks):
    for path in (found for pattern in folders for found in below(pattern)):
        if path not in known:
            strangers.add(path)
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            continue
        if any(word in content for word in secret):
            leaks.add(path)


def main():
    wanted = json.loads(sys.argv[1])
    secret = [word.encode() for word in wanted["secret"]]
    seen = {path: [] for path in wanted["paths"]}
    touched, strangers, leaks, rounds = {}, set(), set(), 0
    kernel = Kernel(seen)
    print("watching", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for path, states in seen.items():
            now = state(path)
            if not states or states[-1] != now:
                states.append(now)
        for path, event in kernel.events():
            touched.setdefault(path, []).append(event)
        look_around(wanted["folders"], seen, secret, strangers, leaks)
        rounds += 1
    found = {"states": seen, "touched": touched, "strangers": sorted(strangers), "leaks": sorted(leaks)}
    print(json.dumps(dict(found, rounds=rounds)))


if __name__ == "__main__":
    main()
