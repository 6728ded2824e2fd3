"""Sizes that follow from the declared amount of mail."""

from __future__ import annotations

import pytest

from cjsm_connect.organisation.sizes import (
    CLAMD_CEILING,
    MIB,
    journal_bytes,
    log_disk_bytes,
    log_files,
    mail_log_bytes,
    scan_limits,
)
from tests.made_up import organisation


def test_the_kept_files_are_the_threshold_and_a_margin() -> None:
    assert log_files(organisation()) == 191


def test_the_disk_holds_the_mail_log_and_the_journal() -> None:
    where = organisation()
    assert log_disk_bytes(where) == mail_log_bytes(where) + journal_bytes(where)
    assert mail_log_bytes(where) > 2 * 5000 * 4096


@pytest.mark.parametrize("limit", [1_000_000, 20_000_000, 150_000_000])
def test_no_message_that_postfix_accepts_is_too_big_for_the_scanner(limit: int) -> None:
    limits = scan_limits(organisation(mail={"message_size_limit": limit}).mail)
    assert 2 * limit < limits.max_file <= limits.stream
    assert limits.max_file < limits.max_scan
    assert limits.max_file % MIB == 0


def test_the_scanner_is_never_asked_for_more_than_it_can_look_into() -> None:
    limits = scan_limits(organisation(mail={"message_size_limit": 500_000_000}).mail)
    assert 500_000_000 < limits.max_file <= limits.max_scan <= CLAMD_CEILING
