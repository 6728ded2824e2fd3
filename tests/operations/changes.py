"""Another organisation file for the lab while a test runs: what an apply under test has to change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from cjsm_connect.lab import Lab

DOMAINS = '["council.example", "licensing.council.example"]'
POLICY = "[policy]"
FLOW = """
[[flows]]
name = "{name}"
source = ["192.0.2.0/24"]
host = "{host}"
ports = [{port}]
reason = "A change of the firewall."
approver = "Chris Technical"
"""


@contextlib.contextmanager
def changed(lab: Lab, replaced: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """The lab's organisation with a domain added and one removed, another main.cf, longer logs, and a port opened on
    relay and mail server; further pieces of text may be replaced (old by new). The file is put back afterwards, the
    hosts are not."""
    file = lab.organisation_folder / "organisation.toml"
    original = file.read_text()
    flows = "".join(FLOW.format(name=f"more-{host}", host=host, port=8443) for host in ("relay", "mail"))
    text = swapped(original, DOMAINS, '["council.example", "housing.council.example"]')
    text = swapped(text, POLICY, f'{POLICY}\nlog_days = {{ value = 400, source = "a test" }}\n#')
    for old, new in {"queue_lifetime_days = 5": "queue_lifetime_days = 4", **replaced}.items():
        text = swapped(text, old, new)
    file.write_text(text + flows)
    try:
        yield
    finally:
        file.write_text(original)


def swapped(text: str, old: str, new: str) -> str:
    """A text with its one occurrence of `old` replaced."""
    assert text.count(old) == 1, f"expected exactly one {old!r}"
    return text.replace(old, new)
