"""Programs that run on a lab host, or in one of the lab's namespaces, while something else happens."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cjsm_connect.lab import Lab, hosts, members, topology

HERE = Path(__file__).parent


@contextlib.contextmanager
def on_host(lab: Lab, host: str, program: str, *arguments: str, before: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Run one of this folder's programs on a host; what it said at its end is in the dictionary afterwards."""
    argv = [*before, "python3", "-I", "-c", (HERE / program).read_text(), *arguments]
    yield from _until_closed(hosts.entering(lab.name, members.named(lab.name)[host], argv))


@contextlib.contextmanager
def in_namespace(lab: Lab, node: str, program: str, *arguments: str) -> Iterator[dict[str, Any]]:
    """The same in the network of a node that is no host, such as the one that holds the bridges."""
    place = f"/run/netns/{topology.namespace(lab.name, node)}"
    yield from _until_closed(["nsenter", f"--net={place}", sys.executable, str(HERE / program), *arguments])


def _until_closed(argv: list[str]) -> Iterator[dict[str, Any]]:
    """The program says one word when it is ready, ends when its standard input does, and then says what it saw."""
    found: dict[str, Any] = {}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline(), "it did not start"
        try:
            yield found
        finally:
            process.stdin.close()
        found.update(json.loads(process.stdout.read()))
