"""The decision of the form, branch by branch; what is not known is never taken for yes."""

import itertools

import pytest

from cjsm_connect.organisation.assessment import PREREQUISITES, Answers, Extent, MailServer, Route, State, assess


def answers(mail_server="on-premises", microsoft_365="none", staff=1200, **prerequisites):
    states = {name: State(prerequisites.get(name, "met")) for name in PREREQUISITES}
    return Answers(MailServer(mail_server), Extent(microsoft_365), staff, states)


@pytest.mark.parametrize(
    ("known", "route", "reason"),
    [
        (answers(), Route.SERVER, "on the organisation's premises, and all three"),
        (answers(staff=None), Route.SERVER, "How many staff there are was not said"),
        (answers(staff=19), Route.MAILBOX, "fewer than 20"),
        (answers(staff=20), Route.SERVER, "premises"),
        (answers(firewall="gap"), Route.MAILBOX, "Without a maintained firewall a server connection is not possible"),
        (answers(antivirus="gap", staff=5), Route.MAILBOX, "Without an automatically updating anti-virus policy"),
        (answers(patching="unknown"), Route.HELPDESK, "It is not known whether there is a policy of regular"),
        (answers("none"), Route.MAILBOX, "no mail server to connect"),
        (answers("none", "all"), Route.GATEWAY, "cloud gateway"),
        (answers("cloud"), Route.GATEWAY, "clause 6"),
        (answers("on-premises", "all"), Route.GATEWAY, "clause 6"),
        (answers("on-premises", "part"), Route.HELPDESK, "Part of the mail is in Microsoft 365"),
        (answers("on-premises", "unknown"), Route.HELPDESK, "Nobody can tell whether Microsoft 365"),
        (answers("hosted"), Route.HELPDESK, "not on the organisation's premises"),
        (answers("uk-datacentre"), Route.HELPDESK, "not on the organisation's premises"),
        (answers("unknown"), Route.HELPDESK, "where the mail server is"),
    ],
)
def test_each_branch_of_the_form_ends_where_it_should_and_says_why(known, route, reason):
    found = assess(known)
    assert found.route is route
    assert reason in " ".join(found.reasons)


EVERYTHING = [
    Answers(mail_server, extent, staff, dict(zip(PREREQUISITES, states, strict=True)))
    for mail_server, extent, staff in itertools.product(MailServer, Extent, (None, 1, 20))
    for states in itertools.product(State, repeat=3)
]


def test_the_first_thing_to_do_is_always_to_ask_whether_there_are_new_connections():
    assert {assess(known).next_steps[0].partition(":")[0] for known in EVERYTHING} == {
        "Ask the CJSM helpdesk whether new server connections are accepted"
    }


def test_a_server_connection_is_never_said_of_what_is_not_known_or_not_met():
    for known in EVERYTHING:
        if assess(known).route is Route.SERVER:
            assert set(known.prerequisites.values()) == {State.MET}
            assert (known.mail_server, known.microsoft_365) == (MailServer.ON_PREMISES, Extent.NONE)


def test_each_gap_and_each_unknown_has_a_step_of_its_own():
    steps = assess(answers(firewall="gap", antivirus="unknown")).next_steps
    assert "Bring about a maintained firewall" in " ".join(steps)
    assert "Find out whether there is an automatically updating anti-virus policy" in " ".join(steps)
    assert "service packs" not in " ".join(steps)
