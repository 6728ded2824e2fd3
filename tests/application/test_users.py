"""The list of users: every line is on it or told, and what leaves is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from cjsm_connect.application.users import User, Users, as_csv, changes, changes_as_csv, read, told

DOMAINS = ("council.example", "xn--rksmrgs-5wao1o.example")
CLERK = User("clerk@council.example", "Court clerk")


def users(*lines: str, head: str = "name,address") -> Users:
    return read("\n".join([head, *lines]) + "\n", DOMAINS)


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_list_is_taken_in_and_sorted_by_address() -> None:
    found = users("Zoe,zoe@council.example", '"Clerk, of the court",clerk@council.example')
    assert [one.name for one in found.users] == ["Clerk, of the court", "Zoe"]
    assert found.bad == ()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffname,address\r\nCourt clerk,clerk@council.example\r\n",
        "Address, Name\nclerk@council.example,Court clerk",
        "name,address\n\n , \nCourt clerk ,  Clerk@Council.EXAMPLE. \n",
    ],
)
def test_what_spreadsheets_add_changes_nothing(text: str) -> None:
    assert read(text, DOMAINS) == Users((CLERK,), ())


def test_a_domain_in_its_own_letters_is_the_declared_one() -> None:
    assert users("Åsa,Asa@räksmörgås.example").users[0].address == "asa@xn--rksmrgs-5wao1o.example"


def test_others_write_to_the_address_with_the_suffix() -> None:
    assert User("user@council.example", "U").cjsm_address == "user@council.example.cjsm.net"


@pytest.mark.parametrize(
    ("line", "found", "expected"),
    [
        ("Zoe", "1 cells", "a name with a comma stands in double quotes"),
        ("Clerk, of the court,clerk@council.example", "3 cells", "double quotes"),
        (",zoe@council.example", '""', "a name of 1 to 200"),
        ("Zoe,", '""', "an e-mail address such as"),
        ("Zoe,zoe", '"zoe"', "an e-mail address such as"),
        ("Zoe,zoe@council.example.cjsm.net", '"zoe@council.example.cjsm.net"', "without .cjsm.net"),
        ("Zoe,zoe@cjsm.net", '"zoe@cjsm.net"', "without .cjsm.net"),
        ("Zoe,zoe@counsil.example", '"zoe@counsil.example"', 'in one of [domains] (did you mean "council.example"?)'),
        ("Zoe,zoe@sub.council.example", '"zoe@sub.council.example"', "in one of [domains]"),
        ("Zoe,ZOE@council.example\nZoe,zoe@Council.example", '"zoe@council.example"', "each address once; line 2"),
        ("Z\u202eoe,zoe@council.example", "'Z\\u202eoe'", "control or invisible"),
        ("Z\x00oe,zoe@council.example", "'Z\\x00oe'", "control or invisible"),
        ('"Zoe,zoe@council.example', "damaged CSV", "in double quotes"),
        ('"Zoe"x,zoe@council.example', "damaged CSV", "in double quotes"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_with_its_number(line: str, found: str, expected: str) -> None:
    told_of = users(line).bad
    assert len(told_of) == 1
    assert told_of[0].line == 1 + len(line.splitlines())
    assert told_of[0].found.startswith(found)
    assert expected in told_of[0].expected


@pytest.mark.parametrize("head", ["", "Zoe,zoe@council.example", "name;address", "name,address,role", "name,name"])
def test_without_the_header_nothing_is_guessed(head: str) -> None:
    found = users("Zoe,zoe@council.example", head=head)
    assert found.users == ()
    assert str(found.bad[0]).startswith("line 1: found ")
    assert "the first line name,address" in found.bad[0].expected


def test_a_name_over_two_lines_is_told_at_its_last() -> None:
    found = users('"Zoe\nZ",zoe@council.example', "Clerk,clerk@council.example")
    assert [one.line for one in found.bad] == [3]
    assert len(found.users) == 1


def test_joiners_leavers_and_new_names_are_told_apart() -> None:
    before = users("Zoe,zoe@council.example", "Clerk,clerk@council.example").users
    now = users("Zoe Married,ZOE@council.example", "New,new@council.example").users
    found = changes(before, now)
    assert [one.name for one in found.joined] == ["New"]
    assert [one.name for one in found.left] == ["Clerk"]
    assert [one.name for one in found.renamed] == ["Zoe Married"]
    assert cells(changes_as_csv(found))[1:] == [
        ["joined", "New", "new@council.example"],
        ["left", "Clerk", "clerk@council.example"],
        ["renamed", "Zoe Married", "zoe@council.example"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])
def test_no_cell_that_leaves_is_a_formula(start: str) -> None:
    name = f'{start}HYPERLINK("http://a.example")'
    rows = cells(as_csv([User(f"{start if start in '=+-' else ''}x@council.example", name)]))
    assert rows[1][0] == f"'{name}"
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))]


def test_quotes_commas_and_line_ends_stay_in_their_cell() -> None:
    hostile = User("a@council.example", 'x","=1+1')
    assert cells(as_csv([hostile]))[1] == [hostile.name, hostile.address, hostile.cjsm_address]
    assert len(cells(as_csv([hostile]))) == 2


def test_many_bad_lines_are_told_as_fifty_and_a_number() -> None:
    lines = list(told(users(*["Zoe"] * 70).bad))
    assert len(lines) == 51
    assert lines[-1] == "and 20 more"
