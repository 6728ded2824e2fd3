"""Certificates, keys and trust anchors: what lies in the files, what it proves, and what the listeners present."""

from __future__ import annotations

import base64
import grp
import hashlib
import os
import pwd
import re
import stat
from typing import Any

from cjsm_connect.remote.common import attempt, read

LISTENER_SECONDS = 12
LONGEST_CHAIN = 6  # certificates
NO_END = 124  # timeout(1)'s code, which common.attempt gives too
PEM = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """`folder`, and `identities`: {name: {key, chain, authority: paths; listeners: [[address, port], ...]}}."""
    found = {name: identity(wanted) for name, wanted in arguments["identities"].items()}
    return {"folder": file(arguments["folder"]), "identities": found}


def identity(wanted: dict[str, Any]) -> dict[str, Any]:
    """One key with its certificate, who vouches for it, and what each listener that has it presents."""
    certificates = PEM.findall(read(wanted["chain"]))
    return {
        "files": {name: file(wanted[name]) for name in ("key", "chain", "authority") if wanted[name]},
        "key": public_key(wanted["key"]),
        "certificate": certificate(certificates[0]) if certificates else None,
        "chain": chain(wanted["chain"], wanted["authority"]) if certificates and wanted["authority"] else None,
        "authorities": [certificate(text) for text in PEM.findall(read(wanted["authority"]))],
        "presented": [presented(wanted, address, port) for address, port in wanted["listeners"]],
    }


def file(path: str) -> dict[str, Any]:
    """Owner, group and mode of a file or directory."""
    try:
        status = os.lstat(path)
    except OSError:
        return {"exists": False}
    return {
        "exists": True,
        "owner": name_of(pwd.getpwuid, status.st_uid),
        "group": name_of(grp.getgrgid, status.st_gid),
        "mode": "%04o" % stat.S_IMODE(status.st_mode),
    }


def name_of(lookup: Any, number: int) -> str:
    """The name behind a number, or the number itself."""
    try:
        return str(lookup(number)[0])
    except KeyError:
        return str(number)


def public_key(path: str) -> str:
    """SHA-256 of a private key's public half (SubjectPublicKeyInfo, DER) as Postfix prints it; "" without a key."""
    code, key, _ = attempt(["openssl", "pkey", "-in", path, "-pubout"])
    return "" if code else digest_of(key)


def digest_of(key: str) -> str:
    """SHA-256 over the DER of a PEM block, lower-case hex with colons."""
    body = "".join(line for line in key.splitlines() if line and not line.startswith("-----"))
    return ":".join(re.findall("..", hashlib.sha256(base64.b64decode(body)).hexdigest()))


SHOWN = ("-subject", "-issuer", "-startdate", "-enddate", "-pubkey", "-text")


def certificate(text: str) -> dict[str, Any]:
    """What a certificate says; openssl-x509(1). Dates are UTC, ISO 8601.

    openssl answers in the order of the options, and the first match counts: whatever the text of an extension contains
    comes behind.
    """
    _, said, _ = attempt(["openssl", "x509", "-noout", *SHOWN, "-nameopt", "RFC2253", "-dateopt", "iso_8601"], text)
    key, _, details = said.partition("-----END PUBLIC KEY-----")
    return {
        "sha256": digest_of(text),
        "subject": found(r"(?m)^subject=(.*)$", said),
        "issuer": found(r"(?m)^issuer=(.*)$", said),
        "not_before": found(r"(?m)^notBefore=(.*)$", said),
        "not_after": found(r"(?m)^notAfter=(.*)$", said),
        "names": re.findall(r"DNS:([^,\s]+)", details),
        "usages": usages(details),
        "authority": "CA:TRUE" in details,
        "signature": found(r"Signature Algorithm: (\S+)", details),
        "algorithm": found(r"Public Key Algorithm: (\S+)", details),
        "bits": int(found(r"Public-Key: \((\d+) bit", details) or 0),
        "public_key": digest_of(key.partition("-----BEGIN PUBLIC KEY-----")[2]) if details else "",
    }


def usages(details: str) -> list[str]:
    """Extended key usages (RFC 5280 4.2.1.12) as openssl names them; empty: any use."""
    listed = found(r"X509v3 Extended Key Usage:[^\n]*\n\s*([^\n]+)", details)
    return [name.strip() for name in listed.split(",")] if listed else []


def found(pattern: str, text: str) -> str:
    """The first match of a pattern's group, or ""."""
    match = re.search(pattern, text)
    return match.group(1) if match else ""


def chain(path: str, authority: str) -> dict[str, Any]:
    """For each use a certificate is put to: "" when it chains to the authority, else why not; openssl-verify(1)."""
    return {use: broken(path, authority, use) for use in ("sslserver", "sslclient")}


def broken(path: str, authority: str, use: str) -> str:
    """ "" when the first certificate of a file chains to the authority, by the others of the file if need be.

    Dates are a fact of their own (`not_before`, `not_after`): one that expired was issued by the right authority still.
    """
    command = ["openssl", "verify", "-no_check_time", "-CAfile", authority, "-purpose", use, "-untrusted", path, path]
    code, said, err = attempt(command)
    return "" if code == 0 else (err or said).strip()[-300:]


def presented(wanted: dict[str, Any], address: str, port: int) -> dict[str, Any]:
    """The certificate that a listener presents in a handshake with the host's own certificate as client, and the chain
    that it sends along; not `in_time` says that there was no end of it, which is neither a right nor a wrong one."""
    where = "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)
    command = ["openssl", "s_client", "-connect", where, "-starttls", "smtp", "-showcerts", "-cert", wanted["chain"]]
    code, said, err = attempt([*command, "-key", wanted["chain"]], "QUIT\r\n", seconds=LISTENER_SECONDS)
    sent = PEM.findall(said)
    why = "" if sent else (err.strip() or said.strip())[-300:]
    found = {"address": address, "port": port, "sha256": digest_of(sent[0]) if sent else "", "error": why}
    return {**found, "chain": sent[:LONGEST_CHAIN], "in_time": code != NO_END}
