"""Saved states of a lab. A label is, for each host, the stack of read-only layers to start from, images included, and
the certificates of that time: what was saved above one image is never started above another."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from cjsm_connect.lab import folder, hosts, images
from cjsm_connect.lab.entry import LABS
from cjsm_connect.lab.machine import remove_tree, write
from cjsm_connect.lab.members import members, named
from cjsm_connect.lab.topology import Host
from cjsm_connect.results import CjsmError

BARE = "bare"  # the state before anything happened: the images alone


@dataclass(frozen=True, slots=True)
class Label:
    """The layers to start each host from, the uppermost first, and the folder of its certificates."""

    layers: dict[str, list[Path]]
    certificates: Path


def saved(lab: str) -> list[str]:
    """The labels of a lab, by name."""
    return sorted(path.parent.name for path in home(lab).glob("*/label.json"))


def read(lab: str, label: str) -> Label:
    """A label of the lab; an unknown one is an error that names those there are."""
    if label not in saved(lab):
        raise CjsmError(
            f"the lab '{lab}' has no state '{label}'; it has {', '.join(saved(lab))}. "
            f"`cjsm lab save {label} --lab {lab}` saves the present one."
        )
    return load(home(lab) / label)


def save_bare(lab: str) -> None:
    """Record the images of now as the state before anything happened."""
    store(home(lab) / BARE, {host.name: images.lowers(host.image) for host in members(lab)})


def save(lab: str, label: str) -> None:
    """Record the layers that the hosts were last started from as a label, with the certificates of now."""
    target = home(lab) / checked_label(label)
    remove_tree(target)
    folder.save_certificates(lab, target / folder.CERTIFICATES)
    store(target, current(lab))
    _drop_unused_layers(lab)


def checked_label(label: str) -> str:
    """A label becomes a folder's name: a short word; `bare` is taken."""
    if label == BARE or not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,39}", label):
        raise CjsmError(
            f"'{label}' cannot be saved: expected at most 40 lower-case letters, digits, dots and dashes, and not "
            f"'{BARE}', which is the state of the images."
        )
    return label


def current(lab: str) -> dict[str, list[Path]]:
    """The layers from which each host was last started."""
    path = LABS / lab / "layers.json"
    rows = json.loads(path.read_text()) if path.exists() else {}
    return {name: [Path(layer) for layer in rows.get(name, [])] for name in named(lab)}


def set_current(lab: str, layers: dict[str, list[Path]]) -> None:
    """Remember the layers from which hosts are started; hosts that are not named keep theirs."""
    rows = {**current(lab), **layers}
    write(LABS / lab / "layers.json", _plain(rows))


def freeze(lab: str, host: Host) -> list[Path]:
    """Turn the upper layer of a stopped host into a read-only one; the layers to start it from now on."""
    number = 1 + max((int(path.name) for path in (LABS / lab / "layers" / host.name).glob("*")), default=0)
    layer = LABS / lab / "layers" / host.name / str(number)
    layer.parent.mkdir(parents=True, exist_ok=True)
    (hosts.home(lab, host) / "upper").rename(layer)
    hosts.forget(lab, host)
    return [layer, *current(lab)[host.name]]


def home(lab: str) -> Path:
    """The folder of a lab's labels."""
    return LABS / lab / "labels"


def load(path: Path) -> Label:
    """Read a label's folder."""
    rows = json.loads((path / "label.json").read_text())
    layers = {name: [Path(layer) for layer in stack] for name, stack in rows.items()}
    return Label(layers, path / folder.CERTIFICATES)


def store(path: Path, layers: dict[str, list[Path]]) -> None:
    """Write a label's folder, except its certificates."""
    write(path / "label.json", _plain(layers))


def _plain(layers: dict[str, list[Path]]) -> str:
    return json.dumps({name: [str(layer) for layer in stack] for name, stack in layers.items()}, indent=2) + "\n"


def _drop_unused_layers(lab: str) -> None:
    """Remove frozen layers that neither a label nor a running host is made of."""
    stacks = [current(lab), *(read(lab, label).layers for label in saved(lab))]
    used = {layer for layers in stacks for stack in layers.values() for layer in stack}
    for layer in (LABS / lab / "layers").glob("*/*"):
        if layer not in used:
            remove_tree(layer)
