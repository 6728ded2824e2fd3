"""A list of revoked certificates counts only when it is the issuer's own, whole, and about that certificate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cjsm_connect.probes.revocation import addresses, certificates, described, path

NOW = datetime(2026, 11, 21, tzinfo=UTC)
URL = "http://pki.example/ca.crl"
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "ca", "other", "leaf")}
Builder = x509.CertificateRevocationListBuilder


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def uri(address: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(address)]


def usage(lists: bool) -> x509.KeyUsage:
    return x509.KeyUsage(False, False, False, False, False, True, lists, False, False)


def made(subject: str, issuer: str, *, urls: tuple[str, ...] = (URL,), ca: bool = True, lists: bool = True) -> Any:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject)).issuer_name(name(issuer)).public_key(KEYS[subject].public_key())
        .serial_number(77).not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )  # fmt: skip
    if ca:
        builder = builder.add_extension(usage(lists), critical=True)
    if urls:
        points = [x509.DistributionPoint(uri(url), None, None, None) for url in urls]
        builder = builder.add_extension(x509.CRLDistributionPoints(points), critical=False)
    return builder.sign(KEYS[issuer], hashes.SHA256())


def listed(
    *serials: int, issuer: str = "ca", key: str = "ca", when: datetime = NOW,
    also: Callable[[Builder], Builder] = lambda builder: builder, form: Any = serialization.Encoding.DER,
) -> bytes:  # fmt: skip
    builder = Builder().issuer_name(name(issuer)).last_update(when).next_update(when + timedelta(days=7))
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when - timedelta(days=1))
        reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
        builder = builder.add_revoked_certificate(entry.add_extension(reason, critical=False).build())
    return also(builder).sign(KEYS[key], hashes.SHA256()).public_bytes(form)


def only(**limits: Any) -> Callable[[Builder], Builder]:
    unlimited: dict[str, Any] = {
        "full_name": None, "relative_name": None, "only_contains_user_certs": False, "only_contains_ca_certs": False,
        "only_some_reasons": None, "indirect_crl": False, "only_contains_attribute_certs": False,
    }  # fmt: skip
    point = x509.IssuingDistributionPoint(**{**unlimited, **limits})
    return lambda builder: builder.add_extension(point, critical=True)


LEAF, CA = made("leaf", "ca", ca=False), made("ca", "root")


def told(data: bytes | str, leaf: Any = LEAF, issuer: Any = CA, kept: str = "") -> dict[str, Any]:
    return described(leaf, issuer, {URL: data}, kept)


def test_a_certificate_that_is_not_on_the_list_is_not_revoked() -> None:
    row = told(listed(1, 2, 3))
    assert row["list"]["revoked"] is None
    assert (row["list"]["from"], row["serial"], row["trouble"]) == (URL, "4d", [])
    assert row["list"]["next_update"].startswith("2026-11-28")


def test_a_certificate_on_the_list_is_revoked_with_its_day_and_reason() -> None:
    assert told(listed(77))["list"]["revoked"] == {"on": "2026-11-20T00:00:00+00:00", "reason": "keyCompromise"}


def test_a_list_in_pem_is_read_too() -> None:
    assert told(listed(77, form=serialization.Encoding.PEM))["list"]["revoked"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<html>not found</html>", "cannot be read"),
        ("no answer within 3 seconds", "no answer within 3 seconds"),
        (listed(issuer="other", key="other"), "it is the list of CN=other"),
        (listed(key="other"), "not signed by the issuer"),
        (listed(also=only(indirect_crl=True)), "indirect"),
        (listed(also=only(only_some_reasons=frozenset({x509.ReasonFlags.superseded}))), "some reasons only"),
        (listed(also=only(only_contains_ca_certs=True)), "another kind of certificates"),
        (listed(also=only(full_name=uri("http://pki.example/part-2.crl"))), "another part"),
        (listed(also=lambda builder: builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)), "delta"),
        (
            listed(
                also=lambda builder: builder.add_extension(
                    x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), b"\x05\x00"), critical=True
                )
            ),
            "critical extension that is not understood: 1.3.6.1.4.1.32473.1",
        ),
    ],
)
def test_what_is_not_understood_says_nothing_of_the_certificate(data: bytes | str, why: str) -> None:
    row = told(data)
    assert row["list"] is None
    assert why in row["trouble"][0]
    assert row["trouble"][0].startswith(URL)


def test_the_part_of_a_list_that_the_certificate_names_is_enough() -> None:
    assert told(listed(77, also=only(full_name=uri(URL), only_contains_user_certs=True)))["list"]["revoked"]


def test_an_issuer_that_may_not_sign_lists_has_none() -> None:
    assert "does not allow it" in told(listed(), issuer=made("ca", "root", lists=False))["trouble"][0]


def test_the_newest_usable_list_counts_whether_fetched_or_from_the_file() -> None:
    kept = listed(77, when=NOW + timedelta(hours=1), form=serialization.Encoding.PEM).decode()
    strange = listed(issuer="other", key="other", form=serialization.Encoding.PEM).decode()
    row = told(listed(), kept=strange + kept)
    assert row["list"]["from"] == "crl_file" and row["list"]["revoked"]
    assert row["trouble"] == []
    assert told(listed(when=NOW + timedelta(hours=2)), kept=kept)["list"]["from"] == URL


def test_a_damaged_file_is_trouble_and_no_exception() -> None:
    row = told("closed", kept="-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n")
    assert row["list"] is None
    assert "crl_file: it cannot be read" in row["trouble"][1]


def test_addresses_of_directories_are_named_but_not_asked() -> None:
    leaf = made("leaf", "ca", ca=False, urls=("ldap:///CN=ca,DC=council,DC=example", URL))
    row = told(listed(), leaf)
    assert row["list"]["from"] == URL
    assert row["trouble"] == [
        "ldap:///CN=ca,DC=council,DC=example: only addresses that begin with http:// are asked",
    ]


def test_points_for_some_reasons_or_of_another_issuer_are_left_out() -> None:
    points = [
        x509.DistributionPoint(uri("http://a.example/"), None, frozenset({x509.ReasonFlags.superseded}), None),
        x509.DistributionPoint(uri("http://b.example/"), None, None, [x509.DirectoryName(name("other"))]),
    ]
    bare = made("leaf", "ca", ca=False, urls=())
    assert addresses(bare) == []
    leaf = (
        x509.CertificateBuilder(name("ca"), name("leaf"), KEYS["leaf"].public_key(), 5, NOW, NOW + timedelta(1))
        .add_extension(x509.CRLDistributionPoints(points), critical=False)
        .sign(KEYS["ca"], hashes.SHA256())
    )
    assert addresses(leaf) == []


def test_a_chain_is_followed_to_the_trusted_root_in_any_order_and_no_further() -> None:
    root = made("root", "root", urls=())
    assert path([LEAF, root, CA], [root]) == [LEAF, CA, root]
    assert path([LEAF], [CA]) == [LEAF, CA]
    assert path([LEAF, CA], [made("other", "other")]) == []
    assert path([], [root]) == []


def test_a_certificate_that_only_bears_the_issuers_name_leads_nowhere() -> None:
    impostor = x509.CertificateBuilder(
        name("other"), name("ca"), KEYS["other"].public_key(), 6, NOW, NOW + timedelta(1)
    )
    assert path([LEAF], [impostor.sign(KEYS["other"], hashes.SHA256())]) == []


def test_text_that_is_no_certificate_has_none() -> None:
    assert certificates("") == [] == certificates("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
