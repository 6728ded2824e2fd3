"""How people log in on this host: by SSH, and to their mail. Reads only; standard library of Python 3.9."""

from __future__ import annotations

from typing import Any

from cjsm_connect.remote.common import attempt, run

SSHD = ("passwordauthentication", "kbdinteractiveauthentication", "permitemptypasswords", "usepam", "permitrootlogin")
# Dovecot 2.3 and 2.4 say it by different names (https://doc.dovecot.org/main/core/summaries/settings.html)
DOVECOT = ("disable_plaintext_auth", "auth_allow_cleartext", "ssl")


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments: user, and the addresses from which SSH is used: Match blocks may differ for each (sshd_config(5))."""
    found = {}
    for address in arguments["addresses"]:
        about = "user=%s,host=%s,addr=%s" % (arguments["user"], address, address)
        found[address] = settings(run(["sshd", "-T", "-C", about]))
    return {"sshd": found, "dovecot": dovecot()}


def settings(text: str) -> dict[str, str]:
    """What sshd(8) -T says of log-ins; its keywords are in lower case there."""
    rows = (line.partition(" ") for line in text.splitlines())
    return {word: value.strip().lower() for word, _, value in rows if word in SSHD}


def dovecot() -> dict[str, str]:
    """What Dovecot says of log-ins, where it is installed; doveconf(1)."""
    found = {}
    for name in DOVECOT:
        code, said, _ = attempt(["doveconf", "-h", name], seconds=8)
        if code == 127:
            return {}
        if code == 0:  # the name that this version does not have is an error
            found[name] = said.strip().lower()
    return found
