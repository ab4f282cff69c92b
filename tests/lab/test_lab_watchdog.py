"""The watchdog by itself: the instants in which it could miss something, and the deadlines it goes by."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_runs import PROMISED_S, SLACK, Corner, LabRun, assert_undone, let_pass, wait_for

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.faults import Resume
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.run.watchdog_main import SignsOfLife, _watch, earliest_deadline

RUNNER_THAT_FORKS = """
import os, sys
from pathlib import Path
from meshkit_chaos.cli.reading import load_both
from meshkit_chaos.clock import SystemClock, boot_id, ulid
from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.environments.processes import MARKER_VARIABLE
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import Journal
from meshkit_chaos.plan import make_plan
from meshkit_chaos.run.watchdog import Watchdog

folder, file, gate = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
scenarios, described, _ = load_both(file, None)
plan = make_plan(scenarios.scenarios[0], described, capabilities_of(described), seed=1)
clock = SystemClock()
marker = ulid(clock)
journal = Journal.create(folder, clock)
journal.append(ev.RunStarted(
    schema=1, run=marker, plan=plan, tool="", python="", platform="", environment_class="", subject={}, repeat=1,
    wall_ns=clock.wall_ns(), boot=boot_id(), owner=os.getuid(), pid=os.getpid(), deployed=True,
    environment_id=described.name, environment_folder="environment"))
watchdog = Watchdog.start(folder)
journal.append(ev.WatchdogStarted(pid=watchdog.pid))
journal.append(ev.DeployIntended(marker=marker, data="", deadline=clock.monotonic_ns() + 60 * 10**9), sync=True)
if os.fork() == 0:
    os.setsid()
    open(gate).read()  # between fork and exec for as long as nobody writes to the gate
    os.execve("/bin/sleep", ["sleep", "60"], {**os.environ, MARKER_VARIABLE: marker})
journal.append(ev.PhaseEntered(phase="deploy"))
os.wait()
"""


def test_a_member_that_was_between_fork_and_exec_when_the_runner_died_is_found(corner: Corner) -> None:
    """It does not bear the marker yet. It holds the journal's lock until it does, and so long the watchdog waits."""
    gate, folder = corner.folder / "gate", corner.folder / "out" / "runs" / "leader-paused" / "001"
    os.mkfifo(gate)
    file = corner.folder / "chaos-scenarios.yaml"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", RUNNER_THAT_FORKS, str(folder), str(file), str(gate)],
        env=corner.variables(),
        start_new_session=True,
    )
    nowhere = corner.folder / "nothing"
    nowhere.touch()
    run = LabRun(corner, process, corner.folder / "out", "leader-paused", nowhere, nowhere)
    run.in_phase("deploy")
    run.strike()
    run.ended()
    let_pass(0.3)
    assert any(seen.is_watchdog for seen in corner.alive()), "the watchdog waits for what is between fork and exec"
    gate.write_text("go on")
    corner.gone(what="member between fork and exec")
    assert_undone(run)


@pytest.mark.slow
def test_a_whole_process_group_killed_leaves_the_watchdog_to_undo(corner: Corner) -> None:
    """CI kills the group of what it started; the watchdog is in a session of its own."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    os.killpg(run.process.pid, signal.SIGKILL)
    run.ended()
    corner.gone(what="process group killed")
    assert_undone(run)


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)],
    ids=lambda number: number.name,
)
def test_a_watchdog_heeds_no_signal_that_is_meant_for_the_runner(corner: Corner, number: signal.Signals) -> None:
    """A polite signal to everything around does not take the watchdog away from a run."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    os.kill(run.watchdog, number)
    run.strike()
    run.ended()
    corner.gone(what=f"watchdog told {number.name}, runner killed")
    assert_undone(run)


def test_a_watchdog_that_comes_too_late_changes_nothing(corner: Corner) -> None:
    """It was stopped while its runner died, and `recover` undid meanwhile: woken up, it finds nothing to do and goes."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    watchdog = run.watchdog
    os.kill(watchdog, signal.SIGSTOP)
    run.strike()
    run.ended()
    code, told, _ = corner.command("recover", str(run.out))
    assert code == 0, told
    lines = len(run.entries())
    os.kill(watchdog, signal.SIGCONT)
    wait_for(lambda: not corner.alive(), within=10, what=lambda: f"the watchdog goes: {corner.left()}")
    assert_undone(run)
    assert len(run.entries()) == lines


@pytest.mark.slow
def test_a_runner_that_hangs_while_it_undoes_is_killed_soon(corner: Corner) -> None:
    """What counts then is the deadline of the revert, not that of the fault, which may be far away."""
    scenarios = corner.folder / "chaos-scenarios.yaml"
    scenarios.write_text(scenarios.read_text().replace("within: 8s, verify", "within: 2s, verify"))
    run = corner.run("leader-killed-long")
    run.reached(ev.FaultInjected)
    for seen in corner.members():
        os.kill(seen.pid, signal.SIGSTOP)  # alone, the member that is started again does not get ready
    run.strike(signal.SIGINT)
    deadline = run.reached(ev.RevertIntended).deadline
    run.strike(signal.SIGSTOP)
    assert not run.events(ev.RevertDone)
    assert run.ended(within=10) == -signal.SIGKILL
    corner.gone(what="runner that hung while undoing")
    assert_undone(run)
    taken_over = next(entry for entry, _ in run.record().of(ev.WriterChanged))
    given_up = deadline + 2 * S
    assert deadline <= taken_over.t < given_up + int(PROMISED_S * SLACK * S)


def record_of(*events: ev.AnyEvent) -> Record:
    return Record(entries=tuple(ev.Entry(seq=seq, t=seq, event=event) for seq, event in enumerate(events)))


S = 10**9
DEPLOY = ev.DeployIntended(marker="m", data="", deadline=100 * S)
FAULT = ev.FaultIntended(node="a", fault="pause", members=("x",), calls=(), undo=(Resume("x"),), deadline=60 * S)
REVERT = ev.RevertIntended(node="a", members=("x",), calls=(Resume("x"),), deadline=20 * S)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), None),
        ((DEPLOY,), 100 * S),
        ((DEPLOY, FAULT), 60 * S),
        ((DEPLOY, FAULT, REVERT), 22 * S),
        ((DEPLOY, FAULT, REVERT, ev.RevertDone(node="a")), 100 * S),
        ((DEPLOY, FAULT, REVERT, ev.RevertFailed(node="a", reason="no")), 60 * S),
        ((DEPLOY, ev.TeardownIntended(marker="m", deadline=30 * S)), 32 * S),
        ((DEPLOY, ev.TeardownIntended(marker="m", deadline=30 * S), ev.TeardownDone(left=())), None),
    ],
)
def test_the_earliest_deadline_in_force_counts(events: tuple[ev.AnyEvent, ...], expected: int | None) -> None:
    """Every intent that is not done has one; a revert and a teardown are given a little longer to say that they failed."""
    assert earliest_deadline(record_of(*events)) == expected


def test_a_revert_that_came_back_to_life_is_watched_again() -> None:
    """A second intent after a failure has its own deadline."""
    failed = ev.RevertFailed(node="a", reason="no")
    again = ev.RevertIntended(node="a", members=("x",), calls=(), deadline=40 * S)
    assert earliest_deadline(record_of(FAULT, REVERT, failed, again)) == 42 * S


def test_a_watchdog_without_a_runner_says_so(tmp_path: Path) -> None:
    """Started for a process that is gone and a journal that is not there, it ends by itself and not with success."""
    words = [sys.executable, "-P", "-m", "meshkit_chaos.run.watchdog_main", str(tmp_path), "2147483646", "1"]
    done = subprocess.run(words, capture_output=True, timeout=20, check=False)
    assert done.stdout == b"ready\n"
    assert done.returncode != 0


class _DiesWhileRead:
    """A journal's tail whose runner ends, and is reaped, while its deadline is looked up."""

    finished = False

    def __init__(self, runner: subprocess.Popen[bytes]) -> None:
        self._runner = runner

    def deadline(self) -> int:
        self._runner.kill()
        self._runner.wait()
        return 0


def test_a_runner_that_ends_in_the_instant_of_its_deadline_is_undone_too() -> None:
    """There is nobody left to kill then, which keeps the watchdog from nothing."""
    runner = subprocess.Popen(["/bin/sleep", "60"])
    descriptor = os.pidfd_open(runner.pid)
    reading, writing = os.pipe()
    try:
        signs = SignsOfLife(reading, runner.pid)
        assert _watch(_DiesWhileRead(runner), descriptor, SystemClock(), signs)  # type: ignore[arg-type]  # all that it reads
    finally:
        for one in (descriptor, reading, writing):
            os.close(one)


class Pulse:
    """A runner's pipe in a test's hands: what is heard of it is asked at instants that the test chooses."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.signs = SignsOfLife(self.reading, os.getpid())
        self.now = 0

    def missing(self, *, looks: int, every: int = S // 10) -> bool:
        """Look so many times; whether it was silent for too long at the last of them."""
        for _ in range(looks):
            self.now += every
            missing = self.signs.missing(self.now)
        return missing

    def show_life(self) -> None:
        os.write(self.writing, b".")

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def pulse() -> Iterator[Pulse]:
    made = Pulse()
    try:
        yield made
    finally:
        made.close()


def test_a_runner_is_silent_for_too_long_after_half_a_minute_of_looking(pulse: Pulse) -> None:
    """Three hundred looks, a tenth of a second apart, without one sign of life."""
    assert not pulse.missing(looks=300)
    assert pulse.missing(looks=2)


def test_one_sign_of_life_is_enough(pulse: Pulse) -> None:
    """However few there are on a busy machine: each begins the count anew."""
    for _ in range(20):
        assert not pulse.missing(looks=290)
        pulse.show_life()


def test_a_machine_that_slept_proves_nothing(pulse: Pulse) -> None:
    """Between two looks hours went by in which neither of the two ran: that counts no more than a slow look."""
    pulse.show_life()
    assert not pulse.missing(looks=10)
    assert not pulse.missing(looks=5, every=3600 * S)
    assert not pulse.missing(looks=250)


def test_a_watchdog_that_is_hardly_run_itself_is_patient(pulse: Pulse) -> None:
    """Where it gets its turn every five seconds, its runner may get none for ten minutes."""
    assert not pulse.missing(looks=120, every=5 * S)


def test_a_pipe_that_was_closed_is_not_missed(pulse: Pulse) -> None:
    """The run is over, or its loop is, and the process has gone on to its report: only deadlines count then."""
    os.close(pulse.writing)
    assert not pulse.missing(looks=1000)
    pulse.writing = os.open(os.devnull, os.O_WRONLY)


LIVES = """
import os, sys, time
for _ in range(20):
    os.write(1, b".")
    time.sleep(0.05)
time.sleep(60)
"""


class _NothingDue:
    """A journal in which nothing is due, and which has no end."""

    finished = False

    def deadline(self) -> None:
        return None


def test_a_runner_that_is_stopped_is_killed_although_nothing_is_due() -> None:
    """It showed signs of life, then it was stopped: once it has been silent for the limit, it is killed and to be undone."""
    runner = subprocess.Popen([sys.executable, "-I", "-S", "-c", LIVES], stdout=subprocess.PIPE)
    assert runner.stdout is not None
    descriptor = os.pidfd_open(runner.pid)
    try:
        select.select([runner.stdout], [], [], 30)
        os.kill(runner.pid, signal.SIGSTOP)
        signs = SignsOfLife(runner.stdout.fileno(), runner.pid, limit_ns=S // 2)
        why = _watch(_NothingDue(), descriptor, SystemClock(), signs)  # type: ignore[arg-type]  # all that is asked of it
        assert why is not None
        assert "no sign of life" in why
        assert runner.wait(timeout=10) == -signal.SIGKILL
    finally:
        runner.kill()
        runner.wait()
        runner.stdout.close()
        os.close(descriptor)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["baseline", "settle"])
def test_a_runner_that_is_stopped_outside_of_any_fault_is_killed_and_undone(corner: Corner, phase: str) -> None:
    """Nothing is due for a long while; it is noticed within half a minute, and nothing is left of the mesh."""
    run = corner.run("leader-paused")
    run.in_phase(phase)
    run.strike(signal.SIGSTOP)
    deadline = run.events(ev.DeployIntended)[0].deadline
    assert deadline - SystemClock().monotonic_ns() > 45 * S, "it is not the deadline that ends it"
    assert run.ended(within=45) == -signal.SIGKILL
    corner.gone(what="runner stopped outside of any fault")
    verdict = assert_undone(run)
    assert verdict.outcome == "crashed"
    assert "no sign of life" in run.events(ev.WriterChanged)[0].reason
