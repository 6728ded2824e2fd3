"""Private keys: made on the host, 0600 from creation, never sent anywhere; requests and returned certificates."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from cjsm_connect.remote import common

ALGORITHMS = {
    "rsa-4096": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
    "rsa-3072": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    "ec-p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
}


def settle(key: dict[str, Any]) -> str:
    """Bring one key to where it should be: made, closed and requested; returns its name.

    New objects that nothing refers to yet, and a mode that is only made stricter: harmless before validation.
    """
    fresh = not os.path.exists(key["path"])
    if fresh:
        make(key)
    os.chown(key["path"], 0, 0)
    os.chmod(key["path"], 0o600)
    if fresh or not common.read(key["request_path"]).strip():  # an older request is for a key that is gone
        request(key)
    return str(key["name"])


def make(key: dict[str, Any]) -> None:
    """A new private key (openssl-genpkey(1)), written under umask 077 and renamed into place."""
    fresh = fresh_path(key["path"])
    common.run(["openssl", "genpkey", *ALGORITHMS[key["algorithm"]], "-out", fresh], seconds=120)
    os.chmod(fresh, 0o600)
    os.rename(fresh, key["path"])


def request(key: dict[str, Any]) -> None:
    """A certificate request for the key with its names (openssl-req(1)); server and client use (RFC 5280 4.2.1.12)."""
    fresh = fresh_path(key["request_path"])
    subject = "/O=" + escaped(key["organisation"]) + "/CN=" + escaped(key["common_name"])
    names = "subjectAltName=" + ",".join("DNS:" + name for name in key["names"])
    uses = "extendedKeyUsage=serverAuth,clientAuth"
    wanted = ["-subj", subject, "-addext", names, "-addext", uses]
    common.run(["openssl", "req", "-new", "-utf8", "-key", key["path"], "-out", fresh, *wanted])
    os.chmod(fresh, 0o644)
    os.rename(fresh, key["request_path"])


def escaped(text: str) -> str:
    """A value inside openssl's -subj, where slash, plus and backslash separate."""
    return text.replace("\\", "\\\\").replace("/", "\\/").replace("+", "\\+")


def chain(key: dict[str, Any]) -> str:
    """Key and certificates as one file's text, key first (smtp_tls_chain_files).

    Raises:
        Failed: the certificate is not this key's.
    """
    certificate = key["certificate"]
    wanted = common.run(["openssl", "pkey", "-in", key["path"], "-pubout"])
    found = common.run(["openssl", "x509", "-noout", "-pubkey"], certificate)
    if wanted != found:
        raise common.Failed(f"the returned certificate is not for the key {key['path']}")
    return common.read(key["path"]).rstrip() + "\n" + str(certificate).rstrip() + "\n"


def fresh_path(path: str) -> str:
    """An empty private file beside `path`, for what is renamed over it."""
    descriptor, fresh = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".cjsm-")
    os.close(descriptor)
    return fresh
