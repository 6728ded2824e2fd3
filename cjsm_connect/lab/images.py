"""Root file systems: a Debian base by mmdebstrap, and thin layers on it for the hosts that are not bare.

Images are folders below /var/cache/cjsm/images (or CJSM_CACHE), keyed by a digest of what they are made from, never
changed once made, and used as read-only lower layers of overlayfs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cjsm_connect.lab import existing, mirror
from cjsm_connect.lab.machine import (
    CACHE,
    Say,
    digest_of,
    drop_old,
    locked,
    remove_tree,
    run,
    silent,
    unmount_below,
    write,
)
from cjsm_connect.lab.topology import SUITE

IMAGES = CACHE / "images"
KEPT_AT_MOST = 2  # for two clones of the project side by side
# what a freshly installed server has before anyone configured it, and what Python and SSH need to manage it
BASE_PACKAGES = (
    "ca-certificates", "dbus", "iproute2", "iputils-ping", "kmod", "libpam-systemd", "netbase", "nftables",
    "openssh-client", "openssh-server", "procps", "python3", "sudo", "systemd", "systemd-sysv", "tzdata",
)  # fmt: skip
# `operator` exists on Debian as a group (base-passwd), so it is taken as the user's own
BASE_COMMANDS = (
    "useradd --create-home --shell /bin/bash --gid operator operator",
    "echo 'operator ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/operator && chmod 0440 /etc/sudoers.d/operator",
    "rm -f /etc/ssh/ssh_host_*  # each host gets its own",
    "rm -f /etc/apt/sources.list /etc/machine-id /var/lib/dbus/machine-id",
    # nobody sits at a console to be asked; each path unit costs one of the machine's 128 inotify instances (inotify(7))
    "systemctl mask --quiet systemd-ask-password-console.path systemd-ask-password-wall.path",
    "systemctl mask --quiet systemd-networkd systemd-resolved systemd-networkd-wait-online  # addresses are given",
)


@dataclass(frozen=True, slots=True)
class Layer:
    """What is added to the base: packages from the lab's mirror, then commands."""

    packages: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    others: tuple[str, ...] = ()  # packages from the machine's own archive: the lab's mirror need not grow
    files: tuple[tuple[str, str], ...] = ()  # path and content, written before the commands run


LAYERS = {
    "mail": Layer(
        commands=(
            "useradd --create-home --shell /usr/sbin/nologin clerk",
            "useradd --create-home --shell /usr/sbin/nologin solicitor",
            "printf '%s: clerk\\n' postmaster root it.helpdesk sam.administrator > /etc/aliases",
        )
    ),
    "hub": Layer(
        ("postfix", "postfix-pcre", "swaks", "openssl"),
        ("useradd --create-home --shell /usr/sbin/nologin charity",),
    ),
    "outside": Layer(
        ("postfix", "postfix-pcre", "swaks", "openssl", "nginx-light", "nsd", "chrony"),
        (
            "useradd --create-home --shell /usr/sbin/nologin internet",
            "useradd --create-home --shell /usr/sbin/nologin trap",
            # the machine's clock is not the lab's to set: chronyd -x only answers, and the unit's wish for
            # CAP_SYS_TIME goes (chronyd(8), systemd.unit(5) ConditionCapability)
            "echo 'DAEMON_OPTS=\"-F 1 -x\"' > /etc/default/chrony && mkdir -p /etc/systemd/system/chrony.service.d",
            "printf '[Unit]\\nConditionCapability=\\n' > /etc/systemd/system/chrony.service.d/lab.conf",
            "systemctl enable --quiet nginx nsd chrony",
        ),
    ),
}


# built only for a lab that asks for one (topology.SCENARIOS)
OTHERS = {"existing": Layer(others=existing.PACKAGES, files=existing.files(), commands=existing.COMMANDS)}


def home(suite: str = SUITE) -> Path:
    """The folder of a suite's images and of the package mirror that belongs to them."""
    return IMAGES / f"{suite}-{digest_of(suite, BASE_PACKAGES, BASE_COMMANDS)}"


def folder(image: str, suite: str = SUITE) -> Path:
    """The folder of one image; a changed layer does not need a new base."""
    layer = (LAYERS | OTHERS).get(image)
    return home(suite) / (f"{image}-{digest_of(*_made_from(layer))}" if layer else image)


def _made_from(layer: Layer) -> tuple[object, ...]:
    return layer.packages, layer.commands, *((layer.others, layer.files) if layer.others or layer.files else ())


def lowers(image: str, suite: str = SUITE) -> list[Path]:
    """The read-only layers of an image, the uppermost first."""
    return [folder(name, suite) for name in ([image, "base"] if image in LAYERS | OTHERS else ["base"])]


def digest(suite: str = SUITE) -> str:
    """Names all images of a suite at once: what was saved above them belongs to these and no others."""
    return digest_of(*(str(folder(image, suite)) for image in ("base", *LAYERS)))


def ensure(say: Say = silent, suite: str = SUITE, scenarios: tuple[str, ...] = ()) -> None:
    """Build what is not cached yet. What a killed build left is thrown away and made again."""
    below, lowest = home(suite), folder("base", suite)
    with locked(CACHE / "images.lock"):
        _once(lowest, partial(_base, suite=suite), say)
        _once(mirror.folder(below), partial(mirror.download, base=lowest, suite=suite), say)
        for name, layer in {**LAYERS, **{name: OTHERS[name] for name in scenarios}}.items():
            _once(folder(name, suite), partial(_layer, layer=layer, below=below), say)
        drop_old(IMAGES, keep=KEPT_AT_MOST)


def base(say: Say = silent, suite: str = SUITE) -> Path:
    """The folder of the base image alone, which is built if it is not cached yet."""
    target = folder("base", suite)
    with locked(CACHE / "images.lock"):
        _once(target, partial(_base, suite=suite), say)
    return target


def _once(target: Path, make: Callable[[Path], None], say: Say) -> None:
    """Make a folder beside its place and rename it when it is whole."""
    if target.exists():
        return
    say(f"building the lab's {target.name}, once on this machine")
    unfinished = target.with_name(f"{target.name}.unfinished")
    unmount_below(unfinished.parent)
    remove_tree(unfinished)
    unfinished.mkdir(parents=True)
    make(unfinished)
    unfinished.rename(target)


def _base(target: Path, suite: str) -> None:
    run(["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(BASE_PACKAGES)}",
         suite, str(target), mirror.archive()])  # fmt: skip
    inside(target, BASE_COMMANDS)


def _layer(target: Path, layer: Layer, below: Path) -> None:
    """Run the layer's commands on an overlay over the base; `target` keeps what they changed."""
    root, work = (target.with_name(f"{target.name}.{part}") for part in ("root", "work"))
    for made in (root, work):
        remove_tree(made)
        made.mkdir()
    overlay(root, [below / "base"], target, work)
    try:
        fetched = _fetched(layer, below, target.with_name(f"{target.name}.fetched"))
        _install(root, layer, below, fetched)
        for path, content in layer.files:
            write(root / path, content)
        inside(root, layer.commands)
    finally:
        remove_tree(target.with_name(f"{target.name}.fetched"))
        unmount_below(root)
        remove_tree(root)
        remove_tree(work)


def _fetched(layer: Layer, below: Path, scratch: Path) -> Path | None:
    """A folder with packages of the machine's own archive, and all that they depend on."""
    if not layer.others:
        return None
    remove_tree(scratch)
    mirror.fetch(mirror.archive_for(below / "base", SUITE, scratch), *layer.others)
    return scratch / "archives"


def _install(root: Path, layer: Layer, below: Path, fetched: Path | None) -> None:
    if layer.packages:
        inside(root, _installation(layer), f"--bind-ro={mirror.folder(below)}:/srv/mirror")
    if fetched:
        command = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install /srv/others/*.deb"
        inside(root, (command,), f"--bind-ro={fetched}:/srv/others")


def _installation(layer: Layer) -> tuple[str, ...]:
    """Install from the lab's own mirror by file, trusted because it was made a moment ago on this machine."""
    if not layer.packages:
        return ()
    source = f"deb [trusted=yes] file:/srv/mirror/debian {SUITE} main"
    return (
        f"echo '{source}' > /etc/apt/sources.list.d/build.list && apt-get -qq update",
        "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Options::=--force-unsafe-io "
        f"install {' '.join(layer.packages)}",
        "rm -rf /etc/apt/sources.list.d/build.list /var/lib/apt/lists/* /var/cache/apt/*.bin",
    )


def inside(root: Path, commands: tuple[str, ...], *options: str) -> None:
    """Run commands in a root that is not booted: package scripts start no service there, and no network is seen."""
    run(["systemd-nspawn", "--quiet", f"--directory={root}", "--register=no", "--keep-unit", "--private-network",
         "--resolv-conf=off", "--pipe", *options, "sh", "-ec", "\n".join(commands)])  # fmt: skip


def overlay(root: Path, layers: list[Path], upper: Path, work: Path) -> None:
    """Mount an overlay (Documentation/filesystems/overlayfs); the first of `layers` lies uppermost."""
    options = f"lowerdir={':'.join(str(layer) for layer in layers)},upperdir={upper},workdir={work}"
    run(["mount", "-t", "overlay", "cjsm", "-o", options, str(root)])
