"""Criteria files: the shipped one holds, and mistakes are all named before anything is judged."""

import pytest

from cjsm_connect.engineer.criteria import SHIPPED, CriteriaError, load, parse
from cjsm_connect.results import catalogue
from tests.made_up import ROOT

CATALOGUE = catalogue.load(ROOT / "checks/requirements.toml")
HEAD = 'schema = 1\ntitle = "Mine"\nversion = "1"\n'
ROW = '[[criteria]]\nid = "a"\ntext = "A"\nsource = "Paper"\n'


def test_the_shipped_criteria_hold_and_each_names_its_source():
    criteria = load(SHIPPED, CATALOGUE)
    assert {"firewall", "antivirus", "patching"} <= {one.prerequisite for one in criteria.criteria}
    assert all(one.source for one in criteria.criteria)


def test_a_prerequisite_stands_for_all_its_requirements():
    criteria = parse(f'{HEAD}{ROW}prerequisite = "patching"\n'.encode(), CATALOGUE, "mine")
    assert criteria.criteria[0].named(CATALOGUE) == CATALOGUE.of_prerequisite("patching")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "schema: Field required"),
        (HEAD, "criteria: Field required"),
        (HEAD + ROW, "expected either requirements or prerequisite"),
        (HEAD + ROW + 'prerequisite = "luck"\n', "expected one of firewall, antivirus, patching"),
        (HEAD + ROW + 'requirements = ["relay.nothing"]\n', "that the catalogue does not have: relay.nothing"),
        (HEAD + (ROW + 'prerequisite = "firewall"\n') * 2, "criteria that are there twice: a"),
        (HEAD + ROW + 'prerequisite = "firewall"\nnot_met = "ignore"\n', "not_met: Input should be"),
        (HEAD + ROW + 'prerequisite = "firewall"\nsurprise = 1\n', "surprise: Extra inputs are not permitted"),
        (HEAD + ROW.replace('source = "Paper"\n', "") + 'prerequisite = "firewall"\n', "source: Field required"),
        ("schema = ", "expected TOML in UTF-8"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(text, said):
    with pytest.raises(CriteriaError, match="mine") as refused:
        parse(text.encode(), CATALOGUE, "mine")
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_told_in_a_sentence(tmp_path):
    with pytest.raises(CriteriaError, match="cannot be read: no such file"):
        load(tmp_path / "none.toml", CATALOGUE)
