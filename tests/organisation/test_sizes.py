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


@pytest.mark.parametrize("limit", [1_000_000, 20_000_000, 150_000_000, 500_000_000])
def test_no_message_that_postfix_accepts_is_too_big_for_milter_and_scanner(limit: int) -> None:
    limits = scan_limits(organisation(mail={"message_size_limit": limit}).mail)
    assert 2 * limit < limits.milter <= limits.max_scan
    assert not limits.milter % MIB


@pytest.mark.parametrize("limit", [1_000_000, 20_000_000, 500_000_000])
def test_a_member_that_is_cut_is_over_the_limit_that_is_told(limit: int) -> None:
    """clamd writes a member up to MaxFileSize less one buffer of 8 KiB; what was written must be over MaxScanSize."""
    limits = scan_limits(organisation(mail={"message_size_limit": limit}).mail)
    assert limits.max_scan + 8192 < limits.max_file <= CLAMD_CEILING
