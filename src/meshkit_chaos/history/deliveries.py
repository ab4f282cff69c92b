"""Records of what people were told, and what they are still to be told: small files beside bundles and marks, so they travel.

A record is one state of one row of the outbox (``deliveries/2026/11/<key>-<revision>-<digest>.json``, the key by its digest).
Of one key the state that ``rank`` puts highest holds: delivered before all else, then the higher revision. So records can be
added in any order, and what was delivered anywhere is never sent again. What the action says is text to this room. Reading
refuses, as HistoryProblem, a record whose bytes are not those that its name says, and one that no row can hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct, structs

from meshkit_chaos.clock import iso
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.evidence import digest
from meshkit_chaos.slo.codec import decode, encode

_NAME: Final = re.compile(r"deliveries/\d{4}/\d{2}/([0-9a-f]{16})-(\d{4,10})-([0-9a-f]{16})\.json")
_LARGEST: Final = 32 * 2**20
"""A storm of five thousand scenarios is a record of one or two MiB."""
_FOREIGN: Final = "this program did not write it"
_LATEST: Final = 253_402_300_800 * 10**9
"""The year 10000."""
RowState = Literal["pending", "dead", "sending", "ambiguous", "superseded", "delivered"]
"""In the order in which one is believed more than another of the same revision."""
_STRENGTH: Final = {state: strength for strength, state in enumerate(get_args(RowState))}


class Delivery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the outbox, but for who is at it. ``action`` and ``receipt`` are JSON, ``receipt`` empty where there is
    none.
    """

    key: str
    channel: str
    thread: str
    occasion: str
    position: int
    state: RowState
    action: str
    at: int
    not_before: int
    attempts: int
    tried_at: int | None = None
    settled_at: int | None = None
    error: str = ""
    receipt: str = ""
    claimed_until: int = 0
    revision: int = 0

    @property
    def rank(self) -> tuple[bool, int, int]:
        return self.state == "delivered", self.revision, _STRENGTH[self.state]


COLUMNS: Final = Delivery.__struct_fields__


def is_delivery(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def delivery_file(delivery: Delivery) -> tuple[str, bytes]:
    """Its name and its bytes: the same for the same state, whoever writes it."""
    data = encode(delivery)
    year, month = iso(delivery.at)[:7].split("-")
    name = f"{_short(delivery.key)}-{delivery.revision:04d}-{digest(data)[:16]}.json"
    return f"deliveries/{year}/{month}/{name}", data


def read_delivery(name: str, data: bytes) -> Delivery:
    """Raises HistoryProblem."""
    found = _NAME.fullmatch(name)
    if len(data) > _LARGEST:
        raise HistoryProblem(f"the record {name[:200]!r} of a delivery is larger than {_LARGEST} bytes", hint=_FOREIGN)
    if found is None or digest(data)[:16] != found[3]:
        raise HistoryProblem(
            f"the record {name[:200]!r} of a delivery was altered: its digest differs", hint="remove it from where it came"
        )
    try:
        delivery = decode(data, Delivery)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HistoryProblem(f"{name} cannot be read: {error}", hint="a newer version may have written it") from error
    numbers = [value for value in structs.astuple(delivery) if isinstance(value, int)]
    texts = [value for value in structs.astuple(delivery) if isinstance(value, str)]
    if _short(delivery.key) != found[1] or delivery.revision != int(found[2]):
        raise HistoryProblem(f"the record {name} does not say what its name says", hint="remove it from where it came")
    if any(abs(number) >= 2**63 for number in numbers) or not 0 <= delivery.at < _LATEST or any("\0" in text for text in texts):
        raise HistoryProblem(f"the record {name} holds what no outbox can hold", hint=_FOREIGN)
    return delivery


def newest(deliveries: Iterable[Delivery]) -> dict[str, Delivery]:
    """Of each key the state that holds."""
    found: dict[str, Delivery] = {}
    for one in deliveries:
        if one.key not in found or one.rank > found[one.key].rank:
            found[one.key] = one
    return found


def _short(key: str) -> str:
    return digest(key.encode())[:16]


def delivery_of(row: Any) -> Delivery:
    """A row of the table as a value."""
    return Delivery(**{name: row[name] for name in COLUMNS})
