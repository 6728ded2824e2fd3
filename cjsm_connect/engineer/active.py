"""The questions that try something: a wrong certificate, clear text, relaying, too large a message, unknown recipients.

They are asked only where somebody has authorised them. What is said ends at RCPT: there is no DATA and no BDAT in here,
so no message can be delivered whatever the other side accepts. The sender is the null sender or one of that domain.
A refusal counts only beside the positive control: the same session gets `postmaster` of the domain accepted (RFC 5321,
4.5.1, demands that), else whoever refuses everything would pass.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cjsm_connect.engineer.line import Line, Reply, Trouble
from cjsm_connect.engineer.session import Manner, connected, expected, secured
from cjsm_connect.engineer.targets import Permission, Target

FOREIGN = "nobody@example.org"  # reserved (RFC 2606), and it has no mailboxes
SAID = frozenset({"EHLO", "MAIL", "RCPT", "RSET", "QUIT"})
TESTS = ("wrong_certificate", "clear_text", "unknown_recipient", "relay", "size")
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom, how, by whose leave, and what the session that only looked has shown."""

    target: Target
    address: str
    manner: Manner
    permission: Permission
    session: Mapping[str, Any]

    @property
    def postmaster(self) -> str:
        """A recipient that must exist (RFC 5321, 4.5.1)."""
        return f"postmaster@{self.permission.domain}"


async def tried(target: Target, address: str, manner: Manner, session: Mapping[str, Any]) -> dict[str, Any]:
    """{"authorised": by whom, "control": answer, "tests": {name: {"result", "said"}}}, or {"not_tested": why}."""
    permission = target.permission
    refusal = permission.refusal(datetime.now(UTC).date()) if permission else "not authorised"
    if refusal or permission is None:
        return {"not_tested": refusal}
    if session["starttls"] == "not known":
        return {"not_tested": f"no session: {session['said']}"}
    asking = Asking(target, address, manner, permission, session)
    control, tests = await _over_tls(asking)
    tests["clear_text"] = await _guarded(_clear_text(asking, control))
    tests["wrong_certificate"] = await _guarded(_wrong(asking, control))
    who = f"{permission.by}, {permission.first} ({permission.source})"
    return {"authorised": who, "control": control, "tests": tests}


def untested(why: str) -> Answer:
    """No answer to a question, and why."""
    return {"result": "not_tested", "said": why}


async def _guarded(answer: Any) -> Answer:
    try:
        found: Answer = await answer
    except Trouble as trouble:
        return untested(str(trouble))
    return found


async def say(line: Line, text: str) -> Reply:
    """One command; anything that could carry a message is a mistake in this program."""
    if text[:4].upper() not in SAID:
        raise AssertionError(f"never said: {text}")
    return await line.command(text)


@asynccontextmanager
async def _session(asking: Asking, **options: Any) -> AsyncIterator[Line]:
    """A session over TLS, greeted anew, with our certificate unless `options` name another."""
    line = await connected(asking.target, asking.address, asking.manner)
    try:
        await secured(line, asking.target, asking.manner, options)
        expected(await say(line, f"EHLO {asking.manner.helo}"), 250, "EHLO over TLS")
        yield line
    finally:
        line.close()


async def _over_tls(asking: Asking) -> tuple[Answer, dict[str, Answer]]:
    """The positive control, and what one session can ask after it."""
    tests = dict.fromkeys(TESTS, untested("the session ended before it"))
    control = untested("the session ended before it")
    try:
        async with _session(asking) as line:
            control = judged(await envelope(line, "", asking.postmaster))
            accepts = control["result"] == "accepted"
            tests["unknown_recipient"] = await _unknown(line, asking.permission, accepts)
            tests["relay"] = await _relay(line, asking.permission, accepts, tests["unknown_recipient"])
            tests["size"] = await _size(line, asking.session)
            await say(line, "QUIT")
    except Trouble as trouble:
        late = untested(str(trouble))
        control = late if control["result"] == "not_tested" else control
        tests = {
            name: late if answer["said"] == "the session ended before it" else answer for name, answer in tests.items()
        }
    return control, tests


async def envelope(line: Line, sender: str, recipient: str, options: str = "") -> Reply:
    """The first reply to MAIL and RCPT that is no consent, else the last; then RSET, so that nothing is left of it."""
    reply = await say(line, f"MAIL FROM:<{sender}>{options}")
    if reply.code == 250 and recipient:
        reply = await say(line, f"RCPT TO:<{recipient}>")
    if reply.code != 421:
        await say(line, "RSET")
    return reply


def judged(reply: Reply) -> Answer:
    """2xx is accepted, 5xx refused; 4xx may become either (RFC 5321, 4.2.1)."""
    result = {2: "accepted", 5: "refused"}.get(reply.code // 100, "not_tested")
    return {"result": result, "said": f"{reply.code} {reply.text}"}


def controlled(answer: Answer, accepts: bool) -> Answer:
    """A refusal by who accepts its own postmaster is one; by who refuses everything it says nothing."""
    if answer["result"] != "refused" or accepts:
        return answer
    return untested(f"its own postmaster is not accepted either, so this says nothing: {answer['said']}")


async def _unknown(line: Line, permission: Permission, accepts: bool) -> Answer:
    name = f"no-such-mailbox-{secrets.token_hex(4)}"
    return controlled(judged(await envelope(line, "", f"{name}@{permission.domain}")), accepts)


async def _relay(line: Line, permission: Permission, accepts: bool, unknown: Answer) -> Answer:
    """Each form in which others have been let through; accepted as soon as one is."""
    local, _, domain = FOREIGN.partition("@")
    ours = permission.domain
    forms = [("", FOREIGN), (f"postmaster@{ours}", FOREIGN)]
    if unknown["result"] == "refused":  # who takes every name takes these too, as names, and that is no relaying
        forms += [("", f"{local}%{domain}@{ours}"), ("", f'"{FOREIGN}"@{ours}'), ("", f"@{ours}:{FOREIGN}")]
    said = []
    for sender, recipient in forms:
        answer = controlled(judged(await envelope(line, sender, recipient)), accepts)
        if answer["result"] != "refused":
            return {**answer, "said": f"from <{sender}> to <{recipient}>: {answer['said']}"}
        said.append(f"{answer['said']}")
    return {"result": "refused", "said": "; ".join(dict.fromkeys(said)), "forms": len(forms)}


async def _size(line: Line, session: Mapping[str, Any]) -> Answer:
    """RFC 1870: what is declared to be larger than the limit is refused at MAIL, and what is small is not."""
    limit = session["size"]
    if not limit:
        return untested("no SIZE is announced" if limit is None else "SIZE 0: no limit is announced")
    small = await envelope(line, "", "", " SIZE=1000")
    return controlled(judged(await envelope(line, "", "", f" SIZE={limit + 1}")), small.code == 250)


async def _clear_text(asking: Asking, control: Answer) -> Answer:
    line = await connected(asking.target, asking.address, asking.manner)
    try:
        expected(await line.reply(), 220, "greeting")
        expected(await say(line, f"EHLO {asking.manner.helo}"), 250, "EHLO")
        reply = await envelope(line, "", asking.postmaster)
    finally:
        line.close()
    told = reply.code == 530  # "Must issue a STARTTLS command first" (RFC 3207, section 4)
    return controlled(judged(reply), told or control["result"] == "accepted")


async def _wrong(asking: Asking, control: Answer) -> Answer:
    """A certificate that nobody vouches for. The control is our own, with which the same session came about."""
    if asking.session["client_certificate"] != "asked":
        return untested("no client certificate is asked for")
    if not asking.manner.certificate or asking.session["outcome"] != "answered":
        return untested("without a certificate that is accepted (--certificate), a refusal of another says nothing")
    try:
        async with _session(asking, certificate=asking.manner.wrong, key=None) as line:
            reply = await envelope(line, "", asking.postmaster)
    except Trouble as trouble:
        # 421 4.7.x is Postfix's word for a certificate that it does not trust, any other 421 that it is busy
        if trouble.kind in ("tls_refused", "closed", "turned_away") or "421 4.7." in str(trouble):
            return {"result": "refused", "said": str(trouble)}
        raise
    return controlled(judged(reply), control["result"] == "accepted")
