"""Services are brought to their state; what may need minutes holds neither the others nor the apply."""

import pytest

from cjsm_connect.remote import activate, collect, common, settling

SIGNATURES = {"name": "virus signatures", "probe": "signatures", "arguments": {"databases": [], "source": "m.example"}}
SERVICE = {"running": True, "enabled": True, "on_change": "restart", "watches": [], "masked": False, "waits_for": ""}
UNIT = {"load": "loaded", "active": "inactive", "enabled": "enabled", "current": True}
DAEMON = SERVICE | {"unit": "clamav-daemon.service", "waits_for": "virus signatures"}
MILTER = SERVICE | {"unit": "clamav-milter.service"}


@pytest.fixture
def host(monkeypatch):
    """A host's units and whether the signatures are there; `told` is what systemctl was told."""

    class Host:
        def __init__(self):
            self.units, self.told, self.there = {}, [], True

        def systemctl(self, argv, text="", seconds=30):
            self.told.append(" ".join(argv[1:]))
            verb, unit = argv[-2], argv[-1]
            if verb in ("start", "restart") and unit in self.units:
                self.units[unit]["active"] = "activating" if "--no-block" in argv else "active"
            return 0, "", ""

    made = Host()
    monkeypatch.setattr(common, "attempt", made.systemctl)
    monkeypatch.setattr(common, "run", lambda argv, text="", seconds=30: made.systemctl(argv)[1])
    monkeypatch.setattr(collect, "units", lambda wanted: {unit: dict(made.units[unit]) for unit in wanted})
    monkeypatch.setitem(settling.PROBES, "signatures", lambda _: ("" if made.there else "not yet", 0))
    monkeypatch.setattr(activate, "PATIENCE", 0)
    return made


def units(host, **states):
    host.units = {f"clamav-{name}.service": UNIT | {"active": state} for name, state in states.items()}


@pytest.mark.parametrize("before", ["inactive", "failed", "activating"])
def test_a_scanner_whose_signatures_have_not_come_is_told_to_start_and_the_milter_starts_meanwhile(host, before):
    units(host, daemon=before, milter="inactive")
    host.there = False
    assert activate.settle_all([DAEMON, MILTER], [], [SIGNATURES]) == {"virus signatures"}
    assert host.told == [
        "daemon-reload", "--no-block restart clamav-daemon.service", "start clamav-milter.service"
    ]  # fmt: skip


def test_a_scanner_that_has_its_signatures_must_be_active_before_anything_else_happens(host):
    units(host, daemon="inactive", milter="inactive")
    assert activate.settle_all([DAEMON, MILTER], [], [SIGNATURES]) == set()
    assert host.told[1:] == ["start clamav-daemon.service", "start clamav-milter.service"]


def test_a_scanner_that_runs_is_waited_for_by_nobody(host):
    units(host, daemon="active", milter="active")
    host.there = False
    assert activate.settle_all([DAEMON, MILTER], [], [SIGNATURES]) == set()
    assert host.told == ["daemon-reload"]


def test_what_an_older_generation_noted_waits_for_nothing(host):
    units(host, daemon="inactive", milter="inactive")
    older = {name: value for name, value in DAEMON.items() if name not in ("waits_for", "masked")}
    assert activate.settle_all([older], [], []) == set()


def test_a_unit_that_must_never_run_is_masked_stopped_and_leaves_no_failure(host):
    never = SERVICE | {"unit": "clamav-milter.service", "running": False, "enabled": False, "masked": True}
    units(host, milter="activating")
    done = []
    activate.settle_all([never], done, [])
    assert host.told[1:] == [
        "disable clamav-milter.service", "mask clamav-milter.service", "stop clamav-milter.service",
        "reset-failed clamav-milter.service",
    ]  # fmt: skip
    assert done == ["clamav-milter.service: disable, mask, stop"]
