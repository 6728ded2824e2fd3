"""The report: complete, in its order, safe against what hosts say, readable without network or script."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from datetime import date
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser

from cjsm_connect.evidence import keys
from cjsm_connect.reports import html
from cjsm_connect.results import Run, Severity, Status, WaiverEntry
from tests.evidence.samples import ALL_PASS, REQUIREMENTS, key, material, result, run
from tests.made_up import organisation

WAIVER = {
    "requirement": "logging.forward",
    "reason": "The collector arrives in spring",
    "approver": "Robin Signatory",
    "risk": "Logs are lost with the host",
    "start": date(2026, 11, 1),
    "expiry": date(2027, 5, 1),
}


def report(made: Run, **changes: object) -> html.Report:
    about = material(made)
    return html.Report(
        run=made,
        organisation=organisation(**changes),
        requirements=REQUIREMENTS,
        not_before="2026-11-21T12:00:00Z",
        not_after="2026-12-21T12:00:00Z",
        nonce=None,
        fingerprint=keys.fingerprint(key().private.public_key()),
        certificates=about.certificates,
        host_keys=about.host_keys,
        versions=about.versions,
        configuration=about.configuration,
        domains_digest=about.domains_digest,
    )


def page(made: Run | None = None, **changes: object) -> str:
    return html.render(report(made or run(), **changes))


class _Reader(HTMLParser):
    """Collects headings, ids, links, tags, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_the_sections_come_in_the_order_an_engineer_reads() -> None:
    ids = re.findall(r'<h2 id="([a-z]+)"', page())
    assert ids == [
        "verdict",
        "findings",
        "exceptions",
        "prerequisites",
        "completeness",
        "application",
        "estate",
        "declarations",
        "results",
        "configuration",
        "appendix",
    ]


def test_it_says_what_the_signature_proves_and_what_not() -> None:
    assert "who reported this and that it is unchanged since" in page()
    assert "It does not prove that it is true" in page()


def test_complete_and_incomplete_are_told_apart_at_the_top() -> None:
    assert "<strong>Complete</strong>" in page()
    incomplete = page(run(*ALL_PASS, result("tls.inner", Status.NOT_TESTED, reason="no hub")))
    assert "<strong>Incomplete</strong>" in incomplete and "1 checks were not tested" in incomplete


def test_a_laboratory_is_never_taken_for_a_real_organisation() -> None:
    assert "It says nothing about a real organisation" in page(run(laboratory="demo"))
    assert "Laboratory" not in page()


def test_waivers_and_accepted_gaps_are_before_the_results() -> None:
    waived = result("logging.forward", Status.WAIVED, reason="waived until 2027-05-01 by Robin Signatory")
    accepted = result("tls.inner", Status.NOT_TESTED, scoped=True, reason="accepted by Sam Administrator")
    said = {name: str(value) for name, value in WAIVER.items()}
    over = WaiverEntry("tls.inner", "r", "a", "r", "2026-01-01", "2026-01-31", "it expired at the end of 2026-01-31", 0)
    text = page(run(waived, accepted, waivers=(WaiverEntry(**said, state="in force", covers=1), over)))
    first_page = text[text.index("<main") : text.index('id="prerequisites"')]
    for said in ("The collector arrives in spring", "Logs are lost with the host", "accepted by Sam Administrator"):
        assert said in first_page
    assert "in force, covers 1 results" in first_page
    assert "<strong>it expired at the end of 2026-01-31</strong>" in first_page


def test_one_check_on_several_hosts_is_one_line() -> None:
    failing = [result("tls.inner", Status.FAIL, subject=host) for host in ("relay", "mail")]
    [finding] = html.findings(failing)
    assert finding.subjects == ("relay", "mail")
    assert "(relay, mail)" in page(run(*failing))


def test_a_prerequisite_is_as_good_as_its_worst_result_and_advice_never_counts() -> None:
    advice = replace(REQUIREMENTS["logging.forward"], prerequisite="firewall", advice=True)
    about = report(run(*ALL_PASS, result("firewall.deny", Status.FAIL), result("logging.forward", Status.ERROR)))
    about = replace(about, requirements=REQUIREMENTS | {"logging.forward": advice})
    firewall, antivirus, _patching = html.prerequisites(about)
    assert firewall.status is Status.FAIL and antivirus.status is Status.PASS
    assert {one.requirement for one in firewall.results} == {"firewall.deny"}


def test_a_prerequisite_that_nothing_shows_is_not_tested() -> None:
    about = report(run(result("tls.inner")))
    assert [one.status for one in html.prerequisites(about)] == [Status.NOT_TESTED] * 3


def test_what_needs_attention_comes_first() -> None:
    results = [
        result("tls.inner"),
        result("tls.inner", Status.FAIL, severity=Severity.LOW),
        result("tls.inner", Status.ERROR),
    ]
    [concern] = html.concerns(report(run(*results)))
    assert [one.status for one in concern.results] == [Status.ERROR, Status.FAIL, Status.PASS]


def test_results_that_belong_to_no_requirement_are_shown_too() -> None:
    text = page(run(*ALL_PASS, result("waiver.unknown", Status.FAIL, title="The waiver entry is valid")))
    assert "The waiver entry is valid" in text and "Organisation file" in text


def test_every_result_is_in_the_report_with_its_source_and_remedy() -> None:
    text = page(run(result("tls.inner", Status.FAIL, observed="TLSv1.0", remedy="cjsm apply")))
    for said in ("TLSv1.0", "cjsm apply", "Terms v10.2 clause 21", "tls.inner-check"):
        assert said in text


def test_what_a_host_says_cannot_become_markup() -> None:
    attack = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    changes = dict.fromkeys(
        ("title", "subject", "vantage", "expected", "observed", "remedy", "reason", "check"), attack
    )
    text = page(run(*ALL_PASS, result("tls.inner", Status.FAIL, **changes), organisation=attack, notes=(attack,)))
    tags = [tag for tag, _ in read(text).tags]
    assert tags.count("script") == 1 and "img" not in tags
    assert "&lt;script&gt;" in text


def test_letters_that_hide_or_reverse_text_are_written_out() -> None:
    text = page(run(result("tls.inner", Status.FAIL, observed="\u202edettimrep\u200b\x1b[1m")))
    assert "\\u202edettimrep\\u200b\\x1b[1m" in text
    assert "\u202e" not in text


def test_it_needs_no_network_and_only_its_own_script_may_run() -> None:
    reader = read(page())
    assert not {tag for tag, _ in reader.tags} & {"link", "img", "iframe", "object"}
    for _tag, attributes in reader.tags:
        assert "src" not in attributes and "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in page() and "@import" not in page()


def test_its_policy_names_the_very_style_and_script_that_are_in_it() -> None:
    text = page()
    [said] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    for tag in ("style", "script"):
        [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in unescape(said)
    assert said.startswith("default-src &#39;none&#39;") and "unsafe" not in said


def test_controls_are_hidden_until_the_script_shows_them() -> None:
    assert re.search(r'<form class="filter" id="filter" hidden ', page())


def test_every_result_can_be_chosen_by_what_it_is_and_by_its_concern() -> None:
    text = page(run(*ALL_PASS, result("no", Status.FAIL)))
    rows = re.findall(r'data-concern="([^"]*)"|<tr data-result="([^"]*)"', text)
    concern, found = "", []
    for named, status in rows:
        concern = named or concern
        found += [(concern, status)] * bool(status)
    assert ("organisation file", "fail") in found
    assert len(found) == len(ALL_PASS) + 1


def test_warnings_that_do_not_count_are_told_on_the_first_page_too() -> None:
    text = page(run(*ALL_PASS, result("tls.inner", Status.WARN, severity=Severity.LOW, title="An old cipher")))
    assert "An old cipher" in text[text.index("Warnings, which do not count") : text.index('id="prerequisites"')]


def test_on_paper_there_is_everything_but_controls() -> None:
    paper = html.render(report(run(*ALL_PASS, result("tls.inner", Status.FAIL))), paper=True)
    reader = read(paper)
    assert not {tag for tag, _ in reader.tags} & {"script", "form", "nav", "details", "input"}
    assert paper.count("<tr data-result=") == len(ALL_PASS) + 1


def test_it_can_be_used_without_seeing_it() -> None:
    reader = read(page(run(*ALL_PASS, result("tls.inner", Status.FAIL))))
    tags = [tag for tag, _ in reader.tags]
    assert {"main", "nav", "header", "footer"} <= set(tags)
    assert ("html", {"lang": "en-GB"}) in reader.tags
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in reader.tags:
        if tag == "th":
            assert attributes.get("scope") in {"row", "col"}
        if tag == "a":
            assert (attributes["href"] or "")[1:] in ids
    assert reader.tags[tags.index("a")] == ("a", {"class": "skip", "href": "#main"})


def test_a_status_is_a_word_and_not_only_a_colour() -> None:
    text = page(run(*(result("tls.inner", status) for status in Status)))
    for word in ("pass", "fail", "warning", "waived", "not tested", "error"):
        assert re.search(rf'class="status [a-z_]+"><span aria-hidden="true">.</span>\s+{word}</span>', text), word


def test_the_same_run_gives_the_same_report() -> None:
    assert page() == page()
