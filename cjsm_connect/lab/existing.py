"""A mail server that somebody else has set up and that people use: nothing of it was made by us, and all of it must
still work when a server connection has been added.

An administrator's Postfix as they are found: legacy TLS parameters, a smarthost with a password, submission, header
checks, virtual aliases, tables of type hash, services in a chroot, no compatibility_level, wide mynetworks, a fixed
source address; Dovecot for the users; sudo that asks for a password.
"""

from __future__ import annotations

from cjsm_connect.lab.rendering import TEMPLATES

PACKAGES = ("postfix", "dovecot-imapd", "libsasl2-modules", "ssl-cert", "rsyslog", "ca-certificates")
USER, PASSWORD = "clerk", "correct horse 7"
SUDO_PASSWORD = "battery staple 7"  # noqa: S105 - of a host that lives for minutes
SMARTHOST, SMARTHOST_PORT, SMARTHOST_LOGIN = "outside.example", 587, ("council", "staple-battery")


def files() -> tuple[tuple[str, str], ...]:
    """Path and content of everything that its administrator has written."""
    text = {name: (TEMPLATES / "existing" / name).read_text() for name in ("main.cf", "master.cf", "dovecot.conf")}
    return (
        ("etc/postfix/main.cf", text["main.cf"]),
        ("etc/postfix/master.cf", text["master.cf"]),
        ("etc/dovecot/conf.d/99-local.conf", text["dovecot.conf"]),
        ("etc/postfix/virtual", "press@council.example clerk\n"),
        ("etc/postfix/transport", "partner.example smtp:[outside.example]\n"),
        ("etc/postfix/senders", "blocked@internet.example REJECT we have asked you to stop\n"),
        ("etc/postfix/header_checks", "/^X-Office-Room:/ IGNORE\n"),
        ("etc/postfix/sasl_passwd", f"[{SMARTHOST}]:{SMARTHOST_PORT} {':'.join(SMARTHOST_LOGIN)}\n"),
        ("etc/aliases", "postmaster: clerk\nroot: clerk\nit.helpdesk: clerk\nsam.administrator: clerk\n"),
    )


COMMANDS = (
    f"useradd --create-home --shell /usr/sbin/nologin {USER}",
    "useradd --create-home --shell /usr/sbin/nologin solicitor",
    f"printf '%s\\n' '{USER}:{PASSWORD}' 'operator:{SUDO_PASSWORD}' | chpasswd",
    "echo 'operator ALL=(ALL) ALL' > /etc/sudoers.d/operator && chmod 0440 /etc/sudoers.d/operator",
    "chmod 0600 /etc/postfix/sasl_passwd",
    "cd /etc/postfix && postmap hash:virtual hash:transport hash:senders hash:sasl_passwd && newaliases",
    "postfix check  # makes the folders that Postfix makes when it starts: Dovecot's socket lies in one",
    "systemctl enable --quiet postfix dovecot",
)
