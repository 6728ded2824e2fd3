"""Back to an earlier generation: what comes back, what is left and why."""

import pytest

from cjsm_connect.remote import activate, collect, common, firewall, generation, install, rollback, undo
from tests.remote.conftest import NEW, OLD
from tests.remote.test_install import file, wanted

CLAIM = {"token": "one", "who": "test"}
NOTHING = {"services": [], "health": [], "firewalls": []}


@pytest.fixture(autouse=True)
def no_units(machine, monkeypatch):
    monkeypatch.setattr(collect, "units", lambda wanted: dict.fromkeys(wanted, BARE))


BARE = {"load": "loaded", "active": "inactive", "enabled": "disabled", "current": True}


def apply(*files, trust="same", **other):
    """An apply that is kept; its generation's number."""
    about = {"who": "test", "trust": trust}
    done = install.install(wanted(*files, **({"about": about} | other)))
    undo.done()
    return int(done["generation"].rpartition("/")[2])


def back(to, trust="same"):
    """A rollback that is kept; what install said."""
    who = {"about": {"who": "test", "trust": trust, "rollback_to": to}, "claim": CLAIM, "undo": "", "seconds": 90}
    done = rollback.back({"to": to, "flows": [], **who})
    activate.activate({"claim": CLAIM, "installed": True})
    return done


def test_what_was_replaced_comes_back_and_what_was_added_goes(tmp_path):
    first = apply(file(tmp_path / "conf", "one\n"))
    apply(file(tmp_path / "conf", "two\n"), file(tmp_path / "added", "x"))
    apply(file(tmp_path / "conf", "three\n"))
    back(first)
    assert (tmp_path / "conf").read_text() == "one\n"
    assert not (tmp_path / "added").exists()


def test_a_rollback_is_a_generation_and_can_itself_be_taken_back(tmp_path):
    apply(file(tmp_path / "conf", "one\n"))
    second = apply(file(tmp_path / "conf", "two\n"))
    back(1)
    assert generation.recorded()[0]["rollback_to"] == 1
    back(second)
    assert (tmp_path / "conf").read_text() == "two\n"


def test_the_plan_shows_the_difference_and_changes_nothing(tmp_path):
    apply(file(tmp_path / "conf", "one\n"))
    apply(file(tmp_path / "conf", "two\n"))
    plan = rollback.plan({"to": 1})
    (row,) = plan["back"]
    assert "-two\n+one" in row["difference"]
    assert (tmp_path / "conf").read_text() == "two\n"


def test_a_secret_a_trust_anchor_and_what_is_awaited_are_left_and_said(tmp_path):
    anchor = {"returns": "never"}
    apply(file(tmp_path / "password", "old", 0o600, secret=True), file(tmp_path / "ca.pem", "old") | anchor)
    apply(file(tmp_path / "password", "new", 0o600, secret=True), file(tmp_path / "ca.pem", "new") | anchor)
    left = {row["path"]: row["why"] for row in rollback.plan({"to": 1})["left"]}
    assert left == {
        str(tmp_path / "password"): "keys, certificates and secrets are never kept",
        str(tmp_path / "ca.pem"): "who is trusted is never taken back by a rollback",
    }
    back(1)
    assert (tmp_path / "password").read_text() == (tmp_path / "ca.pem").read_text() == "new"


@pytest.mark.parametrize(("trust", "content"), [("same", "to the old hub"), ("other", "to the new hub")])
def test_what_names_the_hub_comes_back_only_while_it_is_the_same_hub(tmp_path, trust, content):
    names_hub = {"returns": "same hub"}
    apply(file(tmp_path / "main.cf", "to the old hub") | names_hub, file(tmp_path / "logs", "one"), trust="same")
    apply(file(tmp_path / "main.cf", "to the new hub") | names_hub, file(tmp_path / "logs", "two"), trust=trust)
    done = back(1, trust)
    assert (tmp_path / "main.cf").read_text() == content
    assert (tmp_path / "logs").read_text() == "one"
    assert [row["why"] for row in done["left"]] == ([rollback.HUB_CHANGED] if trust == "other" else [])


def test_the_rules_of_that_time_are_loaded_and_wait_to_be_confirmed(machine, monkeypatch):
    for rules in (OLD, NEW):
        wall = machine.wall | {"ruleset": rules}
        install.install(
            wanted(firewalls=[wall], wanted=NOTHING | {"firewalls": [wall]}, about={"who": "t", "trust": ""})
        )
        activate.activate({"claim": CLAIM, "installed": True})
    assert machine.live == NEW
    monkeypatch.setattr(firewall, "BOOT", str(machine.boot))
    rollback.back({"to": 1, "flows": [], "about": {"trust": ""}, "claim": CLAIM, "undo": "", "seconds": 90})
    assert machine.live == OLD
    assert machine.timer == 90
    assert machine.boot.read_text() == NEW
    activate.activate({"claim": CLAIM, "installed": True})
    assert machine.boot.read_text() == OLD


def test_a_generation_that_was_put_back_is_no_place_to_go_to(tmp_path):
    apply(file(tmp_path / "conf", "one\n"))
    install.install(wanted(file(tmp_path / "conf", "never confirmed\n"), about={"who": "t", "trust": "same"}))
    undo.put_back({"why": "test"})
    apply(file(tmp_path / "conf", "three\n"))
    back(1)
    assert (tmp_path / "conf").read_text() == "one\n"


def test_what_is_older_than_what_is_kept_is_refused(tmp_path):
    for number in range(12):
        apply(file(tmp_path / "conf", str(number)))
    with pytest.raises(common.Failed, match="no generation 2 to go back to; this host has: 12, 11, 10"):
        rollback.plan({"to": 2})


def test_services_that_came_later_are_stopped(tmp_path):
    old = {"unit": "old.service", "access": False, "watches": [], "order": 50}
    new = {"unit": "new.service", "access": False, "watches": [], "order": 50}
    apply(file(tmp_path / "a", "1"), wanted=NOTHING | {"services": [old]})
    apply(file(tmp_path / "a", "2"), wanted=NOTHING | {"services": [old, new]})
    recorded = generation.recorded()
    belongs = rollback.belonging(recorded, 1)
    assert [one["unit"] for one in belongs["services"]] == ["old.service"]
    (ended,) = rollback.ended(recorded, belongs)
    assert (ended["unit"], ended["running"], ended["enabled"]) == ("new.service", False, False)


def test_an_apply_of_one_concern_leaves_the_services_of_the_others_as_they_were(tmp_path):
    old = {"unit": "old.service", "watches": ["/a"], "order": 20}
    one = {"unit": "one.service", "watches": ["/b"], "order": 30}
    apply(file(tmp_path / "a", "1"), wanted=NOTHING | {"services": [old, one]})
    newer = one | {"watches": ["/c"]}
    about = {"who": "t", "trust": "same", "only": ["logging"]}
    apply(file(tmp_path / "a", "2"), wanted=NOTHING | {"services": [newer]}, about=about)
    assert rollback.belonging(generation.recorded(), 2)["services"] == [old, newer]


def test_sets_of_maps_that_nothing_needs_any_more_go(tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "MAPS", str(tmp_path / "maps"))
    for number in range(15):
        folder = tmp_path / "state/maps" / f"maps-{number}"
        folder.mkdir(parents=True)
        (folder / "transport").write_text(f"{number} x\n")
        apply(table_set=str(folder), maps=[])
    there = sorted(int(path.name.rpartition("-")[2]) for path in (tmp_path / "state/maps").iterdir())
    assert there == list(range(4, 15))  # those of ten generations, and the one that the oldest of them replaced
