"""What a lab could leave on a machine. Others on it may have labs too, so only what is of this one is looked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meshkit_chaos.environments.processes import find_marked, stat_of
from meshkit_chaos.network.namespaces import DEVICE

WITHIN_S = 5.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Traces:
    """The namespaces that the processes of one marker are in, or hold; and the machine's own links and mounts meanwhile."""

    marker: str
    namespaces: frozenset[str]
    newest: int
    """When the last of its processes was started: who came later and is in a namespace of the same number is of another lab."""
    links: frozenset[str]
    mounts: tuple[str, ...]
    settings: tuple[str, ...]

    @classmethod
    def of(cls, marker: str) -> Traces:
        """To be taken while the lab is up: it must have at least a namespace to be gone afterwards."""
        own = {name for process in find_marked(marker) for name in _namespaces(process.pid)} - {
            str(Path("/proc/self/ns/net").readlink())
        }
        assert own, "the lab has no namespace"
        return cls(marker, frozenset(own), max(process.started for process in find_marked(marker)), *_machine())

    def assert_gone(self) -> None:
        """No process bears the marker, none is in a namespace of the lab or holds one; the machine is as it was meanwhile."""
        until = time.monotonic() + WITHIN_S
        while (left := self._left()) and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
        assert not left, f"left: {left}"
        assert _machine() == (self.links, self.mounts, self.settings)
        assert self.settings == SETTINGS, "a setting of the machine was changed"
        assert DEVICE not in self.links

    def _left(self) -> list[str]:
        processes = [f"process {process.pid} ({process.member})" for process in find_marked(self.marker)]
        everyone = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        older = [pid for pid in everyone if (stat := stat_of(pid)) is not None and stat[1] <= self.newest]
        return processes + [f"{name} in {pid}" for pid in older for name in _namespaces(pid) if name in self.namespaces]


def _settings() -> tuple[str, ...]:
    names = ("ip_unprivileged_port_start", "ip_forward", "tcp_congestion_control")
    return tuple((Path("/proc/sys/net/ipv4") / name).read_text(encoding="ascii").strip() for name in names)


SETTINGS = _settings()
"""As they were before any lab of this session."""


def _machine() -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """Its links, those mounts that a lab would make, and its settings."""
    links = frozenset(link.name for link in Path("/sys/class/net").iterdir())
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    return links, tuple(point for point in points if point == "/etc/hosts" or "meshkit-chaos" in point), _settings()


def _namespaces(pid: int) -> Iterator[str]:
    """Those that a process is in, and those that it holds open."""
    links = [Path(f"/proc/{pid}/ns/net")]
    try:
        links += Path(f"/proc/{pid}/fd").iterdir()
    except OSError:
        return
    for link in links:
        try:
            name = str(link.readlink())
        except OSError:
            continue
        if name.startswith("net:["):
            yield name
