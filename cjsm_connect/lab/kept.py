"""Labels kept on the machine, under a digest of what they depend on, so that a later lab starts from one in seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

from cjsm_connect.lab import folder, images, labels
from cjsm_connect.lab.labels import Label
from cjsm_connect.lab.machine import CACHE, drop_old, locked, remove_tree, run
from cjsm_connect.results import CjsmError

KEPT = CACHE / "labels"
KEPT_AT_MOST = 3


def keep(lab: str, label: str, digest: str) -> Path:
    """Copy a lab's label to the machine's cache; the oldest there make room."""
    target = place(label, digest)
    unfinished = target.with_name(f"{target.name}.unfinished")
    source = labels.read(lab, label)
    with locked(CACHE / "labels.lock"):
        remove_tree(unfinished)
        stacks = {name: _copied(stack, unfinished / name) for name, stack in source.layers.items()}
        if source.certificates.exists():
            shutil.copytree(source.certificates, unfinished / folder.CERTIFICATES)
        labels.store(unfinished, {name: _moved(stack, unfinished, target) for name, stack in stacks.items()})
        remove_tree(target)
        unfinished.rename(target)
        drop_old(KEPT, keep=KEPT_AT_MOST)
    return target


def is_kept(label: str, digest: str) -> bool:
    """Is a label kept on the machine for what it depends on now?"""
    return (place(label, digest) / "label.json").exists()


def find(label: str, digest: str) -> Label:
    """A label kept on the machine; where there is none of this digest, an error says how to come by one."""
    if not is_kept(label, digest):
        raise CjsmError(
            f"no state '{label}' of the present sources is kept on this machine: start bare, apply, "
            f"then `cjsm lab save {label} --keep`."
        )
    return labels.load(place(label, digest))


def adopt(lab: str, label: str, found: Label) -> None:
    """Make a kept label one of the lab's own; its layers are used where they are."""
    labels.store(labels.home(lab) / label, found.layers)
    if found.certificates.exists():
        shutil.copytree(found.certificates, labels.home(lab) / label / folder.CERTIFICATES, dirs_exist_ok=True)


def place(label: str, digest: str) -> Path:
    """Where a label of this digest is kept."""
    return KEPT / f"{labels.checked_label(label)}-{images.digest()}-{digest}"


def _copied(stack: list[Path], target: Path) -> list[Path]:
    """Copy a host's layers, overlayfs' attributes and whiteouts with them; images stay where they are."""
    target.mkdir(parents=True)
    own = [layer for layer in stack if not layer.is_relative_to(images.IMAGES)]
    for number, layer in enumerate(own):
        run(["cp", "--archive", str(layer), str(target / str(number))])
    return [*(target / str(number) for number in range(len(own))), *stack[len(own) :]]


def _moved(stack: list[Path], old: Path, new: Path) -> list[Path]:
    return [new / layer.relative_to(old) if layer.is_relative_to(old) else layer for layer in stack]
