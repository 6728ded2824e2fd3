"""Postfix as it would act: its settings and services, what its tables answer, its queue, and what it has loaded."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from typing import Any

from cjsm_connect.remote import permissions, postconf, suites, unknown_keys
from cjsm_connect.remote.common import read, started
from cjsm_connect.remote.observe import actions
from cjsm_connect.remote.once import attempt

SIDES = ("smtp", "smtpd")  # programs of master.cf that speak TLS; their settings begin with their names
TABLE = re.compile(r"\b(?:lmdb|hash|btree|cdb|texthash|cidr|pcre|regexp):/[^\s,}]+")


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """`parameters`: names of main.cf settings; `lookups`: {name: {service, parameter, keys}}; `watched`: paths.

    The tables asked are those that the effective setting names, not those that were installed.
    """
    complaints: list[str] = []
    everything = postconf.parsed(said(complaints, *postconf.MAIN))
    main = {name: everything[name] for name in arguments["parameters"] if name in everything}
    found = services(said(complaints, "postconf", "-M"), said(complaints, *postconf.SERVICES))
    said(complaints, "postconf", "-n")
    complaints += permissions.complaints()
    return {
        "version": everything.get("mail_version", ""),
        "main": main,
        "services": found,
        "complaints": complaints,
        "suites": {name: offered(main, service) for name, service in found.items() if service["command"] in SIDES},
        "lookups": {name: looked_up(main, found, wanted) for name, wanted in arguments["lookups"].items()},
        "queue": queue(),
        "loaded": loaded(arguments["watched"]),
        "unknown_keys": unknown_keys.observe(),
        "actions": actions.observe(everything, found),
    }


def said(complaints: list[str], *command: str) -> str:
    """What a program prints; what it says of errors, and warnings, is noted."""
    _, out, err = attempt(list(command))
    complaints += [line for line in err.splitlines() if line.strip()]
    return out


def services(entries: str, options: str) -> dict[str, Any]:
    """master.cf: {"NAME/TYPE": {chroot, command, options: {parameter: value}}}; postconf(1) -M and -P."""
    found: dict[str, Any] = {}
    for line in entries.splitlines():
        fields = line.split(None, 8)
        if len(fields) > 7:
            found[spelled(fields[0] + "/" + fields[1])] = {"chroot": fields[4], "command": fields[7], "options": {}}
    for name, value in postconf.parsed(options).items():
        service, _, parameter = name.rpartition("/")
        if spelled(service) in found:
            found[spelled(service)]["options"][parameter] = value
    return found


def spelled(service: str) -> str:
    """One spelling for services that are the same: `[192.0.2.1]:99` is `192.0.2.1:99`, `25` is `smtp`; master(5)."""
    name, _, kind = service.rpartition("/")
    host, colon, port = name.rpartition(":")
    if kind == "inet" and port == "25" and not host:
        port = "smtp"
    host = host[1:-1] if re.match(r"\[[0-9.]+\]$", host) else host
    return host + colon + port + "/" + kind


def offered(main: dict[str, Any], service: dict[str, Any]) -> list[str]:
    """The TLS 1.2 suites that a service speaks where TLS is mandatory, as OpenSSL reads its settings; postconf(5)."""
    side = service["command"]

    def effective(name: str) -> str:
        return str(service["options"].get(name, main.get(name, "")))

    listed = effective("tls_%s_cipherlist" % effective(side + "_tls_mandatory_ciphers").lower())
    excluded = " ".join(effective(side + name) for name in ("_tls_exclude_ciphers", "_tls_mandatory_exclude_ciphers"))
    return suites.named(":".join([listed, *("!" + name for name in re.split(r"[\s,:]+", excluded) if name)]))


def looked_up(main: dict[str, Any], found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What each key gets from the tables of a setting, asked in their order; the first answer counts, as in Postfix.

    Where `wanted` names a `table`, only that one of them is asked.
    """
    options = found.get(wanted["service"], {}).get("options", {})
    named = TABLE.findall(options.get(wanted["parameter"], main.get(wanted["parameter"], "")))
    tables = [table for table in named if table.endswith("/" + wanted.get("table", table.rpartition("/")[2]))]
    answers: dict[str, Any] = dict.fromkeys(wanted["keys"])
    for table in tables:
        missing = [key for key in wanted["keys"] if answers[key] is None]
        answers.update(answered(table, missing))
    return {"tables": tables, "answers": answers}


def answered(table: str, keys: list[str]) -> dict[str, Any]:
    """The keys that a table knows, with what it says of them; postmap(1) -q.

    A table of the default type is listed instead, -s, as other topics do; its keys are in lower case.
    """
    if table.startswith("lmdb:"):
        rows = dict(line.split("\t", 1) for line in attempt(["postmap", "-s", table])[1].splitlines() if "\t" in line)
        return {key: rows[key.lower()] for key in keys if key.lower() in rows}
    _, out, _ = attempt(["postmap", "-q", "-", table], "".join(key + "\n" for key in keys))
    answers = (line.split("\t", 1) for line in out.splitlines() if "\t" in line)
    return {key: value for key, value in answers if key in keys}


def queue() -> dict[str, Any]:
    """How many messages wait, since when (seconds since 1970), and the most frequent reasons; postqueue(1) -j."""
    code, out, err = attempt(["postqueue", "-j"], seconds=10)
    if code:
        return {"unreadable": err.strip()[-300:]}
    messages = [json.loads(line) for line in out.splitlines()]
    reasons = Counter(
        recipient["delay_reason"]
        for message in messages
        for recipient in message["recipients"]
        if recipient.get("delay_reason")
    )
    return {
        "messages": len(messages),
        "oldest": min((message["arrival_time"] for message in messages), default=None),
        "reasons": [[reason[:300], count] for reason, count in reasons.most_common(5)],
    }


def loaded(paths: list[str]) -> dict[str, Any]:
    """When Postfix read its configuration (its queue manager starts anew at each reload), and the newest of `paths`."""
    ages = {path: os.lstat(path).st_mtime for path in paths if os.path.lexists(path)}
    newest = max(ages, key=lambda path: ages[path], default="")
    return {"at": queue_manager(), "newest": newest, "changed": ages.get(newest)}


def queue_manager() -> Any:
    """The start of qmgr(8) in seconds since 1970; None when it does not run. proc(5)."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if "(qmgr)" in read("/proc/%s/stat" % pid):
            return started(pid)
    return None
