"""Watchers look at every managed file in a loop while apply replaces them: nothing is ever missing, empty, partial or
too readable; and what is prepared is nobody else's to read. Real hosts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess

import pytest

from cjsm_connect.lab import Lab, healthy
from tests.operations.changes import changed
from tests.operations.watching import Watched, managed, states, watching

HOSTS = ("firewall", "relay", "mail")
PASSWORD = "pass-of-the-hub"
SECRET = ("PRIVATE KEY", PASSWORD)
WITHOUT, WITH = '# auth = { user = "NAME", password_ref = "env:', 'auth = { user = "lab", password_ref = "env:'
Verb = Callable[..., CompletedProcess[str]]
pytestmark = [pytest.mark.lab, pytest.mark.touches(*HOSTS)]


@contextlib.contextmanager
def everywhere(lab: Lab, *hosts: str) -> Iterator[dict[str, tuple[Watched, Watched]]]:
    """On each host a watcher as root and one as nobody."""
    with contextlib.ExitStack() as stack:
        found = {}
        for host in hosts:
            root = stack.enter_context(watching(lab, host))
            nobody = stack.enter_context(watching(lab, host, SECRET, nobody=True))
            found[host] = (root, nobody)
        yield found


def prepared(seen: Watched) -> list[str]:
    """What carries one of our names and is not a managed file."""
    return [path for path in seen.strangers if ".cjsm-stage/" in path or "cjsm" in path.rpartition("/")[2]]


def test_a_watcher_sees_the_old_file_or_the_new_one_and_nothing_else(lab: Lab, cjsm: Verb) -> None:
    with changed(lab):
        before = {host: states(lab, host, managed(lab, host)) for host in HOSTS}
        with everywhere(lab, *HOSTS) as watchers:
            done = cjsm("apply")
        after = {host: states(lab, host, managed(lab, host)) for host in HOSTS}
    assert done.returncode == 0, done.stderr[-3000:]
    for host, (root, nobody) in watchers.items():
        for path, seen in root.states.items():
            old, new = before[host][path], after[host][path]
            assert seen == ([old] if old == new else [old, new]), f"{host}:{path}"
        assert root.touched == {}, host
        assert nobody.leaks == prepared(nobody) == [], host
        assert min(root.rounds, nobody.rounds) > 100, host
    replaced = {path for host in HOSTS for path in before[host] if before[host][path] != after[host][path]}
    assert {"/etc/postfix/main.cf", "/etc/cjsm/maps/transport.lmdb", "/etc/nftables.d/cjsm.nft"} <= replaced


def test_the_first_apply_never_shows_a_key_or_a_password(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a bare host to one with its certificates: keys and passwords are closed whenever they are there at all."""
    monkeypatch.setenv("CJSM_HUB_PASSWORD", PASSWORD)
    lab.reset(["relay"], "bare")
    with changed(lab, {WITHOUT: WITH}):
        paths = managed(lab, "relay")
        with everywhere(lab, "relay") as watchers:
            first = healthy.verb(lab, "apply")
            lab.sign()
            second = healthy.verb(lab, "apply")
        after = states(lab, "relay", paths)
    assert first.returncode == second.returncode == 0, (first.stderr + second.stderr)[-3000:]
    root, nobody = watchers["relay"]
    closed = [path for path in paths if path.endswith((".key", ".chain.pem", "hub-password"))]
    assert len(closed) == 5
    for path in closed:
        assert root.states[path] == ["missing", after[path]], path
        assert after[path].startswith("600 0:0 "), path
        assert nobody.states[path][-1] in {"missing", "closed"}, path
    assert nobody.leaks == prepared(nobody) == []
