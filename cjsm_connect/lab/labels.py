"""Saved states of a lab. A label is, for each host, a stack of frozen upper layers, and the certificates of then.

Labels live in the lab's own folder; one may be kept on the machine under a digest of what it depends on, so that a
later lab starts from it.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from cjsm_connect.lab import folder, hosts, images
from cjsm_connect.lab.entry import LABS
from cjsm_connect.lab.machine import CACHE, drop_old, remove_tree, run, write
from cjsm_connect.lab.topology import HOSTS, Host
from cjsm_connect.results import CjsmError

BARE = "bare"  # the state before anything happened: no layer at all
KEPT = CACHE / "labels"
KEPT_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Label:
    """The layers to start each host from, the uppermost first, and the folder of its certificates."""

    layers: dict[str, list[Path]]
    certificates: Path


def saved(lab: str) -> list[str]:
    """The labels of a lab, by name."""
    return [BARE, *sorted(path.parent.name for path in _folder(lab).glob("*/label.json"))]


def read(lab: str, label: str) -> Label:
    """A label of the lab; an unknown one is an error that names those there are."""
    if label == BARE:
        return Label({name: [] for name in HOSTS}, _folder(lab) / BARE / folder.CERTIFICATES)
    if label not in saved(lab):
        raise CjsmError(
            f"the lab '{lab}' has no state '{label}'; it has {', '.join(saved(lab))}. "
            f"`cjsm lab save {label} --lab {lab}` saves the present one."
        )
    return _read(_folder(lab) / label)


def save(lab: str, label: str) -> None:
    """Record the layers that the hosts were last started from as a label, with the certificates of now."""
    target = _folder(lab) / checked_label(label)
    remove_tree(target)
    folder.save_certificates(lab, target / folder.CERTIFICATES)
    _write(target, current(lab))
    _drop_unused_layers(lab)


def checked_label(label: str) -> str:
    """A label becomes a folder's name: a short word; `bare` is taken."""
    if label == BARE or not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,39}", label):
        raise CjsmError(
            f"'{label}' cannot be saved: expected at most 40 lower-case letters, digits, dots and dashes, and not "
            f"'{BARE}', which is the state without any layer."
        )
    return label


def current(lab: str) -> dict[str, list[Path]]:
    """The layers from which each host was last started."""
    path = LABS / lab / "layers.json"
    rows = json.loads(path.read_text()) if path.exists() else {}
    return {name: [Path(layer) for layer in rows.get(name, [])] for name in HOSTS}


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


def keep(lab: str, label: str, digest: str) -> Path:
    """Copy a label to the machine's cache under a digest of what it depends on; older ones make room."""
    target = _kept(label, digest)
    unfinished = target.with_name(f"{target.name}.unfinished")
    remove_tree(unfinished)
    source = read(lab, label)
    kept = {name: [unfinished / name / str(i) for i in range(len(source.layers[name]))] for name in HOSTS}
    for name, layers in source.layers.items():
        (unfinished / name).mkdir(parents=True, exist_ok=True)
        for layer, copy in zip(layers, kept[name], strict=True):
            run(["cp", "--archive", str(layer), str(copy)])  # keeps overlayfs' attributes and whiteouts
    if source.certificates.exists():
        shutil.copytree(source.certificates, unfinished / folder.CERTIFICATES)
    _write(unfinished, {n: [target / p.relative_to(unfinished) for p in layers] for n, layers in kept.items()})
    remove_tree(target)
    unfinished.rename(target)
    drop_old(KEPT, keep=KEPT_AT_MOST)
    return target


def is_kept(label: str, digest: str) -> bool:
    """Is a label kept on the machine for what it depends on now?"""
    return (_kept(label, digest) / "label.json").exists()


def kept(label: str, digest: str) -> Label:
    """A label kept on the machine; where there is none of this digest, an error says how to come by one."""
    if not is_kept(label, digest):
        raise CjsmError(
            f"no state '{label}' of the present sources is kept on this machine: start bare, apply, "
            f"then `cjsm lab save {label} --keep`."
        )
    return _read(_kept(label, digest))


def adopt(lab: str, label: str, found: Label) -> None:
    """Make a kept label one of the lab's own; its layers are used where they are."""
    _write(_folder(lab) / label, found.layers)
    if found.certificates.exists():
        shutil.copytree(found.certificates, _folder(lab) / label / folder.CERTIFICATES, dirs_exist_ok=True)


def _folder(lab: str) -> Path:
    return LABS / lab / "labels"


def _kept(label: str, digest: str) -> Path:
    return KEPT / f"{checked_label(label)}-{images.digest()}-{digest}"


def _read(path: Path) -> Label:
    rows = json.loads((path / "label.json").read_text())
    layers = {name: [Path(layer) for layer in rows[name]] for name in HOSTS}
    return Label(layers, path / folder.CERTIFICATES)


def _write(path: Path, layers: dict[str, list[Path]]) -> None:
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
