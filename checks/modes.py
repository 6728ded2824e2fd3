"""File modes, as the checks compare them: what is stricter than asked for is no fault."""

from __future__ import annotations


def within_mode(found: str, widest: str) -> bool:
    """Does a mode (octal text, such as "0400") allow nobody more than another one does?"""
    return int(found, 8) & ~int(widest, 8) == 0
