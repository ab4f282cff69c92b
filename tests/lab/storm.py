"""One blow at one moment of a run, both drawn from a seed; what then must hold; and how long it took until nothing was left.

Half of the moments are instants of the clock, the other half lie just behind a line of the journal, where an intent has been
written and its act is under way. A blow waits for whom it hits: the watchdog or a member may not be there yet.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from lab_disk import SmallDisk
from lab_runs import PROMISED_S, SLACK, Corner, LabRun, Seen, let_pass, wait_for

from meshkit_chaos.environments.processes import find_marked, stat_of
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.store import JOURNAL
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.run.recovery import UNDO_WITHIN_NS
from meshkit_chaos.run.watchdog_main import earliest_deadline

Kind = Literal[
    "kill -9 runner",
    "kill -9 watchdog",
    "kill -9 runner, watchdog",
    "kill -9 watchdog, runner",
    "kill -9 member",
    "SIGTERM runner",
    "full disk",
    "SIGSTOP runner",
    "SIGSTOP, kill -9 runner",
]
_SHARES: Final[tuple[Kind, ...]] = (
    *("kill -9 runner",) * 4,
    *("kill -9 watchdog",) * 2,
    *("kill -9 runner, watchdog",) * 2,
    *("kill -9 watchdog, runner",) * 2,
    *("SIGTERM runner",) * 2,
    "kill -9 member",
    "full disk",
    "SIGSTOP runner",
)
"""In turn, so that any fifteen seeds in a row hold every kind. A runner stopped where no deadline is near is killed."""
_BOTH: Final = ("kill -9 runner, watchdog", "kill -9 watchdog, runner")

_ROLLBACK_S: Final = 8.0 + 8.0 + PROMISED_S
"""A runner that ends by itself may take the rollback's time for the revert and for the verification, and then tears down."""
PROMISED: Final[dict[Kind, float]] = {
    "kill -9 runner": PROMISED_S,
    "kill -9 watchdog": _ROLLBACK_S,
    "kill -9 runner, watchdog": UNDO_WITHIN_NS / 1e9,
    "kill -9 watchdog, runner": UNDO_WITHIN_NS / 1e9,
    "kill -9 member": _ROLLBACK_S,
    "SIGTERM runner": _ROLLBACK_S,
    "full disk": _ROLLBACK_S,
    "SIGSTOP runner": PROMISED_S,
    "SIGSTOP, kill -9 runner": PROMISED_S,
}
"""Seconds until nothing is left: from the blow; of both killed, within `recover`; of a stopped runner, from its deadline."""
_NEEDED: Final[dict[Kind, type[ev.Event]]] = {"kill -9 member": ev.FingerprintTaken, "full disk": ev.TeardownIntended}
"""What must be behind a run that passes in spite of a blow, where that is not its end: the last look at the members; the last
samples, behind which a few lines fit into the page that the journal already has.
"""
_SHORT_NS: Final = 14 * 10**9
_RACE_NS: Final = 100 * 10**6
"""A blow so shortly before the end may not be felt any more: whoever should feel it is writing the last line."""
DISK_SIZE: Final = "4m"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What is struck: one of these scenarios, within so many seconds from its start, or so many lines of its journal."""

    scenarios: tuple[str, ...]
    whole_s: float
    lines: int


LOOPBACK: Final = Ground(scenarios=("leader-paused", "leader-killed"), whole_s=4.6, lines=39)


@dataclass(frozen=True, kw_only=True)
class Blow:
    """``line``: come when the journal has so many, and ``after`` seconds later; without it, ``after`` the command's start.

    ``gap``: seconds between two kills.
    """

    seed: int
    kind: Kind
    scenario: str
    line: int | None
    after: float
    gap: float

    @classmethod
    def drawn(cls, seed: int, ground: Ground = LOOPBACK) -> Blow:
        kind = _SHARES[seed % len(_SHARES)]
        chance = random.Random(seed)
        by_line = chance.random() < 0.5
        line = chance.randint(1, ground.lines) if by_line else None
        after = chance.uniform(0, 0.03) if by_line else chance.uniform(0.3, ground.whole_s)
        scenario = chance.choice(ground.scenarios)
        return cls(seed=seed, kind=kind, scenario=scenario, line=line, after=after, gap=chance.uniform(0, 0.25))

    def __str__(self) -> str:
        moment = f"{self.after:.3f} s after " + ("its start" if self.line is None else f"line {self.line} of its journal")
        return f"seed {self.seed}: {self.kind}, of {self.scenario}, {moment}, gap {self.gap:.3f} s"


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """What came of a blow.

    ``took``: seconds until nothing was left, None where no mesh was up. ``late``: the run had ended before.
    """

    kind: Kind
    took: float | None
    late: bool
    verdict: str


class Storm:
    """One run that is struck once."""

    def __init__(self, blow: Blow, corner: Corner, disk: SmallDisk | None) -> None:
        self._blow = blow
        self._corner = corner
        self._disk = disk
        self._kind: Kind = blow.kind
        self._began = time.monotonic()
        self._run = disk.run(corner, blow.scenario) if disk else corner.run(blow.scenario)
        self._struck = 0
        self._mesh_up = False

    def weather(self) -> Aftermath:
        """Wait for the moment, strike, and look that everything holds."""
        self._await_moment()
        hit = self._strike()
        took = self._await_clean() if hit else self._await_end()
        if self._disk:
            self._disk.free()
        self._assert_nothing_left()
        verdict = self._assert_no_false_pass(hit)
        self._assert_nothing_to_recover()
        return Aftermath(kind=self._kind, took=took if self._mesh_up else None, late=not hit, verdict=verdict)

    @property
    def marker(self) -> str:
        """The run's marker; empty where it left no line."""
        first = next(iter(self._run.entries()), None)
        return first.event.run if first is not None and isinstance(first.event, ev.RunStarted) else ""

    @property
    def _over(self) -> bool:
        return self._run.process.poll() is not None

    def _await_moment(self) -> None:
        line = self._blow.line
        if line is None:
            let_pass(max(0.0, self._began + self._blow.after - time.monotonic()))
            return
        wait_for(lambda: self._over or self._lines() >= line, within=30, what=f"line {line}")
        let_pass(self._blow.after)

    def _lines(self) -> int:
        try:
            return (self._run.folder / JOURNAL).read_bytes().count(b"\n")
        except OSError:
            return 0

    def _strike(self) -> bool:
        """Strike as soon as there is whom to strike; False where the run ended first."""
        victim = self._victim()
        if victim is None or self._over:
            return False
        self._mesh_up = bool(self._corner.members() or self._corner.data_folders())
        self._struck = time.monotonic_ns()
        with contextlib.suppress(ProcessLookupError):  # it ended by itself in this instant
            self._hit(victim)
        return True

    def _victim(self) -> int | None:
        match self._kind:
            case "kill -9 watchdog" | "kill -9 runner, watchdog" | "kill -9 watchdog, runner":
                return self._first(lambda seen: seen.is_watchdog)
            case "kill -9 member":
                return self._first(lambda seen: seen.is_member)
            case "SIGSTOP runner":
                wait_for(lambda: self._over or self._deadline(), within=30, what="something with a deadline")
        return self._run.process.pid

    def _first(self, fits: Callable[[Seen], bool]) -> int | None:
        """One of those that fit, drawn by the seed; None where the run ended before there was any."""

        def look() -> list[int] | bool:
            return sorted(seen.pid for seen in self._corner.alive() if fits(seen)) or self._over

        found = wait_for(look, within=30, what="whom to strike")
        return random.Random(self._blow.seed).choice(found) if isinstance(found, list) else None

    def _hit(self, victim: int) -> None:
        run = self._run
        match self._kind:
            case "kill -9 runner, watchdog":
                run.strike()
                let_pass(self._blow.gap)
                os.kill(victim, signal.SIGKILL)
            case "kill -9 watchdog, runner":
                os.kill(victim, signal.SIGKILL)
                let_pass(self._blow.gap)
                run.strike()
            case "full disk":
                assert self._disk is not None
                self._disk.fill()
                self._struck = time.monotonic_ns()
            case "SIGTERM runner":
                run.strike(signal.SIGTERM)
            case "SIGSTOP runner":
                self._stop()
            case _:
                os.kill(victim, signal.SIGKILL)

    def _stop(self) -> None:
        """Stop the runner. Where nothing that a watchdog goes by is near, nobody would wait: somebody kills it."""
        self._run.strike(signal.SIGSTOP)
        wait_for(lambda: (stat_of(self._run.process.pid) or "T")[0] in "TtZ", within=5, what="a stopped runner")
        deadline = self._deadline()
        if deadline is not None and deadline - time.monotonic_ns() < _SHORT_NS:
            self._struck = max(self._struck, deadline)
            return
        self._kind = "SIGSTOP, kill -9 runner"
        self._struck = time.monotonic_ns()
        self._run.strike()

    def _deadline(self) -> int | None:
        return earliest_deadline(Record(entries=tuple(self._run.entries())))

    def _await_clean(self) -> float:
        """Wait until nothing bears a mark; the seconds that took."""
        if self._kind in _BOTH:
            return self._recover()
        within = (self._struck - time.monotonic_ns()) / 1e9 + PROMISED[self._kind] * SLACK
        what = f"nothing is left within {PROMISED[self._kind] * SLACK:g} s"
        self._await_no_mesh(within=max(within, 0.1), what=what)
        took = (time.monotonic_ns() - self._struck) / 1e9
        self._await_end()
        return max(took, 0.0)

    def _await_no_mesh(self, *, within: float, what: str) -> None:
        wait_for(
            lambda: self._cannot_deploy() and not self._corner.members() and not self._corner.data_folders(),
            within=within,
            what=lambda: f"{what}; left: {self._corner.left()}",
        )

    def _cannot_deploy(self) -> bool:
        """A run that was struck before it deployed must be over before its corner counts as clean."""
        return self._over or self._mesh_up

    def _await_end(self) -> float:
        self._run.ended(within=40)
        wait_for(
            lambda: not self._corner.alive(), within=PROMISED_S * SLACK, what=lambda: f"all are gone: {self._corner.left()}"
        )
        return 0.0

    def _recover(self) -> float:
        """With both dead: what is left is refused until `recover` has ended it, once and for all. The seconds that took."""
        self._run.ended()
        wait_for(lambda: not any(seen.is_watchdog for seen in self._corner.alive()), within=5, what="a dead watchdog")
        left = self._corner.left()
        again = self._corner.run(self._blow.scenario)
        code = again.ended()
        assert code in ((3,) if left else (3, 4)), f"{left or 'nothing'} is left, and `run` ended with {code}: {again.said()}"
        assert code == 4 or f"recover {self._run.out}" in again.said(), again.said()
        before = time.monotonic()
        code, told, said = self._corner.command("recover", str(self._run.out))
        assert code == 0, told + said
        assert ("undone; nothing is left" in told) or not left, told
        return time.monotonic() - before

    def _assert_nothing_left(self) -> None:
        assert not self._corner.left(), f"left: {self._corner.left()}"
        for entry in self._run.entries()[:1]:
            assert isinstance(entry.event, ev.RunStarted)
            assert find_marked(entry.event.run) == (), "something bears the marker"

    def _assert_no_false_pass(self, hit: bool) -> str:
        """Judge what is on disk. Give the verdict's name; nothing where there is no record to be judged."""
        code = self._run.ended()
        assert code in (0, 1, 2, 3, -signal.SIGKILL, -signal.SIGTERM), f"exit {code}: {self._run.said()}"
        if not (self._run.folder / JOURNAL).exists():
            assert code != 0, "a pass without a record"
            return ""
        record = self._run.record()
        assert record.damage == (), record.damage
        verdict = self._run.verdict()
        passed = verdict.verdict == "pass"
        assert passed or code != 0, f"exit 0 with {verdict.verdict}"
        if passed and hit:
            self._assert_came_too_late(record, verdict)
        return verdict.verdict

    def _assert_came_too_late(self, record: Record, verdict: Verdict) -> None:
        """A struck run may pass only if all that it had to do and to write was done before the blow."""
        needed = _NEEDED.get(self._kind, ev.RunFinished)
        done = record.last(needed)
        assert verdict.outcome == "completed", f"a pass of a run that {verdict.outcome}"
        assert done is not None
        early = (done[0].t - self._struck) / 1e9
        assert self._struck >= done[0].t - _RACE_NS, f"a pass although the blow came {early:.3f} s before {needed.__name__}"

    def _assert_nothing_to_recover(self) -> None:
        """Whatever happened: `recover` finds nothing left, and no run goes into that folder again."""
        if not self._run.entries():
            return
        recovered = self._command("recover", self._place)
        assert recovered.ended() == 0, recovered.printed() + recovered.said()
        told = recovered.printed()
        assert "undone" not in told or self._disk, f"it was undone already, and yet there was something to do: {told}"
        file = str(self._corner.folder / "chaos-scenarios.yaml")
        again = self._command("run", self._blow.scenario, "--file", file, "--out", self._place)
        assert again.ended() == 4, f"results are never mixed: {again.said()}"

    @property
    def _place(self) -> str:
        return str(self._disk.folder / "out" if self._disk else self._run.out)

    def _command(self, *arguments: str) -> LabRun:
        return self._corner.start(*arguments, within=self._disk.inside if self._disk else ())
