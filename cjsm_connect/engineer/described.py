"""What a probe has found of one target, for people; and whether it is something that somebody has to look at. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cjsm_connect.engineer.against import AGREES, CONTRADICTS, UNCOMPARABLE

ACTIVE = {
    "wrong_certificate": "wrong cert.",
    "clear_text": "clear text",
    "unknown_recipient": "unknown rcpt",
    "relay": "relaying",
    "size": "too large",
}
WORDS = {"refused": "refused", "accepted": "ACCEPTED", "not_tested": "not tested"}


def found_something(facts: Mapping[str, Any]) -> bool:
    """No answer where there should be one, something accepted that should be refused, or a contradiction."""
    tests = facts.get("active", {}).get("tests", {}).values()
    against = facts.get("against", {})
    contradicted = any(row["verdict"] == CONTRADICTS for row in against.get("rows", []))
    answered = facts["outcome"] == "answered" or "result" in against
    return contradicted or not answered or any(test["result"] == "accepted" for test in tests)


def described(facts: Mapping[str, Any]) -> list[str]:
    """One target for people."""
    session = facts.get("session", {})
    tls = session.get("tls") or {}
    word = "answered" if facts["outcome"] == "answered" else facts["outcome"].replace("_", " ").upper()
    said = facts.get("said") or session.get("said", "")
    first = (tls.get("certificates") or [{}])[0]
    rows = {
        "address": ", ".join(facts.get("addresses", [])),
        "name of it": facts.get("ptr", ""),
        "greeting": session.get("greeting", {}).get("text", ""),
        "STARTTLS": session.get("starttls", ""),
        "size": f"{session['size']} bytes" if session.get("size") else "",
        "TLS": f"{tls['version']}, {tls['cipher']}" if tls.get("version") else "",
        "certificate": first.get("subject") or first.get("problem", ""),
        "issued by": first.get("issuer", ""),
        "its names": ", ".join(first.get("names", [])),
        "valid": " to ".join(first[name] for name in ("not_before", "not_after") if name in first),
        "name matches": {True: "yes", False: "NO", None: ""}[tls.get("name_matches")],
        "chain": _chain(session.get("chain")),
        "client cert.": session.get("client_certificate", ""),
        **facts.get("versions", {}),
        **dict(_ciphers(facts.get("ciphers", {}))),
        **dict(_active(facts.get("active", {}))),
    }
    head = f"{facts['target']}: {word}{f': {said}' if said else ''} ({facts['seconds']} s)"
    told = [head, *(f"  {name:<14} {text}" for name, text in rows.items() if text)]
    return [*told, *_against(facts.get("against", {}))]


def _against(found: Mapping[str, Any]) -> Iterator[str]:
    """Contradictions first; what agrees in one line each."""
    if "result" in found:
        yield f"  {found['result']}"
    for verdict in (CONTRADICTS, UNCOMPARABLE, AGREES):
        for row in found.get("rows", []):
            if row["verdict"] == verdict:
                yield f"  {_verdict(row)}"


def _verdict(row: Mapping[str, str]) -> str:
    word = row["verdict"].upper() if row["verdict"] == CONTRADICTS else row["verdict"]
    both = row["seen"] if row["verdict"] == AGREES else f"claimed {row['claimed'] or 'nothing'}, seen {row['seen']}"
    why = f" ({row['why']})" if row["why"] else ""
    return f"{word}: {row['what']}: {both}{why}"


def _chain(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    word = {True: "verifies", False: "DOES NOT VERIFY"}.get(found["verified"], "could not be told")
    return f"{word}{': ' if found['said'] else ''}{found['said']}"


def _ciphers(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not found:
        return
    older = found["TLSv1.2"]
    yield "TLS 1.3 chose", found["TLSv1.3"]["chosen"] or found["TLSv1.3"]["said"]
    yield "1.2 accepts", ", ".join(older["accepted"]) or "nothing"
    yield "1.2 refuses", f"{len(older['refused'])} suites" if older["refused"] else ""
    yield "1.2 not tested", "; ".join(_together(older["not_tested"]))


def _together(untold: Mapping[str, str]) -> Iterator[str]:
    """Each reason once, with all that it holds for."""
    for why in dict.fromkeys(untold.values()):
        names = [name for name, one in untold.items() if one == why]
        yield f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: {why}"


def _active(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "not_tested" in found:
        yield "active", f"not tested: {found['not_tested']}"
    if "tests" in found:
        yield "authorised by", found["authorised"]
        for name, label in ACTIVE.items():
            test = found["tests"][name]
            yield label, f"{WORDS[test['result']]}: {test['said']}"
