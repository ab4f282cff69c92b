"""Addresses of a lab: a private segment derived from its marker. Pure.

Segments of different labs are not connected to each other or to the machine; they differ so that a trace of packets tells which
lab it is of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

PREFIX_LENGTH: Final = 24
MOST: Final = 250


def addresses(marker: str, names: Sequence[str]) -> dict[str, str]:
    """Name → IPv4 address, in the order of the names. Raises ValueError for more than a segment holds."""
    if len(names) > MOST:
        raise ValueError(f"{len(names)} members are more than the {MOST} that a segment holds")
    first, second = hashlib.blake2s(marker.encode(), digest_size=2).digest()
    return {name: f"10.{first}.{second}.{number}" for number, name in enumerate(names, start=1)}


def packed(address: str) -> bytes:
    """As it stands in a packet."""
    return bytes(int(part) for part in address.split("."))


def hosts_file(addresses: dict[str, str]) -> str:
    """What every member has as ``/etc/hosts``: each member by its name."""
    lines = ("127.0.0.1 localhost", *(f"{address} {name}" for name, address in addresses.items()))
    return "\n".join(lines) + "\n"
