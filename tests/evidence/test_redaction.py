"""A redacted bundle: pseudonyms that agree with each other, nothing of which we cannot be sure, and single fields that
can be opened later."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from cjsm_connect.evidence import Refused, redaction
from cjsm_connect.evidence.commitments import COMMITMENTS, SALTS, Field, doubts, fields, opened, read_opened
from cjsm_connect.evidence.wording import Wording, words
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.verbs._redaction import own_words
from tests.evidence.estate import CLERK, FREE_TEXT, INNER, MAIL, NAMES, PEOPLE, entropy, original, redacted
from tests.made_up import ROOT


def read(files: dict[str, bytes], name: str) -> Any:
    return json.loads(files[name])


def label(value: str) -> str:
    [found] = [row["field"] for row in read(original(), SALTS) if row["value"] == value]
    return str(found)


def rows() -> dict[str, Any]:
    return {row["requirement"]: row for row in read(redacted(), "results.json")["results"]}


@pytest.mark.parametrize("value", [*INNER, *NAMES, *PEOPLE, CLERK, FREE_TEXT, "TOPSECRETHOST", "Nightjar", "020 7946"])
def test_what_is_inside_is_nowhere_in_it(value: str) -> None:
    assert any(value.encode() in content for content in original().values())
    assert not [name for name, content in redacted().items() if value.encode() in content]


def test_pseudonyms_agree_in_every_file_and_keep_the_sentence() -> None:
    assert rows()["tls.inner"]["observed"] == f"{label(MAIL)} offers STARTTLS"
    assert rows()["firewall.deny"]["observed"].startswith(f"{label(NAMES[0])} ({label(MAIL)}:25) answers to ")
    hosts = {host["name"]: host for host in read(redacted(), "organisation.json")["hosts"]}
    assert hosts[label("mail")]["address"] == label(MAIL) and hosts[label("mail")]["fqdn"] == label(NAMES[0])
    assert rows()["firewall.deny"]["subject"] == label("mail")
    assert rows()["antivirus.fresh"]["vantage"] == label("relay")
    assert label(MAIL) in {row["hosts"] for row in read(redacted(), "host_keys.json")}
    assert read(redacted(), "waivers.json")["waivers"][0]["approver"] == label("Robin Signatory")


def test_pseudonyms_and_their_order_come_from_chance_and_nothing_else() -> None:
    orders = {
        tuple(row["value"] for row in read(original(start), SALTS) if row["kind"] == "address") for start in range(6)
    }
    assert len(orders) > 1
    assert original(3)[SALTS] != original(4)[SALTS] and original(3)["results.json"] == original(4)["results.json"]


def test_the_same_salts_give_the_same_redacted_bytes() -> None:
    assert redaction.redacted(original(), own_words(), "ab" * 32) == redacted()


def test_public_facts_stay() -> None:
    assert rows()["logging.forward"]["observed"] == "relay.council.example (198.51.100.10) forwards"
    assert read(redacted(), "organisation.json")["organisation"]["name"] == "Exampleshire Council"
    assert redacted()["domains.txt"] == original()["domains.txt"]


def test_a_text_with_one_unknown_word_is_left_out_whole_and_that_is_said() -> None:
    left = rows()["patching.current"]["observed"]
    assert left == f"(left out: {label('TOPSECRETHOST has 3 updates')})"
    record = read(redacted(), redaction.RECORD)
    assert record["texts_left_out"]["results.json"] >= 1
    assert any(line.startswith("observations.json (file-") for line in record["files_left_out"])
    assert {line.partition(" ")[0] for line in record["files_left_out"]} >= {
        "configuration/",
        "transcripts/",
        "report.html",
    }


def test_results_and_totals_are_those_of_the_original() -> None:
    before, after = read(original(), "results.json"), read(redacted(), "results.json")
    assert after["totals"] == before["totals"]
    for key in ("check", "requirement", "status", "severity", "title", "why"):
        assert [row[key] for row in after["results"]] == [row[key] for row in before["results"]]


def test_unsalted_digests_of_what_is_inside_are_gone() -> None:
    assert read(redacted(), "results.json")["run"]["organisation_digest"] == ""
    assert "digest" not in read(redacted(), "organisation.json")
    assert "pem" not in read(redacted(), "certificates.json")[0]
    assert SALTS not in redacted() and redacted()[COMMITMENTS] == original()[COMMITMENTS]


def test_a_host_that_is_called_by_a_word_is_replaced_only_where_it_is_the_host() -> None:
    for host in read(redacted(), "organisation.json")["hosts"]:
        assert host["name"].startswith("host-") and host["role"] in ("relay", "mail", "firewall")


def test_a_redacted_bundle_cannot_be_redacted_again_and_foreign_salts_are_refused() -> None:
    with pytest.raises(Refused, match="not redacted yet"):
        redaction.redacted(redacted(), own_words(), "ab" * 32)
    with pytest.raises(Refused, match="does not belong to"):
        redaction.redacted({**original(), SALTS: original(5)[SALTS]}, own_words(), "ab" * 32)


def test_a_value_that_slipped_through_stops_the_signing_without_being_printed() -> None:
    hidden = read_opened(original()[SALTS], SALTS)
    with pytest.raises(Refused, match=f"results.json still holds what {label(MAIL)} stands for") as told:
        redaction.refuse_leaks({"results.json": f'"{MAIL}"'.encode()}, hidden, own_words())
    assert MAIL not in str(told.value)


# --- commitments


def test_openssl_opens_a_commitment_as_documented() -> None:
    [field] = fields({"address": [MAIL]}, entropy())
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{field.salt}"]
    said = subprocess.run(command, input=MAIL.encode(), capture_output=True, check=True).stdout
    assert said.decode().split()[-1] == field.commitment


def test_each_field_has_a_salt_of_256_bits_of_its_own() -> None:
    made = fields({"address": [f"10.0.0.{number}" for number in range(50)], "name": ["10.0.0.1"]}, entropy())
    assert len({field.salt for field in made}) == len(made) == 51
    assert all(len(bytes.fromhex(field.salt)) == 32 for field in made)
    assert len({field.commitment for field in made}) == 51


def test_an_opened_field_is_compared_with_what_was_committed_to() -> None:
    [field] = [one for one in read_opened(original()[SALTS], SALTS) if one.value == MAIL]
    assert doubts(redacted()[COMMITMENTS], [field]) == []
    other = Field(field.name, field.kind, "10.20.30.11", field.salt)
    assert doubts(redacted()[COMMITMENTS], [other]) == [
        f"{field.name}: 10.20.30.11 is not what the bundle was committed to"
    ]
    stranger = Field("address-999", "address", MAIL, field.salt)
    assert doubts(redacted()[COMMITMENTS], [stranger])


@pytest.mark.parametrize("content", [b"{}", b"[1]", b'[{"field": "host-1"}]', b"no json", b'[{"field": 1}]'])
def test_opened_fields_of_another_form_are_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        read_opened(content, "opened.json")


def test_a_field_named_to_steer_a_terminal_is_refused() -> None:
    bad = opened([Field("host-1", "host", "x", "0" * 64)]).replace(b"host-1", b"host-1\\u001b")
    with pytest.raises(Refused, match="named like address-1"):
        read_opened(bad, "opened.json")


# --- words


WORDS = frozenset(
    {"the", "relay", "answers", "on", "port", "at", "main.cf", "since", "see", "mark", "will", "tls-policy", "network"}
    | {"call", "ask", "about", "firewall", "tls"}
)


def told(text: str) -> str | None:
    known = {"10.20.30.10": "address-1", "fd00::5": "address-2", "Robin Hood": "person-1", "vault.example": "name-1"}
    return Wording(known, frozenset({"council.example", "Exampleshire Council"}), WORDS, frozenset({"mark"})).told(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the relay answers on port 25", "the relay answers on port 25"),
        ("10.20.30.10:25, [fd00::5] and 10.20.30.10.", None),
        ("the relay 10.20.30.10:25 at [fd00::5].", "the relay address-1:25 at [address-2]."),
        ("FD00::5", "address-2"),
        ("fd00:0:0::5", "address-2"),
        ("see Robin Hood", "see person-1"),
        ("see VAULT.EXAMPLE.", "see name-1."),
        ("at council.example since 2026-11-21T11:59:45+00:00", "at council.example since 2026-11"),
        ("since 2026-11-21", "since 2026-11"),
        ("the relay answers on port 65535", "the relay answers on port 65535"),
        ("the relay answers on 4545 since 90 days", None),
        ("20000000 bytes", None),
        ("Exampleshire Council", "Exampleshire Council"),
        ("main.cf", "main.cf"),
    ],
)
def test_what_is_known_is_told(text: str, shown: str | None) -> None:
    assert told(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the relay 10.20.30.11",
        "the relay 10.1.2.3",
        "fe80::1",
        "relay-10-20-30-10",
        "relay-1-2-3-4",
        "167772161",
        "a@b.example",
        "relay@council.example",
        "other.council.example",
        "relay.main",
        "see Mark",
        "see mark",
        "see MARK",
        "the 10.20.30 network",
        "the 10.20 network",
        "10,20,30,5",
        "10 20 30 5",
        "10/20/30",
        "10:20:30",
        "10.20.30.10/24",
        "council.example/24",
        "192.0.2.1 / 24",
        "call 79460005",
        "call 7946 0005",
        "call 020 7946",
        "call 0005",
        "call 45450",
        "port 123456",
        "10.20 7",
        "30x",
        "since 11:59",
        "the vault",
        "00:11:22:33:44:55",
        "the r\u0435lay",
        "d8e8fca2dc0f896fd7cb4cb0031ba249",
        "MTAuMjAuMzAuMTA=",
        "/home/hood",
    ],
)
def test_one_unknown_word_makes_a_text_unsure(text: str) -> None:
    assert told(text) is None


def test_the_words_that_may_stay_are_a_reviewed_list_and_no_source_file() -> None:
    found = sorted(words())
    assert found == sorted(set(found)) and all(word == word.casefold() and word.isascii() for word in found)
    assert not [word for word in found if word[0].isdigit()]
    assert len(found) > 2000


@pytest.mark.parametrize(
    "text",
    [
        "ask mark about the firewall",
        "ask Mark about the firewall",
        "rose has the key",
        "the 10.20.30 network",
        "10,20,30,5",
        "call 79460005",
        "the relay in bath",
        "ward seven, Nightjar",
        "169090600 bytes",
        "169090600 files",
        "3232235777 b",
        "call the manager on 2079460005 s",
        "10 and 20 and 30 and 5",
        "10 to 20 to 30",
        "port 10, port 20, port 30",
        "10 bytes 20 bytes 30 bytes",
        "10.20 s 30.5 s",
        "TLS 10.20, TLS 30.5",
        "edition 10.20",
    ],
)
def test_what_strangers_found_is_hidden(text: str) -> None:
    assert Wording({}, frozenset(), words()).told(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "51 of 51 passed",
        "STARTTLS is offered on port 4545",
        "looked 2.5 hours ago",
        "the limit is 20971520 bytes",
        "the limit is 419430400 bytes",
        "10000000 bytes",
        "looked 2.5 hours ago and 3.5 hours ago",
        "ports 25 and 587",
        "TLSv1.2, as TLS 1.2 is spoken",
        "smtpd_tls_security_level = encrypt",
    ],
)
def test_what_checks_say_stays(text: str) -> None:
    assert Wording({}, frozenset(), words()).told(text) == text


def test_nearly_all_texts_of_the_catalogue_may_stay() -> None:
    """Who writes a new one reviews its words and adds them to words.txt, or lets it be left out."""
    asked = catalogues.load(ROOT / "checks" / "requirements.toml").requirements.values()
    texts = [text for one in asked for text in (one.title, one.why)]
    wording = Wording({}, frozenset(), words())
    left = [text for text in texts if wording.told(text) is None]
    assert len(left) < len(texts) / 10, left


def test_the_network_around_the_public_relay_does_not_follow_from_anything() -> None:
    """Its address is public; with the length of its prefix the network and all its other hosts would be too."""
    said = read(original(), "organisation.json")
    [network] = [one["cidr"] for one in said["estate"]["networks"] if one["zone"] == "dmz"]
    assert network == "198.51.100.0/24"
    whole = b"".join(redacted().values())
    assert b"198.51.100.10" in whole
    assert b"198.51.100.0" not in whole and b"/24" not in whole
    [told] = [
        one["cidr"] for one in read(redacted(), "organisation.json")["estate"]["networks"] if one["zone"] == "dmz"
    ]
    assert told.startswith("network-")


def test_certificates_have_no_day_by_which_public_logs_could_be_searched() -> None:
    before, after = (read(files, "certificates.json")[0] for files in (original(), redacted()))
    assert after["not_after"] == before["not_after"][:7]
    assert before["not_after"].encode() not in b"".join(redacted().values())


def test_days_that_the_organisation_itself_gives_stay_under_their_names() -> None:
    waiver = read(redacted(), "waivers.json")["waivers"][0]
    assert (waiver["start"], waiver["expiry"]) == ("2026-11-01", "2026-12-01")
    assert read(redacted(), "results.json")["run"]["ended"] == read(original(), "results.json")["run"]["ended"]


def test_a_persons_name_that_is_an_ordinary_word_is_hidden_in_any_spelling() -> None:
    for text in ("ask Will", "ask will", "ask WILL"):
        assert (
            Wording({"Will Power": "person-1"}, frozenset(), words(), frozenset({"will", "power"})).told(text) is None
        )
