"""bench checks: the full check from process start, and its host-side assertions beside stock testinfra.

Both judge the same assertions on the same hosts: each test of stock_testinfra.py names the check whose facts it asks
about, and our run must have judged that check on that host, and passed it. A run that is not all green is no figure.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cjsm_connect.bench import measure
from cjsm_connect.bench.peers import inside
from cjsm_connect.lab import Lab, healthy, is_up
from cjsm_connect.organisation import Organisation, load
from cjsm_connect.probes.connections import ssh_configuration
from cjsm_connect.results import CjsmError

HERE = Path(__file__).resolve().parent
STOCK = HERE / "stock_testinfra.py"

# without this machine's folders and addresses
COMMANDS = {
    "check": "./cjsm check --json",
    "host_side": "python cjsm_connect/bench/host_side.py ORGANISATION [HOST]",
    "testinfra": "pytest cjsm_connect/bench/stock_testinfra.py (ssh backend, ControlPath in ssh_config, sudo)",
    "testinfra_unshared": "the same, without ControlPath: testinfra's ssh backend as it comes",
}
PEERS = {"testinfra": True, "testinfra_unshared": False}  # does its ssh configuration share a connection?


@dataclass(frozen=True)
class Options:
    """What is measured, and how often."""

    lab: str
    relays: int = 0  # of a lab that is made for it; 0: the lab is up
    tries: bool = True  # also the full check, which on many hosts of one machine is too much for it
    peers: bool = True
    rounds: int = 5
    peer_rounds: int = 1


@dataclass(frozen=True)
class Ground:
    """What is measured on."""

    root: Path
    lab: str
    organisation: Organisation
    folder: Path  # for what the peer is given


def run(rooms: Any, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure on a healthy lab, all its managed hosts and then the first relay alone; nothing on it is changed.

    Raises:
        CjsmError: the lab is not up, a run was not all green, or the two do not judge the same.
    """
    # a control socket's path is short
    with laboratory(options, say) as folder, tempfile.TemporaryDirectory(prefix="cjsm-bench-", dir="/tmp") as place:
        ground = Ground(rooms.root, options.lab, load(folder), Path(place))
        hosts = [host.name for host in ground.organisation.hosts]
        found: dict[str, Any] = {}
        if options.tries:
            say(f"the full check, {options.rounds} rounds")
            check = [str(rooms.root / "cjsm"), "check", "--org", str(folder), "--json"]
            found = {f"{name}_s": taken for name, taken in measure.spread(check, options.rounds).items()}
        found |= host_side(ground, hosts, options, say)
        found |= host_side(ground, [ground.organisation.relays[0].name], options, say)
    machine = measure.machine()
    return {"name": "checks", "machine": machine, "figures": found, "ratios": ratios(found), "command": COMMANDS}


@contextmanager
def laboratory(options: Options, say: Callable[[str], None]) -> Iterator[Path]:
    """The organisation's folder of the lab that was named, or of one that is made for this and ended afterwards."""
    if is_up(options.lab) == bool(options.relays):
        state = "is up: name another one with --lab" if options.relays else "is not up: cjsm demo, or --relays 3"
        raise CjsmError(f"the lab '{options.lab}' {state}")
    lab = Lab(options.lab, say)
    try:
        if options.relays:
            say(f"making a healthy lab of {options.relays + 2} managed hosts; minutes")
            healthy.ensure(lab, options.relays)
        yield lab.organisation_folder
    finally:
        if options.relays:
            lab.down()


def host_side(ground: Ground, hosts: list[str], options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Ours and stock testinfra on these hosts, in the same rounds."""
    number, named = len(hosts), f"{len(hosts)} host{'s' if len(hosts) > 1 else ''}"
    wanted = assertions(peer(ground, hosts, "--collect-only", "-q"))
    ours = our_command(ground, hosts)
    judged = equal(ours, wanted)
    say(f"{len(wanted)} assertions on {named}: ours, {options.rounds} rounds")
    found: dict[str, Any] = {
        f"{name}_{number}_median_s": taken for name, taken in of_ours(ours, options.rounds).items()
    }
    found |= {f"assertions_{number}": len(wanted), f"judged_by_ours_{number}": judged}
    if options.peers:
        say(f"the same in stock testinfra beside ours, {options.peer_rounds} rounds; minutes")
        quiet = ("-q", "--no-header", "-p", "no:cacheprovider")
        stock = {name: peer(ground, hosts, *quiet, shared=shared) for name, shared in PEERS.items()}
        medians = measure.alternating({"beside_testinfra": ours, **stock}, options.peer_rounds)
        found |= {f"{name}_{number}_median_s": seconds for name, seconds in medians.items()}
    return found


def of_ours(ours: list[str], rounds: int) -> dict[str, float]:
    """Median seconds from process start to end, and of observing and judging alone."""
    runs = [measure.said(ours) for _ in range(rounds)]
    return {
        "host_side": round(median(seconds for seconds, _ in runs), 3),
        "observing_and_judging": round(median(float(said.split()[-1]) for _, said in runs), 3),
    }


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """The part of each peer's time that we take, and how many times faster that is; for each number of hosts."""
    made: dict[str, float] = {}
    for number in (key.split("_")[1] for key in found if key.startswith("assertions_")):
        for name in (name for name in PEERS if f"{name}_{number}_median_s" in found):
            ours, theirs = found[f"beside_testinfra_{number}_median_s"], found[f"{name}_{number}_median_s"]
            made[f"host_side_to_{name}_{number}"] = round(ours / theirs, 4)
            made[f"times_faster_than_{name}_{number}"] = round(theirs / ours, 1)
    return made


def our_command(ground: Ground, hosts: list[str]) -> list[str]:
    """Ours, started inside the lab's network at once, as the peer is."""
    program = [sys.executable, str(HERE / "host_side.py"), str(ground.organisation.folder), *hosts]
    return inside(ground.lab, ["env", f"PYTHONPATH={ground.root}", *program])


def peer(ground: Ground, hosts: list[str], *options: str, shared: bool = True) -> list[str]:
    """pytest with testinfra's ssh backend, on a file of plain tests; with a shared connection, or as it comes."""
    name = ground.folder / f"stock-{len(hosts)}-{shared}.json"
    configuration = ground.folder / f"ssh_config-{shared}"
    configuration.write_text(access(ground, shared=shared))
    name.write_text(json.dumps({"ssh_config": str(configuration), **given(ground.organisation, hosts)}))
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "--noconftest",
        "-c",
        "/dev/null",
        f"--rootdir={HERE}",
        str(STOCK),
        *options,
    ]
    return inside(ground.lab, ["env", f"CJSM_BENCH_STOCK={name}", *pytest])


def assertions(collect: list[str]) -> set[tuple[str, str]]:
    """Which check on which host each test of the peer is about, as pytest lists them."""
    listed = subprocess.run(collect, capture_output=True, text=True, check=False)
    found = re.findall(r"\[([a-z]+\.[a-z-]+?)-([a-z0-9]+)\]$", listed.stdout, re.MULTILINE)
    if listed.returncode or not found:
        raise CjsmError(f"pytest could not read {STOCK.name}: {(listed.stdout + listed.stderr)[-500:]}")
    return set(found)


def equal(ours: list[str], wanted: set[tuple[str, str]]) -> int:
    """How many assertions ours judged on these hosts, all that the peer makes among them.

    Raises:
        CjsmError: one of the peer's is not among them, or did not pass.
    """
    done = subprocess.run(ours, capture_output=True, text=True, check=False)
    rows = [line.split(" ") for line in done.stdout.splitlines()]
    status = {(check, host): word for check, host, word in rows}
    if missing := sorted(" on ".join(one) for one in wanted if status.get(one) != "pass"):
        raise CjsmError(
            f"these did not pass in our run, so no time is worth comparing: {', '.join(missing)}{done.stderr}"
        )
    names = {host for _, host in wanted}
    return sum(host in names and word in ("pass", "warn") for (_, host), word in status.items())


def access(ground: Ground, *, shared: bool) -> str:
    """The ssh configuration: pinned keys in any case. As the backend comes, each command is a connection of its own,
    with the key exchange that ssh itself prefers."""
    lines = ssh_configuration(ground.organisation, ground.folder).splitlines()
    return "\n".join(line for line in lines if shared or not line.strip().startswith(("Control", "Kex"))) + "\n"


def given(organisation: Organisation, hosts: list[str]) -> dict[str, Any]:
    """What the peer must know: where the hosts are, and what the organisation file says of them."""
    hub, names = organisation.hub, [organisation.host(name) for name in hosts]
    return {
        "hosts": {
            host.name: {
                "name": host.name,
                "role": host.role,
                "address": str(host.address),
                "fqdn": host.fqdn,
                "release": host.release,
            }
            for host in names
        },
        "domains": list(organisation.domains.names),
        "administrators": [str(one).removesuffix("/32") for one in organisation.estate.administered_from],
        "hub_host": hub.host,
        "hub_hop": f"[{hub.host}]:{hub.port}",
        "hub_match": hub.match[0],
        "hub_source": str(hub.sources[0]).removesuffix("/32"),
        "hub_fingerprints": list(hub.fingerprints),
        "hub_ca": organisation.files[hub.ca_file.relative_to(organisation.folder).as_posix()],
        "hub_listen_port": hub.listen_port,
        "inner_port": {"relay": organisation.inner.relay_port, "mail": organisation.inner.mail_port},
        "ntp": str(organisation.estate.ntp[0]),
        "signatures": str(organisation.estate.mirrors.signatures),
        "signature_files": list(organisation.estate.mirrors.signature_files),
        "message_size_limit": organisation.mail.message_size_limit,
    }
