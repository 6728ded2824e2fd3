"""tls: private keys made where they are used, certificate requests for the operator, and who may vouch for the others.

CJSM is mutually authenticated: both ends present certificates that the service's operator issued (Technical overview
2005; MoJ, Secure Email Transfer Guide). The inner hop has certificates of the organisation's own CA, or pinned keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cjsm_connect.desired import Desired, Directory, File, Health, Key, Package
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.routes import inner_is_open, text_of

FOLDER = "/etc/cjsm/tls"


def desired(organisation: Organisation, host: Host) -> Desired:
    """A relay proves itself to the hub and on the inner hop, a Postfix mail server on the inner hop."""
    keys = tuple(_keys(organisation, host))
    if not keys:
        return Desired()
    return Desired(
        packages=(Package("openssl"),),
        directories=(Directory("/etc/cjsm"), Directory(FOLDER, mode=0o700)),
        files=tuple(_authorities(organisation, host)),
        keys=keys,
        health=tuple(_health(organisation, keys)),
        waiting=tuple(_waiting(organisation, host)),
    )


def _keys(organisation: Organisation, host: Host) -> Iterator[Key]:
    if host.role == "relay":
        yield _key(organisation, host, "hub", text_of(organisation, organisation.hub.ca_file))
    if host.role == "relay" or (host.role == "mail" and host.mta == "postfix"):
        yield _key(organisation, host, "inner", _inner_authority(organisation))


def _key(organisation: Organisation, host: Host, name: str, authority: str) -> Key:
    """The name in the certificate is the host's full name: the other end looks for it there (RFC 6125)."""
    return Key(
        name=name,
        path=f"{FOLDER}/{name}.key",
        request_path=f"{FOLDER}/{name}.csr",
        chain_path=f"{FOLDER}/{name}.chain.pem",
        common_name=host.fqdn,
        names=(host.fqdn,),
        organisation=organisation.organisation.name,
        authority=authority,
        certificate=organisation.certificate(host.name, "hub" if name == "hub" else "inner"),
        authority_file=_shown(organisation, organisation.hub.ca_file if name == "hub" else organisation.inner.ca_file),
        authority_path=f"{FOLDER}/{name}-ca.pem" if authority else "",
    )


def _shown(organisation: Organisation, path: Path | None) -> str:
    """A file of the organisation's folder as its author names it."""
    return str(path.relative_to(organisation.folder)) if path else ""


def _health(organisation: Organisation, keys: tuple[Key, ...]) -> Iterator[Health]:
    for key in keys:
        if key.certificate:
            pinned = key.name == "inner" and not _inner_authority(organisation)
            authority = "" if pinned else f"{FOLDER}/{key.name}-ca.pem"
            arguments = (("chain", key.chain_path), ("authority", authority))
            yield Health(f"the {key.name} certificate holds", "chain", arguments)


def _inner_authority(organisation: Organisation) -> str:
    """The CA of the inner hop; empty when public keys are pinned instead."""
    return text_of(organisation, organisation.inner.ca_file) if organisation.inner.ca_file else ""


def _authorities(organisation: Organisation, host: Host) -> Iterator[File]:
    if host.role == "relay":
        authority = text_of(organisation, organisation.hub.ca_file)
        yield File(f"{FOLDER}/hub-ca.pem", authority, reason="who vouches for the hub", returns="never")
    if inner := _inner_authority(organisation):
        yield File(f"{FOLDER}/inner-ca.pem", inner, reason="who vouches on the inner hop", returns="never")


def _waiting(organisation: Organisation, host: Host) -> Iterator[str]:
    """What must be sent to whom before mail can flow."""
    if host.role == "relay" and organisation.certificate(host.name, "hub") is None:
        yield (
            f"{host.name}: no certificate from the CJSM operator yet. Send certificates/{host.name}.csr to the CJSM "
            f"helpdesk and save their answer as certificates/{host.name}.pem; until then CJSM mail waits."
        )
    if host.role == "relay" and not organisation.hub.fingerprints:
        yield (
            f"{host.name}: the fingerprint of the hub's client certificate is not known. Ask the CJSM helpdesk for it "
            "and set hub.fingerprints; until then the listener for the hub stays closed."
        )
    if not inner_is_open(organisation, host):
        yield (
            f"{host.name}: no certificate for the inner hop yet. Have your own CA sign "
            f"certificates/{host.name}-inner.csr and save its answer as certificates/{host.name}-inner.pem; "
            "until then mail waits between relay and mail server."
        )


if __name__ == "builtins":  # so pyinfra executes a deploy file
    from deploys.connection import mail_path  # tls, relay and domains share one Postfix and one set of maps

    mail_path()
