"""The actions that the shipped workflows use, each pinned by commit.

A tag can be moved by whoever owns the action; a commit cannot. The version is kept as a comment, for people and for update
bots.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Pin:
    """One action at one commit."""

    action: str
    version: str
    commit: str

    def __str__(self) -> str:
        return f"{self.action}@{self.commit} # {self.version}"


_TABLE: Final = (
    Pin("actions/checkout", "v5.0.0", "08c6903cd8c0fde910a37f88322edcfb5dd907a8"),
    Pin("actions/setup-python", "v6.0.0", "e797f83bcb11b83ae66e0230d6156d7c80228e7c"),
    Pin("actions/upload-artifact", "v4.6.2", "ea165f8d65b6e75b540449e92b4886f43607fa02"),
    Pin("actions/download-artifact", "v4.3.0", "d3f86a106a0bac45b974a628896c90dbdf5c8093"),
    Pin("actions/upload-pages-artifact", "v4.0.0", "7b1f4a764d45c48632c6b24a0339c27f5614fb0b"),
    Pin("actions/deploy-pages", "v4.0.5", "d6db90164ac5ed86f2b6aed7e0febac5b3c0c03e"),
)
PINS: Final = MappingProxyType({pin.action.partition("/")[2].replace("-", "_"): pin for pin in _TABLE})
"""By the name that templates use: ``checkout``, ``setup_python`` …"""
