"""The hosts: those that are configured, and those that are only looked from."""

from __future__ import annotations

import unicodedata
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from .access import MANAGED_RELEASES
from .values import (
    UNSEEN,
    Address,
    Domain,
    Email,
    Fingerprint,
    Name,
    Part,
    Port,
    RemotePath,
    SecretReference,
    TimeOfDay,
    User,
    refusal,
)


def _plain(path: Path) -> Path:
    """ssh_config(5) has no way to write these: it ends its quotes at the next one, and expands ${...}."""
    text = str(path)
    if any(unicodedata.category(sign) in UNSEEN for sign in text) or any(sign in text for sign in ('"', "\\", "${")):
        raise refusal("a path without quotes, backslashes, ${ and characters that are not seen")
    return path


class Ssh(Part):
    """How a host is reached. Its key comes from a file or from the agent; host keys are pinned elsewhere."""

    user: User
    port: Port = 22
    key_file: Annotated[Path, AfterValidator(_plain)] | None = None
    agent: bool = False
    sudo: Literal["passwordless", "password", "none"]
    sudo_password_ref: SecretReference | None = None

    @model_validator(mode="after")
    def _complete(self) -> Ssh:
        if self.key_file is None and not self.agent:
            raise refusal('key_file = "PATH" or agent = true', "neither a key file nor the agent")
        if (self.sudo == "password") != (self.sudo_password_ref is not None):
            raise refusal(
                'sudo_password_ref = "env:NAME" or "file:PATH" exactly when sudo = "password"',
                "one without the other",
            )
        return self


class Host(Part):
    """A managed host. `interfaces` gives its address in each network; `address` is where SSH reaches it."""

    name: Name
    fqdn: Domain
    role: Literal["relay", "mail", "firewall"]
    release: Literal["trixie", "bookworm", "bullseye"]
    address: Address
    interfaces: dict[str, Address]
    gateway: Address | None = None
    mta: Literal["postfix", "exim"] = "postfix"
    mailboxes: Literal["local", "existing"] = "existing"
    internet_mail: bool = False
    reboot_time: TimeOfDay
    inner_fingerprint: Fingerprint | None = None
    ssh: Ssh

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def managed(self) -> bool:
        """Whether this release is configured, or only assessed."""
        return self.release in MANAGED_RELEASES

    @property
    def addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """All addresses of the host, one for each network it is in."""
        return tuple(self.interfaces.values())


class Vantage(Part):
    """A host that is only looked from. Never configured.

    `source`: the address that tries leave from, if not `address`. `certificates`: chain files (key first, or beside it
    as NAME.key) on that host to try with, by the name that checks use. `mailboxes`: the Maildir on that host for an
    address of another member, where a test message can be seen to arrive.
    """

    name: Name
    address: Address
    network: Name
    source: Address | None = None
    certificates: dict[str, RemotePath] = Field(default_factory=dict)
    mailboxes: dict[Email, RemotePath] = Field(default_factory=dict)
    ssh: Ssh

    def __hash__(self) -> int:
        return hash(self.name)
