"""logging as Desired: what every managed host gets, and what follows from the organisation file."""

from __future__ import annotations

from cjsm_connect.desired import Desired
from cjsm_connect.organisation.sizes import LOG_MARGIN_DAYS
from deploys.logging import COLLECTOR_CA, JOURNALD, LOGROTATE, RSYSLOG, desired
from tests.made_up import authority, organisation

COLLECTOR = {"target": "syslog.council.example:6514", "ca_file": "hub/ca.pem", "addresses": ["192.0.2.66"]}


def content(wanted: Desired, path: str) -> str:
    return next(file.content for file in wanted.files if file.path == path)


def test_every_managed_host_has_the_same_logging() -> None:
    where = organisation()
    relay, *others = (desired(where, host) for host in where.hosts)
    assert all(other == relay for other in others)
    assert {"rsyslog", "logrotate", "chrony"} <= {package.name for package in relay.packages}


def test_two_renderings_are_the_same() -> None:
    assert desired(organisation(), organisation().host("mail")) == desired(organisation(), organisation().host("mail"))


def test_more_days_by_policy_are_more_kept_files() -> None:
    where = organisation(policy={"log_days": {"value": 400, "source": "our records policy"}})
    text = content(desired(where, where.host("relay")), LOGROTATE)
    assert f"rotate {400 + LOG_MARGIN_DAYS}\n" in text
    assert "400 completed days (our records policy)" in text


def test_a_busier_organisation_has_a_larger_journal() -> None:
    quiet, busy = organisation(mail={"messages_per_day": 100}), organisation(mail={"messages_per_day": 50_000})
    assert "SystemMaxUse=256M" in content(desired(quiet, quiet.host("relay")), JOURNALD)
    assert "SystemMaxUse=8204M" in content(desired(busy, busy.host("relay")), JOURNALD)


def test_nothing_is_forwarded_unless_a_collector_is_declared() -> None:
    where = organisation()
    wanted = desired(where, where.host("relay"))
    assert "omfwd" not in content(wanted, RSYSLOG)
    assert "rsyslog-openssl" not in {package.name for package in wanted.packages}


def test_a_declared_collector_is_reached_by_tls_under_its_name_only() -> None:
    where = organisation(syslog=COLLECTOR)
    wanted = desired(where, where.host("relay"))
    text = content(wanted, RSYSLOG)
    assert 'StreamDriverMode="1" StreamDriverAuthMode="x509/name"' in text
    assert 'StreamDriverPermittedPeers="syslog.council.example"' in text
    assert content(wanted, COLLECTOR_CA) == authority()
    assert "rsyslog-openssl" in {package.name for package in wanted.packages}


def test_a_new_collector_ca_restarts_rsyslog() -> None:
    where = organisation(syslog=COLLECTOR)
    services = {service.unit: service for service in desired(where, where.host("relay")).services}
    assert COLLECTOR_CA in services["rsyslog.service"].watches
