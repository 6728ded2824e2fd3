"""How much room mail needs, in bytes, computed from what the organisation declared of its mail. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .mail import Mail
from .model import Organisation

MIB = 1 << 20

LOG_MARGIN_DAYS = 7
"""Days kept beyond the threshold, so that a day on which rotation failed costs nothing."""

LOG_BYTES_PER_MESSAGE = 4096
"""Text that one message leaves in the mail log: about 16 lines of 200-250 bytes (connect, both TLS handshakes, queue,
scan, delivery, removal), measured on a relay that takes and passes on one message, and rounded up."""

JOURNAL_BYTES_PER_MESSAGE = 3 * LOG_BYTES_PER_MESSAGE
"""The journal stores each line with about 25 fields and an index (systemd.journal-fields(7))."""

JOURNAL_DAYS = 14
"""The journal is where rsyslog reads from: it must survive a long outage of rsyslog, not the whole half year."""


def log_files(organisation: Organisation) -> int:
    """How many completed daily files of the mail log are kept."""
    return organisation.policy.log_days.value + LOG_MARGIN_DAYS


def mail_log_bytes(organisation: Organisation) -> int:
    """What the mail log needs on disk: two days as text, all others compressed (to a tenth; counted as a fifth)."""
    day = organisation.mail.messages_per_day * LOG_BYTES_PER_MESSAGE
    return 2 * day + (log_files(organisation) - 1) * day // 5


def journal_bytes(organisation: Organisation) -> int:
    """What the journal may use: JOURNAL_DAYS of mail, at least 256 MiB for everything else that a host says."""
    mail = organisation.mail.messages_per_day * JOURNAL_BYTES_PER_MESSAGE * JOURNAL_DAYS
    return max(256 * MIB, _whole_mebibytes(mail))


def log_disk_bytes(organisation: Organisation) -> int:
    """What all logs together need below /var/log."""
    return mail_log_bytes(organisation) + journal_bytes(organisation)


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Limits of milter and clamd, bytes, all from one value: message_size_limit < milter <= max_scan < max_file."""

    milter: int
    max_scan: int
    max_file: int


CLAMD_CEILING = 2047 * MIB
"""clamd refuses to look into files of 2 GiB and more (clamd.conf(5), MaxFileSize)."""


def scan_limits(mail: Mail) -> ScanLimits:
    """What the scanner must be able to look at so that no message Postfix accepts is too big for it, and so that
    nothing inside a message is left out without a word.

    message_size_limit counts a message as it travels, attachments in base64 (4 bytes for 3, RFC 2045, 6.8), so decoded
    parts are always smaller. Two things make it bigger: the milter sees CR LF where Postfix counted one byte (at most
    doubling a message of empty lines), and archives unpack: all that is unpacked from one message may be twenty times
    the message (docs/scanning.md has what ordinary files need).

    One file inside may be more than all of them together: clamd cuts a member of a ZIP at MaxFileSize and calls it
    scanned (libclamav/unzip.c, "trimming output size"), but a file over MaxScanSize always trips AlertExceedsMax.
    """
    milter = _whole_mebibytes(4 * mail.message_size_limit)
    max_scan = min(_whole_mebibytes(20 * mail.message_size_limit), CLAMD_CEILING - MIB)
    return ScanLimits(milter, max_scan, max_scan + MIB)


def scanner_memory_bytes(organisation: Organisation) -> int:
    """Memory that the scanner's host needs: the public databases take over 1 GB, and twice that while new ones are
    loaded beside the old (ClamAV manual, system requirements: 3 GiB and more); a few own signatures take next to none.
    A hook's scanner needs what its maker says.
    """
    if organisation.antivirus.hook:
        return organisation.antivirus.hook.memory
    return MIB << 9 if organisation.estate.mirrors.signature_files else 3 * MIB << 10


def _whole_mebibytes(size: int) -> int:
    """Rounded up, so that configuration files show round numbers."""
    return -(-size // MIB) * MIB
