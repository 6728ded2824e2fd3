"""The files of a bundle from a run of the checks: plain text and JSON, in an order and form that never vary. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cjsm_connect.organisation import Organisation
from cjsm_connect.printable import lines
from cjsm_connect.results import Run

from . import host_keys
from .certificates import PEM, certificates
from .strict_json import readable
from .transcripts import transcripts

RULESET = "nft --stateless list ruleset"

# what is nobody's business outside: where keys and secrets lie on the controller
PRIVATE_KEYS = frozenset({"folder", "files", "key_file", "agent", "sudo_password_ref", "password_ref", "ca_file"})


@dataclass(frozen=True)
class Material:
    """What a bundle is about, as builtin types; `files` are its payload, all but the report and the signatures."""

    certificates: list[dict[str, Any]]
    host_keys: list[dict[str, str]]
    versions: dict[str, Any]
    configuration: dict[str, str]
    domains_digest: str
    files: dict[str, bytes]


def gather(run: Run, observation: Mapping[str, Any], organisation: Organisation) -> Material:
    """Everything that a bundle says, from one run and the observation that it judged."""
    found = certificates({**observation, "organisation file": _public_files(organisation)})
    keys = host_keys.fingerprints((organisation.files or {}).get("known_hosts", ""))
    software = versions(run, observation)
    texts = configuration(observation)
    domains = "".join(f"{name}\n" for name in organisation.domains.names).encode()
    said = organisation.model_dump(mode="json")
    files = {
        "results.json": readable(run.plain()),
        "observations.json": readable(observation),
        "organisation.json": readable(public(said)),
        "declarations.json": readable(said["declarations"]),
        "waivers.json": readable(waivers(run, said)),
        "versions.json": readable(software),
        "certificates.json": readable(found),
        "certificates.pem": "".join(row["pem"] for row in found).encode(),
        "host_keys.json": readable(keys),
        "domains.txt": domains,
    }
    plain = texts | firewalls(observation) | transcripts(observation, organisation)
    files |= {name: lines(text).encode() for name, text in plain.items()}
    return Material(found, keys, software, texts, hashlib.sha256(domains).hexdigest(), files)


def _public_files(organisation: Organisation) -> dict[str, str]:
    """What the organisation keeps of certificates and authorities; nothing but certificates is taken from it."""
    return {name: "\n".join(PEM.findall(text)) for name, text in (organisation.files or {}).items()}


def waivers(run: Run, said: Mapping[str, Any]) -> dict[str, Any]:
    """Every waiver with its state on the day of the run, and what [[scope]] accepts as not tested."""
    return {"waivers": [asdict(waiver) for waiver in run.waivers], "scope": said["scope"]}


def firewalls(observation: Mapping[str, Any]) -> dict[str, str]:
    """The rules in force on each host, as nft lists them: {file name: text}, or why they were not seen."""
    hosts = observation.get("hosts", {})
    return {f"firewall/{name}.nft": _rules(hosts[name]) for name in sorted(hosts)}


def _rules(entry: Mapping[str, Any]) -> str:
    facts = entry.get("facts", {})
    whole = facts.get("configuration", {}).get("configuration", {}).get(RULESET, "")
    text = whole or facts.get("firewall", {}).get("listing", "")
    return str(text) or f"# not seen: {entry.get('unreachable', 'the host told no rules')}\n"


def public(value: Any) -> Any:
    """The organisation without the places of keys and secrets."""
    if isinstance(value, dict):
        return {key: public(inner) for key, inner in value.items() if key not in PRIVATE_KEYS}
    if isinstance(value, list):
        return [public(inner) for inner in value]
    return value


def versions(run: Run, observation: Mapping[str, Any]) -> dict[str, Any]:
    """Versions of this tool and catalogue, and of the system, packages and generation of each host that answered."""
    hosts = {name: _software(facts) for name, facts in host_facts(observation)}
    return {"cjsm-connect": run.tool_version, "catalogue": run.catalogue_version, "hosts": hosts}


def _software(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`generation` is what the last apply left there: its number, its state, and the digest of its manifest."""
    system = facts.get("system", {})
    found = {name: system[name] for name in ("release", "kernel", "packages") if name in system}
    return found | {"generation": facts.get("configuration", {}).get("generation", {})}


def configuration(observation: Mapping[str, Any]) -> dict[str, str]:
    """The effective configuration of each host as one text: {file name: text}."""
    texts = {}
    for host, facts in host_facts(observation):
        parts = [part for topic in sorted(facts) for part in _parts(facts[topic])]
        if parts:
            texts[f"configuration/{host}.txt"] = "\n".join(parts)
    return texts


def _parts(facts: Any) -> Iterator[str]:
    """What a topic read of the effective configuration: `configuration` maps a file or command to its text."""
    found = facts.get("configuration", {}) if isinstance(facts, dict) else {}
    for source in sorted(found):
        text = str(found[source]).rstrip("\n")
        yield f"##### {source}\n{text}\n"


def host_facts(observation: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The hosts that answered, by name, with their facts."""
    hosts = observation.get("hosts", {})
    return sorted((name, entry["facts"]) for name, entry in hosts.items() if isinstance(entry.get("facts"), dict))
