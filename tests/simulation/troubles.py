"""The troubles of a world at work: a mesh whose levers, looks and pages misbehave, and a journal whose disk does.

Both also watch: at every pull of a lever the mesh asks the *disk* (what was synced to it, not what was written) whether the
pull was announced there, and keeps what truly happened, so that what the record says can be compared with it.
"""

from __future__ import annotations

import asyncio
import errno
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import httpx2
from worlds import BadLever, BadLook, World

from meshkit_chaos.environments.simulated import SimulatedEnvironment
from meshkit_chaos.environments.virtual_time import VirtualClock
from meshkit_chaos.errors import EnvironmentProblem, JournalUnwritable
from meshkit_chaos.faults import Kill, LeverCall, MemberState, Resume, Start, Unshape, lever_name
from meshkit_chaos.journal.events import MemberUp
from meshkit_chaos.journal.store import Journal
from meshkit_chaos.slo import Check, CheckResult, Duration
from meshkit_chaos.slo.codec import encode

State = dict[str, tuple[bool, bool, tuple[str, ...]]]
"""What is true of each member: up, paused, the layers on its links."""


class Killed(SystemExit):
    """The runner's process is gone, here and now."""


@dataclass
class Truth:
    """What really happened, kept outside of everything that the product can see.

    ``before`` and ``verified``: the mesh at the first fingerprint, and when it was said to be verified. ``unannounced``: pulls
    whose intent was not on disk. ``leaders``: how many members said that they lead, every time that changed. ``overdue``: which
    deadline passed, so that the watchdog killed the runner. ``unheard``: what a task raised and nobody looked at.
    ``ended``: the mesh when the runner had ended or died.
    """

    dead: bool = False
    deployed: bool = False
    torn_down: bool = False
    pulls: list[tuple[float, LeverCall]] = field(default_factory=list)
    lied: list[LeverCall] = field(default_factory=list)
    unannounced: list[str] = field(default_factory=list)
    before: State | None = None
    verified: State | None = None
    vanished: dict[str, int] = field(default_factory=dict)
    leaders: list[tuple[int, int]] = field(default_factory=list)
    disk_lost: bool = False
    overdue: str = ""
    unheard: list[str] = field(default_factory=list)
    ended: State | None = None


class WatchedJournal(Journal):
    """A journal on a disk that fills up, tears lines, turns read-only or does not sync; and on which the runner may die."""

    truth: Truth
    world: World
    synced = 0
    writes = 0
    reserve = True

    @classmethod
    def of(cls, folder: Path, clock: VirtualClock, world: World, truth: Truth) -> WatchedJournal:
        journal = cls.create(folder, clock)
        assert isinstance(journal, WatchedJournal)
        journal.world, journal.truth = world, truth
        return journal

    def _write(self, line: bytes, *, sync: bool) -> None:
        if self.truth.dead:
            return
        self.writes += 1
        if self.world.death is not None and self.world.death == ("write", self.writes):
            self._die()
        if self.world.death is not None and self.world.death == ("torn-write", self.writes):
            super()._write(line[: len(line) // 2], sync=True)
            self._die()
        self._trouble(line, sync=sync)
        super()._write(line, sync=sync)
        if sync:
            self.synced = self._offset

    def _trouble(self, line: bytes, *, sync: bool) -> None:
        if self.world.disk is None or self.writes < self.world.disk[1]:
            return
        match self.world.disk[0]:
            case "full" if not self.reserve:
                return  # what was kept for bad times is free now
            case "torn" if self.reserve:
                offset = self._offset
                super()._write(line[: len(line) // 3], sync=False)
                self._offset = offset
            case "torn":
                return
            case "sync" if not sync:
                return
            case "sync":
                offset = self._offset
                super()._write(line, sync=False)
                self._offset = offset
            case _:
                pass
        self.truth.disk_lost = True
        raise OSError(_ERRORS[self.world.disk[0]], "no")

    def write_block(self, data: bytes) -> str:
        if self.truth.dead:
            return "0" * 32
        if self.world.disk is not None and self.writes >= self.world.disk[1] and self.world.disk[0] != "sync":
            self.truth.disk_lost = True
            raise JournalUnwritable("no block can be written", hint="free space")
        return super().write_block(data)

    def release_reserve(self) -> None:
        self.reserve = False
        super().release_reserve()

    def _die(self) -> NoReturn:
        self.truth.dead = True
        raise Killed

    def announced(self) -> list[dict[str, Any]]:
        """The events that are on disk for certain."""
        data = (self._folder / "journal.jsonl").read_bytes()[: self.synced]
        return [json.loads(line)["event"] for line in data.splitlines()]


_ERRORS = {
    "full": errno.ENOSPC,
    "full-for-good": errno.ENOSPC,
    "torn": errno.ENOSPC,
    "read-only": errno.EROFS,
    "sync": errno.EIO,
}


class TroubledMesh(SimulatedEnvironment):
    """The simulated mesh of a world."""

    def __init__(self, world: World, truth: Truth, clock: VirtualClock, **named: Any) -> None:
        super().__init__(clock=clock, **named)
        self._world, self._truth, self._virtual = world, truth, clock
        self._calls: dict[str, int] = {}
        self._began = 0.0
        self.journal: WatchedJournal | None = None

    def state(self) -> State:
        """What is true now."""
        now = self._virtual.monotonic_ns()
        return {
            name: (member.up, member.paused, self.mesh.links.in_force(name, now)) for name, member in self.mesh.members.items()
        }

    def _count(self, what: str) -> int:
        self._calls[what] = self._calls.get(what, 0) + 1
        return self._calls[what]

    async def deploy(self) -> tuple[MemberUp, ...]:
        self._truth.deployed = True
        self._began = self._virtual.monotonic_ns() / 1e9
        if self._world.deployed:  # otherwise the mesh stood there before anything of ours began
            await self._look("deploy")
        self.entered("")
        return await super().deploy()

    def entered(self, phase: str) -> None:
        """Let vanish what is to vanish some time after this."""
        loop = asyncio.get_running_loop()
        for one in self._world.vanishing:
            if one.phase == phase:
                loop.call_later(one.at, self._vanish, one.member)
                if one.back is not None:
                    loop.call_later(one.back, self._change, Start(one.member))

    def _vanish(self, name: str) -> None:
        if not self._truth.torn_down and self.mesh.members[name].up:
            self._truth.vanished.setdefault(name, self._virtual.monotonic_ns())
            self._change(Kill(name))

    def _change(self, call: LeverCall) -> None:
        if not self._truth.torn_down:
            self.mesh.change(call, self._virtual.monotonic_ns())

    async def pull(self, call: LeverCall) -> None:
        if self._truth.dead:
            return
        if not self._is_announced(call):
            self._truth.unannounced.append(f"{call} was pulled and is not announced on disk")
        number = self._count("pull")
        if self._world.death == ("before-pull", number):
            self._die()
        await self._pull(call)
        if self._world.death == ("after-pull", number):
            self._die()

    async def _pull(self, call: LeverCall) -> None:
        name = lever_name(call)
        trouble = self._bad_lever(name, self._count(name))
        how = trouble.how if trouble else None
        if how == "slow":
            await asyncio.sleep(0.7)
        if how == "raises":
            raise EnvironmentProblem(f"the lever {name} broke")
        if how == "breaks":
            raise RuntimeError(f"a defect in the lever {name}")
        if how == "hangs":
            await asyncio.Event().wait()
        if how == "lies":
            self._truth.lied.append(call)
            return
        self._truth.pulls.append((self._virtual.monotonic_ns() / 1e9, call))
        await super().pull(call)
        if how == "acts-and-raises":
            raise EnvironmentProblem(f"the lever {name} acted and broke")
        if how == "acts-and-hangs":
            await asyncio.Event().wait()

    def _bad_lever(self, name: str, number: int) -> BadLever | None:
        fitting = (bad for bad in self._world.levers if bad.lever == name and bad.first <= number < bad.first + bad.times)
        return next(fitting, None)

    def _is_announced(self, call: LeverCall) -> bool:
        """Whether the disk holds an intent to do this, or to undo what this undoes."""
        assert self.journal is not None
        plain = json.loads(encode(call))
        return any(
            event["kind"] in {"fault.intended", "adjust.intended"} and plain in (*event["calls"], *event.get("undo", ()))
            for event in self.journal.announced()
        )

    def _die(self) -> NoReturn:
        self._truth.dead = True
        raise Killed

    async def _look(self, what: str) -> None:
        bad = self._bad_look(what, self._count(what))
        if bad is None:
            return
        if bad.how == "raises":
            raise EnvironmentProblem(f"{what} is not possible")
        if bad.how == "breaks":
            raise RuntimeError(f"a defect in {what}")
        await asyncio.Event().wait()

    def _bad_look(self, what: str, number: int) -> BadLook | None:
        fitting = (bad for bad in self._world.looks if bad.what == what and bad.first <= number < bad.first + bad.times)
        return next(fitting, None)

    async def observe(self) -> dict[str, MemberState]:
        await self._look("observe")
        return await super().observe()

    async def holders(self, role: str) -> frozenset[str]:
        await self._look("holders")
        return await super().holders(role)

    async def check(self, member: str, check: Check, timeout: Duration) -> CheckResult:  # noqa: ASYNC109  # as in the protocol
        await self._look("check")
        return await super().check(member, check, timeout)

    async def teardown(self) -> tuple[str, ...]:
        await self._look("teardown")
        if self._truth.dead:
            return ()
        left = await super().teardown()
        self._truth.torn_down = True
        return left

    async def answer(self, name: str, path: str) -> httpx2.Response:
        now = self._virtual.monotonic_ns() / 1e9 - self._began
        for bad in self._world.pages:
            if path == "/metrics" and bad.member == name and bad.since <= now < bad.until:
                return await self._bad_page(bad.how, name, path)
        return await super().answer(name, path)

    async def _bad_page(self, how: str, name: str, path: str) -> httpx2.Response:
        if how == "refused":
            raise httpx2.ConnectError("connection refused")
        if how == "error":
            return httpx2.Response(500, content=b"no")
        if how == "hangs":
            await asyncio.Event().wait()
        whole = await super().answer(name, path)
        content = {
            "garbage": b"\x00etcd_server_is_leader }{ 1\n",
            "torn": whole.content[: len(whole.content) // 2].rstrip(b"\n"),
            "nan": whole.content.replace(b"is_leader 0", b"is_leader NaN").replace(b"is_leader 1", b"is_leader NaN"),
            "gone": b"# nothing\n",
        }[how]
        return httpx2.Response(200, content=content)

    async def watch_leaders(self) -> None:
        """Note the truth often enough to be exact to a hundredth of a second."""
        while True:
            self.mesh.advance(self._virtual.monotonic_ns())
            now = sum(self.mesh.is_leader(name) for name, member in self.mesh.members.items() if member.able)
            if not self._truth.leaders or self._truth.leaders[-1][1] != now:
                self._truth.leaders.append((self._virtual.monotonic_ns(), now))
            await asyncio.sleep(0.01)


def undone(state: State, calls: list[LeverCall]) -> State:
    """What a mesh would be like after undo levers that work."""
    out = dict(state)
    for call in calls:
        up, paused, layers = out[call.member]
        match call:
            case Start() if not up:
                out[call.member] = (True, False, layers)
            case Resume() if paused:
                out[call.member] = (True, False, layers)
            case Unshape():
                out[call.member] = (up, paused, tuple(layer for layer in layers if layer != call.layer))
            case _:
                continue
    return out


__all__ = ["Killed", "State", "TroubledMesh", "Truth", "WatchedJournal", "undone"]
