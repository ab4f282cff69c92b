"""What faults could leave on a machine, by kind and count: looked at before a run and after it.

Others may be at work on the machine, so what counts is what is there afterwards and was not before, and bears a mark of the
run: its marker, its corner's folder, or the name that the tool gives its devices. The other numbers are told, and not judged.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from meshkit_chaos.network.namespaces import DEVICE

LEFT = "lab leftovers"
_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """What there is, by kind: each thing as a line that names it."""

    things: Mapping[str, frozenset[str]]

    @classmethod
    def now(cls) -> Machine:
        return cls(
            {
                "namespaces": frozenset(_namespaces()),
                "links": frozenset(link.name for link in Path("/sys/class/net").iterdir()),
                "queueing disciplines": frozenset(_told("tc", "qdisc", "show")),
                "nft tables": frozenset(_told("nft", "list", "tables")),
                "packet queues": frozenset(_lines(_PROC / "net" / "netfilter" / "nfnetlink_queue")),
                "mounts": frozenset(_lines(_PROC / "self" / "mountinfo")),
                "cgroups": frozenset(str(path) for path in _CGROUPS.rglob("*") if path.is_dir()),
            }
        )

    def counts(self) -> dict[str, int]:
        return {kind: len(found) for kind, found in self.things.items()}

    def new_since(self, before: Machine, *, marks: tuple[str, ...]) -> list[str]:
        """What was not there before and bears one of the marks, or the name of the tool's own devices."""
        return [
            f"{kind}: {thing}"
            for kind, found in self.things.items()
            for thing in sorted(found - before.things[kind])
            if any(mark in thing for mark in (*marks, DEVICE))
        ]


def _namespaces() -> Iterator[str]:
    """Every network namespace that a process is in, with the words of the process, so that whose it is can be told."""
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            name = str((entry / "ns" / "net").readlink())
            words = (entry / "environ").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if name != str((_PROC / "self" / "ns" / "net").readlink()):
            yield f"{name} {words}"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _told(*words: str) -> list[str]:
    """What a program says, where the machine has it."""
    if shutil.which(words[0], path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
        return []
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=20, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
    )
    return done.stdout.splitlines()
