"""What may stand in a configuration file: each language has one way to take a value in, and refuses all else.

A template of `templates/` is written in one of these languages (TEMPLATES). Whatever it puts in double braces passes
through `Language.value`, or is a comment, or has been through it before (`Written`): there is no other way in. The
values were judged when they were read; here nothing is taken on trust, because a rule at the door may have a gap and
because a file is only as safe as the place where it is written.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from cjsm_connect.organisation.values import UNSEEN
from cjsm_connect.results import CjsmError

SHOWN = 60


class Unwritable(CjsmError):
    """A value cannot be written into a file of some language without meaning something else there."""

    def __init__(self, value: object, language: str, expected: str) -> None:
        text = repr(str(value))
        found = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
        super().__init__(f"{found} cannot be written into a configuration of {language}: expected {expected}.")


class Written(str):
    """Text that is in its language already, so that nothing in it is taken for a value again."""

    __slots__ = ("language",)
    language: str

    def __new__(cls, text: str, language: str) -> Self:
        self = super().__new__(cls, text)
        self.language = language
        return self

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return str(self), self.language  # what copy and pickle make it anew from


@dataclass(frozen=True, slots=True)
class Language:
    """One language. `plain`: the values that mean themselves wherever one may stand. `between`: what separates several
    values; "" where there is no list. `quoted` writes what is not plain, where the language has quotes that hold."""

    name: str
    plain: re.Pattern[str]
    expected: str
    between: str = ""
    quoted: Callable[[str], str] | None = None

    def value(self, value: object) -> Written:
        """A value, or several, as this language writes it.

        Raises:
            Unwritable: it would mean something else there.
        """
        if isinstance(value, Written) and value.language == self.name:
            return value
        if isinstance(value, tuple | list) and self.between:
            return self.written(self.between.join(map(self.value, value)))
        text = str(value)
        if self.quoted:
            return self.written(self.quoted(text))
        if isinstance(value, Written | bool | tuple | list) or value is None or not self.plain.fullmatch(text):
            raise Unwritable(value, self.name, self.expected)
        return self.written(text)

    def words(self, *words: object) -> Written:
        """Several values with a space between them: one item of a list."""
        return self.written(" ".join(map(self.value, words)))

    def comment(self, value: object) -> Written:
        """Any text as (part of) a comment: one line, in which nothing is unseen."""
        return self.written(one_line(str(value)))

    def written(self, text: str) -> Written:
        """Text of our own, put together of values that have been through here."""
        return Written(text, self.name)


def one_line(text: str) -> str:
    """A text on one line, without characters that are not seen or that move others."""
    seen = "".join(" " if unicodedata.category(character) in UNSEEN else character for character in text)
    return " ".join(seen.split())


def _shell_word(text: str) -> str:
    if "\0" in text or "\n" in text:
        raise Unwritable(text, "sh", "one line")
    return shlex.quote(text)


def _language(name: str, characters: str, *, empty: bool = False, between: str = "") -> Language:
    plain = re.compile(f"[{characters}]{'*' if empty else '+'}")
    told = f"{'nothing, or ' if empty else ''}characters of [{characters}] only".replace("\\", "")
    return Language(name, plain, told, between)


# Letters and digits are ASCII. What is missing from each: white space, quotes, and whatever its manual gives a meaning.
# postconf(5): "$" expands, comma and white space separate, braces enclose, "#" begins a comment
POSTFIX = _language("Postfix", r"A-Za-z0-9._:/+@=<>\[\]-", empty=True, between=", ")
# nft(8): braces, comma and hyphen (a range) build sets, "$" and "@" name things
NFT = _language("nft", r"A-Za-z0-9._:/", between=", ")
# apt.conf(5): quote, semicolon and braces end things, "//" begins a comment but in quotes
APT = _language("apt", r"A-Za-z0-9._:/+~=@,\[\]-")
# clamd.conf(5), freshclam.conf(5): an option a line, white space separates
CLAMAV = _language("ClamAV", r"A-Za-z0-9._:/+~=@,\[\]-")
# systemd.syntax(7), systemd.unit(5): "%" and "$" expand, a backslash at the end joins lines; "*" is for calendars
SYSTEMD = _language("systemd", r"A-Za-z0-9._:/*-")
# chrony.conf(5): an option a line, white space separates; "!", ";", "#" and "%" begin comments
CHRONY = _language("chrony", r"A-Za-z0-9._:/-")
# rsyslog: a value stands in double quotes, in which backslash and "%" (templates) mean something
RSYSLOG = _language("rsyslog", r"A-Za-z0-9._:/-")
# logrotate(8): white space, quotes, braces and globs
LOGROTATE = _language("logrotate", r"A-Za-z0-9._/-")
# /usr/share/doc/ulogd2: an ini file
ULOGD = _language("ulogd", r"A-Za-z0-9._/-")
SSHD = _language("sshd", "A-Za-z0-9")
PERL = _language("needrestart", "0-9")
PYTHON = _language("Python", "0-9")
YARA = _language("YARA", "0-9")
SHELL = Language("sh", re.compile(".*"), "one line", between=" ", quoted=_shell_word)

TEMPLATES = {
    "antivirus/clamav-daemon.service.conf.j2": SYSTEMD,
    "antivirus/clamav-daemon.socket.conf.j2": SYSTEMD,
    "antivirus/clamav-milter.conf.j2": CLAMAV,
    "antivirus/clamav-milter.service.j2": SYSTEMD,
    "antivirus/clamd.conf.j2": CLAMAV,
    "antivirus/freshclam.conf.j2": CLAMAV,
    "antivirus/unopened.yara.j2": YARA,
    "antivirus/wait-for-signatures.j2": SHELL,
    "firewall/cjsm.nft.j2": NFT,
    "firewall/logrotate.j2": LOGROTATE,
    "firewall/nftables.service.j2": SYSTEMD,
    "firewall/sshd.conf.j2": SSHD,
    "firewall/ulogd.conf.j2": ULOGD,
    "firewall/ulogd2.service.j2": SYSTEMD,
    "logging/chrony-container.conf.j2": SYSTEMD,
    "logging/chrony.conf.j2": CHRONY,
    "logging/journald.conf.j2": SYSTEMD,
    "logging/logrotate.j2": LOGROTATE,
    "logging/rsyslog.conf.j2": RSYSLOG,
    "patching/apt.conf.j2": APT,
    "patching/needrestart.conf.j2": PERL,
    "patching/pending-updates.j2": PYTHON,
    "patching/pending.service.j2": SYSTEMD,
    "patching/pending.timer.j2": SYSTEMD,
    "patching/timer.conf.j2": SYSTEMD,
    "relay/aliases.j2": POSTFIX,
    "relay/client.j2": POSTFIX,
    "relay/delivery-status.j2": POSTFIX,
    "relay/listener.j2": POSTFIX,
    "relay/mail-main.cf.j2": POSTFIX,
    "relay/mail-master.cf.j2": POSTFIX,
    "relay/main.cf.j2": POSTFIX,
    "relay/master.cf.j2": POSTFIX,
    "relay/people.j2": POSTFIX,
    "relay/standard.j2": POSTFIX,
}


def nft_comment(text: str, longest: int) -> Written:
    """A text between the double quotes of an nft comment: nft knows no escapes there. Cut between characters after
    `longest` bytes."""
    plain = one_line(text.replace('"', "'")).replace("\\", "/")
    return NFT.written(plain.encode()[:longest].decode(errors="ignore"))


KEY = re.compile(r"[^\s#\x00-\x20\x7f][^\s\x00-\x20\x7f]*")
SPECIAL_KEYS = re.compile(r"(?i)(if|endif|!.*)")
PATTERN = re.compile(r"/(?:[^/\s\\]| |\\[^\s/])+/")


def table_row(key: str, value: str, kind: str) -> None:
    """A row of a Postfix table: a key without white space, and a value on one line that is not trimmed (postmap(1)).

    Among regular expressions a condition is `if` with a pattern, its end `endif` with nothing (regexp_table(5)).

    Raises:
        Unwritable: the row would be a comment, a continuation, a condition, or more rows than one.
    """
    if kind == "regexp":
        if (key == "if" and PATTERN.fullmatch(value)) or (key, value) == ("endif", ""):
            return
        if not PATTERN.fullmatch(key):
            raise Unwritable(key, "a Postfix table of regular expressions", "/PATTERN/, in which only spaces are white")
    elif not KEY.fullmatch(key) or (kind != "lmdb" and SPECIAL_KEYS.fullmatch(key)):
        raise Unwritable(key, "a Postfix table", "a key without white space that does not begin with #")
    if not value or value != value.strip() or not _all_seen(value):
        raise Unwritable("(the value)", "a Postfix table", "a text on one line, with no space at its ends")


def _all_seen(text: str) -> bool:
    """Whether all of it is seen; ASCII, which is nearly everything, is asked at once."""
    return text.isprintable() if text.isascii() else all(map(seen, text))


def seen(character: str) -> bool:
    """Whether a character is one that is seen (a space is)."""
    return unicodedata.category(character) not in UNSEEN


MEANS_MORE = frozenset(r"^$*+?()[]{}|\/ ")


def regexp_literal(name: str) -> str:
    """A domain as a part of a regular expression that stands for itself (re_format(7)): only its dots mean more.

    Raises:
        Unwritable: there is something in it that no domain has.
    """
    if not name or MEANS_MORE & set(name) or not all(map(seen, name)):
        raise Unwritable(name, "a regular expression", "letters, digits, hyphens and dots")
    return name.replace(".", r"\.")


PARAMETER = re.compile(r"[a-z][a-z0-9_]*")


def setting(form: str, name: str, value: str | None) -> None:
    """A setting of ours for an administrator's main.cf, or a service for master.cf; None takes it away.

    Raises:
        Unwritable: it would be more than one setting, or is a service that no template of Postfix's has made.
    """
    if value is None:
        return
    if form == "master.cf" and not (isinstance(value, Written) and value.language == POSTFIX.name):
        raise Unwritable(value, POSTFIX.name, "a service that a template has made")
    if form == "main.cf" and (not PARAMETER.fullmatch(name) or not all(map(seen, value)) or "$" in value):
        raise Unwritable(value, POSTFIX.name, "one parameter and a value on one line, in which nothing expands")


SSH_PATTERN = re.compile(r"[*?\[\]{}%]")


def ssh_value(value: object, *, pattern: bool = False) -> str:
    """A value between double quotes in ssh_config(5), where "%" begins a token; with `pattern` a path that may be taken
    for a glob(7) pattern.

    Raises:
        Unwritable: there is no way to write it there.
    """
    text = str(value)
    if not text or not all(map(seen, text)) or any(sign in text for sign in ('"', "\\", "${")):
        raise Unwritable(text, "ssh", "a text on one line without quotes, backslashes and ${")
    if pattern and SSH_PATTERN.search(text):
        raise Unwritable(text, "ssh", "a path without *, ?, %, brackets and braces")
    return '"' + text.replace("%", "%%") + '"'
