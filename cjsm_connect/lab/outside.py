"""The host `outside`: the internet as the lab knows it. DNS, HTTP mirror, time, and an ordinary mail server."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from cjsm_connect.lab import authority
from cjsm_connect.lab.machine import write, write_settled
from cjsm_connect.lab.rendering import render
from cjsm_connect.lab.topology import ADMIN, EVERY_HOST, HUB, LAN, OUTSIDE

NAME_SERVER, SENDER, TRAP = OUTSIDE.addresses
PUBLISHED = "srv/published"  # files that the HTTP server offers before those of the mirror


def give(root: Path) -> None:
    """Write the configuration of every service into the host's root before it starts."""
    values = {"address": NAME_SERVER, "sender": SENDER, "trap": TRAP}
    address6 = OUTSIDE.legs[0].network.address6(OUTSIDE.legs[0].numbers[0])
    write(root / "etc/nsd/lab.zone", zone())
    write(root / "etc/nsd/nsd.conf", render("nsd.conf.j2", address6=address6, **values))
    write(root / "etc/nginx/conf.d/lab.conf", render("nginx.conf.j2"))
    (root / "etc/nginx/sites-enabled/default").unlink(missing_ok=True)
    write(root / "etc/chrony/chrony.conf", render("chrony.conf.j2"))
    write_settled(root / "etc/postfix/main.cf", render("outside-main.cf.j2", **values))
    write(root / "etc/postfix/master.cf", render("outside-master.cf.j2"))
    _publish_revocations(root / PUBLISHED / "crl")


def _publish_revocations(folder: Path) -> None:
    """What the authorities have revoked, where their certificates say that it is: also the council's own, which a real
    one publishes inside."""
    folder.mkdir(parents=True, exist_ok=True)
    for signer in (authority.operator(), authority.inner()):
        for name, content in signer.lists().items():
            (folder / name).write_bytes(content)


def zone() -> str:
    """The lab's name space: every host by its name and its address, mail exchangers, and a trap for cjsm.net."""
    named = _names()
    pointers = [(ip_address(address).reverse_pointer, name) for name, address in named]
    aliases = [("mirror.outside.example", NAME_SERVER)]
    return render("zone.j2", names=[*named, *aliases], pointers=pointers, trap=TRAP)


def _names() -> list[tuple[str, str]]:
    """Names and addresses that belong to each other in both directions; those of relays that are not there lead
    nowhere."""
    hosts = [(host.fqdn, host.address) for host in EVERY_HOST]
    hub_out, member = HUB.addresses[1:]
    return [
        *hosts,
        ("hub-client.cjsm.example", hub_out),
        ("member.charity.example", member),
        ("mx.internet.example", SENDER),
        ("trap.outside.example", TRAP),
        ("admin.council.example", LAN.address(ADMIN.legs[0].numbers[0])),
    ]
