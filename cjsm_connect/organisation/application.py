"""What only the application asks for. This is in the evidence; the names of users, in a file of their own, are not."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from .references import is_inside
from .values import Part, Several, Text, refusal


def _inside(name: str) -> str:
    if not is_inside(name):
        raise refusal("a file inside the organisation's folder, named relative to it")
    return name


class Application(Part):
    """For the forms and for `cjsm assess`; nothing of it reaches a host.

    `users_file` is a list of people, in CSV with the columns name and address. Only `cjsm application` opens it.
    """

    users_file: Annotated[Text, AfterValidator(_inside)] | None = None
    microsoft_365: Literal["none", "part", "all", "unknown"] = "unknown"
    parent: Text | None = None
    administrator_address: Several[Text] = ()
