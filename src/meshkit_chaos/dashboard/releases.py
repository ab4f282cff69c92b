"""Which releases there are: invocations grouped by one key of their subject, newest first. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from meshkit_chaos.history.model import PastInvocation

KEYS: Final = ("version", "branch")


class Release(Struct, frozen=True, kw_only=True):
    """``invocations``: newest first."""

    name: str
    at: int
    invocations: tuple[PastInvocation, ...]


def release_key(invocations: Iterable[PastInvocation], *, wanted: str = "") -> str:
    """The key that tells releases apart: the one that is wanted, else the first of the usual ones that any subject has."""
    held = tuple(invocations)
    return wanted or next((one for one in KEYS if any(one in past.subject for past in held)), KEYS[0])


def releases(invocations: Iterable[PastInvocation], *, key: str, most: int = 5) -> tuple[Release, ...]:
    """The newest releases, newest first. ``invocations``: newest first."""
    found: dict[str, list[PastInvocation]] = {}
    for past in invocations:
        if key in past.subject:
            found.setdefault(past.subject[key], []).append(past)
    return tuple(Release(name=name, at=ones[0].at, invocations=tuple(ones)) for name, ones in list(found.items())[:most])
