"""Real runs of the command in a corner of their own: own folders, own temporary folder, own state, found again by it.

Every process that a test starts, and all that they start, has the corner's ``TMPDIR`` in its environment. That is how a test
looks for what was left: by another mark than the one that the product itself goes by.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from meshkit_chaos.environments.processes import DATA_PREFIX, find_marked, stat_of
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.store import JOURNAL, read_lines
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.verdict import Verdict

PROMISED_S = 1.0
"""Within this time a watchdog has undone."""
SLACK = 3
"""A loaded machine may take so many times longer before a test fails; the measured times are printed."""
READ_BY_THEN_S = 1.0
"""A watchdog looks into the journal ten times a second: what is older than this, it has read."""
_LOOK_EVERY_S = 0.004
_RUNNING_UP_S = 30.0

E = TypeVar("E")
T = TypeVar("T")


def wait_for(look: Callable[[], T | None], *, within: float, what: str | Callable[[], str]) -> T:
    """Look again and again until there is something; fail with words when the time is over."""
    until = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < until, f"not within {within:g} s: {what if isinstance(what, str) else what()}"
        time.sleep(_LOOK_EVERY_S)


def let_pass(seconds: float) -> None:
    """Let a chosen time go by: the moment of a blow within a phase, never a wait for something to be ready."""
    time.sleep(seconds)  # the one place of the lab where time itself is the subject


@dataclass(frozen=True)
class Seen:
    """A living process of a corner."""

    pid: int
    state: str
    words: str

    @property
    def is_watchdog(self) -> bool:
        return "watchdog_main" in self.words

    @property
    def is_member(self) -> bool:
        return "MESHKIT_CHAOS_MARKER=" in self.words

    @property
    def stopped(self) -> bool:
        return self.state in "Tt"

    def __str__(self) -> str:
        kind = "watchdog" if self.is_watchdog else "member" if self.is_member else "process"
        return f"{kind} {self.pid}{' (stopped)' if self.stopped else ''}"


@dataclass
class LabRun:
    """One started command. ``process`` leads its own session."""

    corner: Corner
    process: subprocess.Popen[bytes]
    out: Path
    scenario: str
    talk: Path
    data: Path

    @property
    def folder(self) -> Path:
        return self.out / "runs" / self.scenario / "001"

    def entries(self) -> list[ev.Entry]:
        try:
            return read_lines((self.folder / JOURNAL).read_bytes())[0]
        except FileNotFoundError:
            return []

    def reached(self, kind: type[E], *, number: int = 1, where: Callable[[E], bool] = lambda _: True) -> E:
        """Wait until the journal has the n-th event of a kind (that fits), and give it."""

        def look() -> E | None:
            found = [entry.event for entry in self.entries() if isinstance(entry.event, kind) and where(entry.event)]
            if len(found) >= number:
                return found[number - 1]
            assert self.process.poll() is None, f"the run ended before {kind.__name__} no. {number}:\n{self.said()}"
            return None

        return wait_for(look, within=_RUNNING_UP_S, what=f"{kind.__name__} no. {number}")

    def in_phase(self, phase: str) -> None:
        self.reached(ev.PhaseEntered, where=lambda event: event.phase == phase)

    @property
    def watchdog(self) -> int:
        return self.reached(ev.WatchdogStarted).pid

    def strike(self, number: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.process.pid, number)

    def ended(self, *, within: float = 30.0) -> int:
        """Wait for the command's end and give its exit code."""
        try:
            return self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the command did not end within {within:g} s; it said:\n{self.said()}") from None

    def said(self) -> str:
        return self.talk.read_text(encoding="utf-8", errors="replace")

    def printed(self) -> str:
        return self.data.read_text(encoding="utf-8", errors="replace")

    def record(self) -> Record:
        return read_record(self.folder)

    def verdict(self) -> Verdict:
        return judge(self.record())

    def events(self, kind: type[E]) -> list[E]:
        return [event for _, event in self.record().of(kind)]

    @property
    def marker(self) -> str:
        return self.reached(ev.RunStarted).run


@dataclass
class Corner:
    """A folder with documents, results, a ``TMPDIR`` and a state folder that belong to one test alone."""

    folder: Path
    number: int = 0
    extra: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    def __post_init__(self) -> None:
        self.temporary.mkdir()

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def variables(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {"TMPDIR": str(self.temporary), "MESHKIT_CHAOS_STATE": str(self.state), "MESHKIT_CHAOS_TRACEBACK": "1"}
        return {**kept, **own, **self.extra}

    def start(
        self,
        *arguments: str,
        scenario: str = "",
        out: Path | None = None,
        cwd: Path | None = None,
        within: tuple[str, ...] = (),
    ) -> LabRun:
        """Start ``meshkit-chaos ARGUMENTS``; ``within``: words to put before the interpreter, such as ``unshare -m``."""
        self.number += 1
        talk, data = self.folder / f"talk-{self.number}", self.folder / f"data-{self.number}"
        with talk.open("wb") as errors, data.open("wb") as output:
            process = subprocess.Popen(
                [*within, self.python, "-P", "-m", "meshkit_chaos", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=cwd or self.folder,
                env=self.variables(),
                start_new_session=True,
            )
        return LabRun(self, process, out or self.folder / "out", scenario, talk, data)

    def run(self, scenario: str, *arguments: str, out: str = "out", cwd: Path | None = None) -> LabRun:
        """Start a run of one scenario of the corner's file."""
        file, place = str(self.folder / "chaos-scenarios.yaml"), self.folder / out
        words = ("run", scenario, "--file", file, "--out", str(place), "--seed", "7", *arguments)
        return self.start(*words, scenario=scenario, out=place, cwd=cwd)

    def command(self, *arguments: str, within: float = 60.0) -> tuple[int, str, str]:
        """Run a command to its end: exit code, standard output, standard error."""
        done = self.start(*arguments)
        return done.ended(within=within), done.printed(), done.said()

    def alive(self) -> list[Seen]:
        """Every living process that bears this corner's ``TMPDIR``, or that overwrote what it bore and works in there."""
        wanted = f"TMPDIR={self.temporary}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                variables = (entry / "environ").read_bytes()
                words = (entry / "cmdline").read_bytes()
                inside = str((entry / "cwd").readlink()).startswith(f"{self.temporary}/")
            except OSError:
                continue
            stat = stat_of(int(entry.name))
            if (inside or wanted in variables.split(b"\0")) and stat is not None and stat[0] not in "ZXx":
                text = (words + b"\0" + variables).replace(b"\0", b" ").decode(errors="replace")
                found.append(Seen(int(entry.name), stat[0], text))
        return found

    def members(self) -> list[Seen]:
        return [seen for seen in self.alive() if seen.is_member]

    def data_folders(self) -> list[Path]:
        return sorted(self.temporary.glob(f"{DATA_PREFIX}*"))

    def left(self) -> str:
        """What is left of deployed meshes and their keepers, in words."""
        return ", ".join([*(str(seen) for seen in self.alive()), *(folder.name for folder in self.data_folders())])

    def gone(self, *, what: str, within: float = PROMISED_S * SLACK) -> float:
        """Wait until no member and no data folder is left; the seconds that took. Then the watchdog must go too."""
        began = time.monotonic()
        wait_for(lambda: not self.members() and not self.data_folders(), within=within, what=lambda: f"{what}: {self.left()}")
        took = time.monotonic() - began
        wait_for(lambda: not self.alive(), within=within, what=lambda: f"{what}: {self.left()}")
        return took

    def sweep(self) -> None:
        """End whatever is left, so that a failed test troubles no other."""
        for _ in range(50):
            alive = self.alive()
            if not alive:
                return
            for seen in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(seen.pid, signal.SIGKILL)
            time.sleep(0.02)


def assert_passed(run: LabRun) -> None:
    """It ends with 0; where it does not, why is what it says and what it prints together."""
    assert run.ended() == 0, f"{run.said()}\n{run.printed()}"


def assert_undone(run: LabRun) -> Verdict:
    """Nothing bears the run's marker, the record can be read, and what it says is no pass."""
    if (run.folder / JOURNAL).exists() and run.entries():
        assert find_marked(run.marker) == ()
    assert not run.corner.alive(), f"left: {run.corner.left()}"
    assert not run.corner.data_folders()
    record = run.record()
    assert record.damage == ()
    verdict = judge(record)
    assert verdict.verdict != "pass"
    return verdict


def as_json(text: str) -> object:
    """Parse a whole text as one JSON document."""
    return json.loads(text)
