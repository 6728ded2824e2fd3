"""The organisation as a bundle tells it, without the places of keys and secrets, which it withholds. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cjsm_connect.results import CjsmError

from .model import Organisation

WITHHELD = "env:NOT_IN_A_BUNDLE"
DATES = frozenset({"date", "start", "expiry", "written", "renewal"})


def recorded(document: Mapping[str, Any]) -> Organisation:
    """The organisation of a bundle, for drawing and telling it; nothing can be reached by it.

    Raises:
        CjsmError: it does not describe an organisation, for example because it is of another version.
    """
    try:
        return Organisation.model_validate(_restored(document))
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, mistake["loc"]))
        raise CjsmError(
            f"organisation.json: {place[:200]}: {mistake['msg']}; {error.error_count()} mistakes"
        ) from error
    except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
        raise CjsmError("organisation.json: expected an organisation as `cjsm evidence` writes it") from error


def _restored(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what the model asks for and a bundle does not tell."""
    known: dict[str, Any] = _dated(json.loads(json.dumps(document)))
    for host in (*known["hosts"], *known["vantage"]):
        host["ssh"]["agent"] = True
        if host["ssh"]["sudo"] == "password":
            host["ssh"]["sudo_password_ref"] = WITHHELD
    known["hub"]["ca_file"] = Path("ca.pem")
    if known["hub"].get("auth"):
        known["hub"]["auth"]["password_ref"] = WITHHELD
    return known | {"folder": Path("/"), "files": {}}


def _dated(value: Any) -> Any:
    """With days as dates, which TOML has and JSON has not."""
    if isinstance(value, dict):
        return {name: _day(inner) if name in DATES else _dated(inner) for name, inner in value.items()}
    return [_dated(inner) for inner in value] if isinstance(value, list) else value


def _day(value: Any) -> Any:
    return date.fromisoformat(value) if isinstance(value, str) else value
