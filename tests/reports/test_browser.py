"""The pages in a real browser: used by keyboard, read aloud, printed, and given hostile text in every field."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_origin

import pytest

from cjsm_connect.engineer import overview
from cjsm_connect.engineer.judgement import Decision
from cjsm_connect.engineer.review import Record
from cjsm_connect.reports import html, summary
from cjsm_connect.results import Severity, Status, Waived, WaiverEntry
from tests.evidence.samples import ALL_PASS, REQUIREMENTS, result, run
from tests.reports.test_html import report

pytestmark = pytest.mark.slow  # a browser, and on first use an environment for its driver

WAIVER = Waived(Status.FAIL, "The collector comes in spring", "R. Signatory", "Lost logs", "2026-11-01", "2027-05-01")
ENTRY = WaiverEntry(
    "logging.forward", "in spring", "R. Signatory", "Lost logs", "2026-11-01", "2027-05-01", "in force", 1
)
MIXED = run(
    *ALL_PASS,
    result("tls.inner", Status.FAIL, subject="mail", observed="in clear text", why="Case papers could be read"),
    result("tls.inner", Status.ERROR, subject="firewall", reason="no answer"),
    result("firewall.deny", Status.NOT_TESTED, subject="mail", reason="a container", scoped=True),
    result("antivirus.fresh", Status.WARN, subject="mail", severity=Severity.LOW),
    result("logging.forward", Status.WAIVED, subject="mail", reason="waived", waiver=WAIVER),
    waivers=(ENTRY,),
    laboratory="lab",
)  # fmt: skip
ROW = "tr[data-result]"


def a_report(made=MIXED) -> str:
    return html.render(report(made))


def records() -> list[Record]:
    """One of each decision."""
    return [
        Record(f"evidence-{at}.tar", decision, ("it was changed",) * (decision is Decision.NOT_JUDGED),
               organisation=f"Council {at}", ended=f"2026-11-2{at}T00:00:00Z", key="k")
        for at, decision in enumerate(Decision)
    ]  # fmt: skip


def an_overview(given: list[Record] | None = None) -> str:
    from cjsm_connect.engineer.criteria import SHIPPED, load
    from cjsm_connect.results import catalogue
    from tests.made_up import ROOT

    criteria = load(SHIPPED, catalogue.load(ROOT / "checks/requirements.toml"))
    return overview.page(given or records(), criteria, f"{datetime(2026, 11, 21, tzinfo=UTC):%Y-%m-%d %H:%M} UTC")


PAGES = {"report": a_report, "summary": lambda: summary.render(report(MIXED)), "overview": an_overview}
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "telephone": {"viewport": {"width": 360, "height": 740}},
    "without script": {"java_script_enabled": False},
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_no_page_breaks_a_rule_of_accessibility_or_says_an_error(name: str, look: str, shown: Any) -> None:
    opened = shown(PAGES[name](), **LOOKS[look])
    if look != "without script":  # the audit is a script itself
        assert opened.violations() == []
    assert opened.trouble == []


@pytest.mark.parametrize("name", PAGES)
def test_on_a_telephone_nothing_is_wider_than_the_screen(name: str, shown: Any) -> None:
    page = shown(PAGES[name](), **LOOKS["telephone"]).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_audit_finds_what_is_wrong(shown: Any) -> None:
    assert shown(a_report().replace('<html lang="en-GB">', "<html>")).violations()


def visible(page: Any) -> list[str]:
    return [row.get_attribute("data-result") for row in page.locator(ROW).all() if row.is_visible()]


def every_result_is_shown(page: Any) -> None:
    """In a moment, that is: a script acts after the event. The page forbids eval, so Playwright looks from outside."""
    from playwright.sync_api import expect

    expect(page.locator(f"{ROW}:visible")).to_have_count(len(MIXED.results))


def test_all_results_are_shown_until_something_is_chosen(shown: Any) -> None:
    page = shown(a_report()).page
    assert len(visible(page)) == len(MIXED.results)
    assert page.locator("#shown").inner_text() == f"All {len(MIXED.results)} results are shown."


def test_results_are_chosen_by_keyboard_alone(shown: Any) -> None:
    page = shown(a_report()).page
    page.locator("#filter input").first.focus()
    for value in ("pass", "waived", "warn", "not_tested"):
        assert page.evaluate("document.activeElement.value") == value
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
    assert sorted(visible(page)) == ["error", "fail"]
    assert page.locator("#shown").inner_text() == f"2 of {len(MIXED.results)} results are shown."
    assert page.url.endswith("#filter:result=fail,error")
    for _ in range(3):
        page.keyboard.press("Tab")  # past fail and error, to the concern, to the button
    assert page.evaluate("document.activeElement.type") == "reset"
    page.keyboard.press("Enter")
    every_result_is_shown(page)


def test_a_concern_is_chosen_and_the_others_go_with_their_headings(shown: Any) -> None:
    page = shown(a_report()).page
    page.locator("#filter select").select_option("tls")
    assert [one.inner_text() for one in page.locator(".concern h3").all() if one.is_visible()] == ["TLS"]
    assert sorted(visible(page)) == ["error", "fail", "pass"]


def test_a_link_says_what_is_shown(shown: Any) -> None:
    page = shown(a_report()).page
    page.goto(page.url + "#filter:result=fail,error&concern=tls")
    assert sorted(visible(page)) == ["error", "fail"]
    page.goto(page.url.partition("#")[0] + "#filter:result=nonsense&concern=%3Cb%3E")
    assert visible(page) == []
    page.locator("#filter button").click()
    every_result_is_shown(page)


def test_a_link_to_what_is_hidden_shows_it(shown: Any) -> None:
    page = shown(a_report()).page
    page.locator("#filter select").select_option("tls")
    page.locator("nav a", has_text="Firewall").click()
    every_result_is_shown(page)


def test_printed_there_is_every_row_and_no_control(shown: Any) -> None:
    page = shown(a_report()).page
    page.locator("#filter select").select_option("tls")
    page.emulate_media(media="print")
    assert len(visible(page)) == len(MIXED.results)
    assert not page.locator("#filter").is_visible()


def test_without_script_there_is_every_row_and_no_control(shown: Any) -> None:
    page = shown(a_report(), java_script_enabled=False).page
    assert len(visible(page)) == len(MIXED.results)
    assert not page.locator("#filter").is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_the_focus_goes_through_the_page_in_order_and_is_seen(name: str, shown: Any) -> None:
    page = shown(PAGES[name]()).page
    stops = page.locator("a[href], button, input, select, summary, [tabindex='0']")
    wanted = [one.evaluate("e => e.outerHTML") for one in stops.all() if one.is_visible()]
    seen = []
    for _ in wanted:
        page.keyboard.press("Tab")
        told = page.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [e.outerHTML, s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2]; })()"
        )
        assert told[1], f"the focus cannot be seen on {told[0][:100]}"
        seen.append(told[0])
    assert seen == wanted


def test_the_overview_is_sorted_by_keyboard_and_says_so(shown: Any) -> None:
    page = shown(an_overview()).page

    def first() -> str:
        return page.locator("#overview tbody td").first.inner_text()

    button = page.locator("#overview th button").first
    button.press("Enter")
    assert (first(), page.locator("#overview th").first.get_attribute("aria-sort")) == ("Council 0", "ascending")
    button.press("Enter")
    assert (first(), page.locator("#overview th").first.get_attribute("aria-sort")) == ("Council 3", "descending")


ATTACKS = {
    "script": "<script>alert('x')</script></script><script>fetch('http://hostile.example/')</script>",
    "attribute": "\"'><img src=http://hostile.example/ onerror=alert(1)><svg onload=alert(2)>",
    "leaving the sheet": "</style><style>body{display:none}</style>--><!--",
    "template": "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "reversed": "\u202egnp.exe\u2066\u200b\u0000\x1b[31m\ufeff",
    "endless word": "W" * 10_000,
    "lone surrogate": "\udc80\udcff",
    "link": "javascript:alert(3)//https://hostile.example/",
}


def everywhere(attack: str) -> dict[str, str]:
    """Every page with the attack in every field of results and organisation that is text."""
    made = run(*(_attacked(one, attack) for one in MIXED.results), waivers=(_attacked(ENTRY, attack),),
               organisation=attack, organisation_digest=attack, tool_version=attack, catalogue_version=attack,
               laboratory=attack,
               notes=(attack,))  # fmt: skip
    about = report(made)
    requirements = {name: _attacked(one, attack, "prerequisite", "question") for name, one in REQUIREMENTS.items()}
    about = replace(
        about,
        organisation=_organisation(about.organisation, attack),
        requirements={attack: requirements["tls.inner"], **requirements},
        nonce=attack,
        fingerprint=attack,
        certificates=[dict.fromkeys(row, attack) | {"names": [attack]} for row in about.certificates],
        host_keys=[dict.fromkeys(("hosts", "type", "fingerprint"), attack)],
        versions={"hosts": {attack: {"release": {"pretty_name": attack}, "kernel": {"release": attack}}}},
        configuration={attack: attack},
        domains_digest=attack,
    )
    given = [_attacked(one, attack, "ended", "valid_until") for one in records()]
    return {"report": html.render(about), "summary": summary.render(about), "overview": an_overview(given)}


def _attacked(value: Any, attack: str, *but: str) -> Any:
    """A copy with the attack in each field that is plain text."""
    return replace(
        value,
        **{
            one.name: attack
            for one in fields(value)
            if type(getattr(value, one.name)) is str and one.name not in but and one.name != "concern"
        },
    )


def _organisation(organisation: Any, attack: str) -> Any:
    """A copy of the model, unjudged, with the attack in each text of it but those that decide what it is."""
    changed: dict[str, Any] = {}
    for name, field in type(organisation).model_fields.items():
        value = getattr(organisation, name)
        named = name == "name" and hasattr(organisation, "interfaces")  # by which flows find a host
        chosen = get_origin(field.annotation) is Literal or str(value).startswith("http") or named
        if type(value) is str and not chosen:
            changed[name] = attack
        elif hasattr(type(value), "model_fields"):
            changed[name] = _organisation(value, attack)
        elif isinstance(value, tuple):
            changed[name] = tuple(_in_row(one, attack) for one in value)
    return organisation.model_copy(update=changed)


def _in_row(one: Any, attack: str) -> Any:
    if hasattr(type(one), "model_fields"):
        return _organisation(one, attack)
    return attack if type(one) is str else one


TAGS = {"report": ["style", "script"], "summary": ["style"], "overview": ["style", "script"]}


@pytest.mark.parametrize("kind", ATTACKS)
def test_hostile_text_in_every_field_stays_text(kind: str, shown: Any) -> None:
    for name, text in everywhere(ATTACKS[kind]).items():
        opened = shown(text)
        assert opened.trouble == [], name
        active = "[...document.querySelectorAll('script,style,img,iframe,link,object')].map(e => e.localName)"
        assert opened.page.evaluate(active) == TAGS[name], name
        assert opened.page.locator("h1").first.is_visible(), name
        assert opened.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        links = opened.page.evaluate("[...document.links].map(one => one.getAttribute('href'))")
        assert all(one.startswith("#") or (name == "overview" and ":" not in one) for one in links), links[:20]
