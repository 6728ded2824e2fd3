"""A third party attacks a redacted bundle with all addresses of RFC 1918 and a list of host names."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from ipaddress import IPv4Address, IPv4Network

import pytest

from cjsm_connect.evidence import DSSE, bundle, statement
from cjsm_connect.evidence.commitments import COMMITMENTS, SALTS
from cjsm_connect.evidence.strict_json import readable
from cjsm_connect.reports import oscal
from cjsm_connect.results.stored import run_of
from tests.evidence.estate import INNER, NAMES, TERM, original, redacted
from tests.evidence.samples import REQUIREMENTS, key

RFC_1918 = [IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
NEAR = IPv4Network("10.20.0.0/16")  # where this estate is: searched with every digest and key
PLAIN = (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512)
HOSTS = ("mail", "mx", "relay", "gateway", "vault", "srv-judicial", "wall", "fw", "dc", "exchange", "hub", "proxy")
GUESSES = [
    *(f"{host}{middle}{number}.{domain}" for host in HOSTS for middle in ("", "-", "-0") for number in range(1, 10)
      for domain in ("intern.example", "council.example", "cjsm.example")),
    *(f"{host}.{domain}" for host in HOSTS for domain in ("intern.example", "council.example", "cjsm.example")),
]  # fmt: skip


@cache
def sent() -> dict[str, bytes]:
    """A redacted bundle as the third party has it, signatures and all; the envelope's payload is unpacked too."""
    run = run_of(json.loads(redacted()["results.json"]))
    files = redacted() | {name: readable(one) for name, one in oscal.documents(run, REQUIREMENTS).items()}
    said = statement.state(run, files, TERM, "ab" * 32)
    signed = bundle.sign(files, said, key())
    return signed | {"payload": base64.b64decode(json.loads(signed[DSSE])["payload"])}


def digests(files: Iterable[bytes]) -> set[bytes]:
    """Everything in there that may be a digest: hex with or without colons, UUIDs, base64."""
    found = set()
    for content in files:
        text = content.decode("utf-8", "replace")
        for hexed in re.findall(r"[0-9a-fA-F]{2}(?:[:-]?[0-9a-fA-F]{2}){7,63}", text):
            found.add(bytes.fromhex(re.sub("[:-]", "", hexed)))
        found |= set(_unpacked(re.findall(r"[A-Za-z0-9+/_-]{11,}={0,2}", text)))
    return found


def _unpacked(texts: list[str]) -> Iterator[bytes]:
    for text in texts:
        try:
            yield base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=None)
        except (ValueError, binascii.Error):
            continue


def recovered(files: dict[str, bytes], values: Iterable[str]) -> set[str]:
    """The values that an attacker finds: written out, or as a digest, also with any name in the bundle as the key."""
    texts = [content.decode("utf-8", "replace") for content in files.values()]
    whole, known = "\n".join(texts), digests(files.values())
    known |= {value[:size] for value in known for size in (8, 16, 20)}
    visible = [b"", *(row["field"].encode() for row in json.loads(files[COMMITMENTS])[:6]), b"Exampleshire Council"]
    visible += [bytes.fromhex("ab" * 32), ("ab" * 32).encode()]
    words = set(re.findall(r"[\w.-]+", whole))
    return {value for value in values if value in words or any(one in known for one in _forms(value, visible))}


def _forms(value: str, keys: list[bytes]) -> Iterator[bytes]:
    data = value.encode()
    for plain in PLAIN:
        digest = plain(data).digest()
        yield from (digest, digest[:8], digest[:16], digest[:20])
    yield from (hmac.digest(one, data, "sha256") for one in keys)
    yield from (data, base64.b64encode(data))


WEAK: dict[str, Callable[[bytes], str]] = {
    "digests without a salt": lambda value: hashlib.sha256(value).hexdigest(),
    "one key that the bundle names": lambda value: hmac.new(b"Exampleshire Council", value, "sha256").hexdigest(),
}


def weakened(way: str) -> dict[str, bytes]:
    """The same bundle with commitments made in a way that is not enough."""
    rows = json.loads(original()[SALTS])
    made = [{"field": row["field"], "hmac_sha256": WEAK[way](row["value"].encode())} for row in rows]
    return sent() | {COMMITMENTS: json.dumps(made).encode()}


def test_no_address_of_the_estates_own_network_is_recovered() -> None:
    assert not recovered(sent(), map(str, NEAR))


def test_no_host_name_of_the_list_is_recovered_but_the_relays_public_one() -> None:
    assert set(NAMES[:2]) <= {*GUESSES, *NAMES[:2]}
    assert recovered(sent(), {*GUESSES, *NAMES, "relay.council.example"}) == {"relay.council.example"}


@pytest.mark.parametrize("way", WEAK)
def test_the_same_attack_recovers_everything_from_commitments_that_can_be_guessed(way: str) -> None:
    part = IPv4Network("10.20.16.0/20")
    assert recovered(weakened(way), map(str, part)) == {*INNER, "10.20.30.0"}
    assert set(NAMES) <= recovered(weakened(way), {*GUESSES, *NAMES})


def test_no_address_of_rfc_1918_is_written_in_it_in_any_notation() -> None:
    """All 17,891,328: what is written is read, which is every address at once."""
    for name, content in sent().items():
        text = content.decode("utf-8", "replace")
        written = [
            IPv4Address(one) for one in re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", text) if _is(one)
        ]
        written += [
            IPv4Address(int(one)) for one in re.findall(r"(?<![\w.])\d{9,10}(?![\w.])", text) if int(one) < 2**32
        ]
        inside = [address for address in written if any(address in network for network in RFC_1918)]
        assert not inside, name


def _is(text: str) -> bool:
    return all(int(part) < 256 for part in text.split("."))


@pytest.mark.slow
def test_no_digest_in_it_is_the_sha_256_of_any_address_of_rfc_1918() -> None:
    """All 17,891,328 are tried, against the bundle and against one whose commitments are such digests."""
    known, weak = digests(sent().values()), digests(weakened("digests without a salt").values())
    either, digest_of = known | weak, hashlib.sha256
    tried, found, control = 0, set(), set()
    for prefix in _prefixes():
        for last in LAST:
            if (digest := digest_of(prefix + last).digest()) in either:
                (found if digest in known else control).add((prefix + last).decode())
        tried += len(LAST)
    assert tried == sum(network.num_addresses for network in RFC_1918) == 17_891_328
    assert not found and control == {*INNER, "10.20.30.0"}


LAST = [b"%d" % number for number in range(256)]


def _prefixes() -> Iterator[bytes]:
    for network in RFC_1918:
        for third in network.subnets(new_prefix=24):
            yield str(third.network_address).rpartition(".")[0].encode() + b"."
