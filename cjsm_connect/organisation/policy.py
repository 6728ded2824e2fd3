"""Thresholds that results are judged by. Each says where it comes from; a changed one must say so too."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from .values import Part, Text, refusal


class Threshold(Part):
    """A number with its unit and its source."""

    value: int
    unit: Text
    source: Text


_ESSENTIALS = "Cyber Essentials v3.3, A6.4 and A6.5: fixes of critical or high risk within 14 days"
_OWN = "own choice: "

LIMITS = {
    "patch_days": (1, 30),
    "reboot_days": (1, 30),
    "signature_hours": (1, 168),
    "log_days": (184, 3660),
    "certificate_warning_days": (7, 365),
    "declaration_days": (30, 1100),
    "queue_minutes": (5, 1440),
    "clock_seconds": (1, 60),
    "disk_free_percent": (2, 50),
    "package_list_hours": (24, 168),
    "confirm_seconds": (15, 600),
}
"""Least and greatest value of each threshold; 184 days of logs are clause 4 of the terms and only go up."""


class Policy(Part):
    """The organisation's thresholds; what it does not set keeps the default."""

    patch_days: Threshold = Threshold(value=14, unit="days", source=_ESSENTIALS)
    reboot_days: Threshold = Threshold(value=14, unit="days", source=f"{_ESSENTIALS}; a kernel fix counts once it runs")
    signature_hours: Threshold = Threshold(
        value=48, unit="hours", source=f"{_OWN}CJSM terms v10.2, clause 22, say frequent updates"
    )
    log_days: Threshold = Threshold(
        value=184, unit="days", source="CJSM terms v10.2, clause 4: logs of the last six months"
    )
    certificate_warning_days: Threshold = Threshold(
        value=30, unit="days", source=f"{_OWN}time to send a request to the operator and have it answered"
    )
    declaration_days: Threshold = Threshold(
        value=365, unit="days", source=f"{_OWN}the terms are accepted again each year"
    )
    queue_minutes: Threshold = Threshold(value=60, unit="minutes", source=f"{_OWN}mail waiting longer is worth a look")
    clock_seconds: Threshold = Threshold(
        value=5, unit="seconds", source=f"{_OWN}CJSM terms v10.2, clause 4, ask for accurate logs"
    )
    disk_free_percent: Threshold = Threshold(
        value=10, unit="percent", source=f"{_OWN}a full disk stops both mail and its log"
    )
    package_list_hours: Threshold = Threshold(
        value=48, unit="hours", source=f"{_OWN}an older package list hides updates"
    )
    confirm_seconds: Threshold = Threshold(
        value=90, unit="seconds", source=f"{_OWN}a host undoes a change that no new connection confirmed by then"
    )

    # "forbid": SSH keys only, on every managed host. Whoever administers with a password would be locked out, so it is
    # never set unasked; the hosts' own ssh tables cannot hold a password.
    ssh_passwords: Literal["leave", "forbid"] = "leave"

    @field_validator(*LIMITS, mode="before")
    @classmethod
    def _unit_is_fixed(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict):
            raise refusal('a table such as { value = 14, source = "our policy 3.2" }')
        default = cls.model_fields[str(info.field_name)].default
        if value.get("unit", default.unit) != default.unit:
            raise refusal(f"no unit, or {default.unit}", f"the unit {value['unit']}")
        return {**value, "unit": default.unit}

    @field_validator(*LIMITS)
    @classmethod
    def _within_limits(cls, threshold: Threshold, info: ValidationInfo) -> Threshold:
        least, greatest = LIMITS[str(info.field_name)]
        if not least <= threshold.value <= greatest:
            raise refusal(
                f"between {least} and {greatest} {threshold.unit} (the default is from: "
                f"{cls.model_fields[str(info.field_name)].default.source})",
                f"{threshold.value} {threshold.unit}",
            )
        return threshold
