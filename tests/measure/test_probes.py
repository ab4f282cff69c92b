"""Probing in virtual time: every duration comes out exact."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualLoop, run_virtually

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.journal.recorder import MemberSamples
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.probes import Prober, RunCheck
from meshkit_chaos.slo import Check, CheckResult, Duration, Probe, TcpCheck

MS = 10**6


def a_probe(*, every: str = "100ms", timeout: str = "1s") -> Probe:
    return Probe(name="p", check=TcpCheck(address="x:1"), every=Duration.parse(every), timeout=Duration.parse(timeout))


def value(samples: MemberSamples, member: str, name: str) -> float | None:
    found = [number for labels, number in samples.get(member, ()) if dict(labels)["__name__"] == name]
    return found[0] if found else None


def probed(
    make_check: Callable[[VirtualLoop], RunCheck],
    *,
    probe: Probe | None = None,
    until: float = 0.95,
    members: tuple[str, ...] = ("n1",),
    **options: Any,
) -> list[tuple[Round, MemberSamples]]:
    """All rounds of a prober that is stopped at a virtual second."""
    loop = VirtualLoop()
    got: list[tuple[Round, MemberSamples]] = []
    prober = Prober(
        probe=probe or a_probe(),
        members=members,
        check=make_check(loop),
        clock=loop,
        on_round=lambda round_, samples: got.append((round_, samples)),
        **options,
    )
    loop.call_later(until, prober.stop)
    run_virtually(loop, prober.run())
    return got


def shown(rounds: list[tuple[Round, MemberSamples]], member: str = "n1") -> list[tuple[int, float | None, int | None]]:
    """Tick in ms, success, duration in ms."""
    return [
        (
            round_.tick // MS,
            value(samples, member, "probe_success"),
            None if (spent := value(samples, member, "probe_duration_seconds")) is None else round(spent * 1000),
        )
        for round_, samples in rounds
    ]


def slow_until(instant: float, *, quick: float = 0.01) -> Callable[[VirtualLoop], RunCheck]:
    """A member that answers nothing before an instant, then quickly."""

    def make(loop: VirtualLoop) -> RunCheck:
        async def check(member: str, check: Check, within: Duration) -> CheckResult:
            await asyncio.sleep(max(quick, instant - loop.time()))
            return CheckResult(True, "answered")

        return check

    return make


def test_every_tick_has_its_round() -> None:
    """A quick member gives a success and its duration at each tick."""
    assert shown(probed(slow_until(0), until=0.35)) == [(0, 1.0, 10), (100, 1.0, 10), (200, 1.0, 10), (300, 1.0, 10)]


def test_a_stall_is_felt_by_every_check_that_was_due() -> None:
    """A member that stalls for half a second makes six checks slow, not one: no coordinated omission."""
    assert shown(probed(slow_until(0.5), until=0.65)) == [
        (0, 1.0, 500),
        (100, 1.0, 400),
        (200, 1.0, 300),
        (300, 1.0, 200),
        (400, 1.0, 100),
        (500, 1.0, 10),
        (600, 1.0, 10),
    ]


def test_a_check_that_runs_out_of_time_has_failed_for_that_long() -> None:
    """The time-out is a failure of the member with the time-out as duration, never an absence."""
    rounds = probed(slow_until(99), probe=a_probe(timeout="250ms"), until=0.25)
    assert shown(rounds) == [(0, 0.0, 250), (100, 0.0, 250), (200, 0.0, 250)]
    assert [round_.end // MS for round_, _ in rounds] == [250, 350, 450]
    assert all(round_.failed == {} for round_, _ in rounds)


def test_checks_that_find_no_free_slot_have_failed() -> None:
    """With the cap reached, a tick counts as failed with the time until a slot came free."""
    assert shown(probed(slow_until(0.55), until=0.65, max_outstanding=2)) == [
        (0, 1.0, 550),
        (100, 1.0, 450),
        (200, 0.0, 350),
        (300, 0.0, 250),
        (400, 0.0, 150),
        (500, 0.0, 50),
        (600, 1.0, 10),
    ]


def test_a_check_that_shrugs_off_its_time_out_holds_nothing_up() -> None:
    """Rounds go on in time; the stuck check keeps its slot until it really ends."""
    running: list[int] = []

    def make(loop: VirtualLoop) -> RunCheck:
        async def check(member: str, check: Check, within: Duration) -> CheckResult:
            running.append(1)
            end = loop.time() + 0.45
            while loop.time() < end:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(end - loop.time())
            return CheckResult(True, "at last")

        return check

    rounds = probed(make, probe=a_probe(timeout="100ms"), until=0.35, max_outstanding=1)
    assert shown(rounds) == [(0, 0.0, 100), (100, 0.0, 100), (200, 0.0, 100), (300, 0.0, 100)]
    assert len(running) == 1


def test_rounds_come_in_the_order_of_their_ticks() -> None:
    """A slow first round holds back the quick ones after it."""
    got = probed(slow_until(0.25), until=0.45, members=("n1", "n2"))
    assert [round_.tick // MS for round_, _ in got] == [0, 100, 200, 300, 400]
    assert all(round_.tick <= round_.start <= round_.end for round_, _ in got)


def test_a_failed_check_is_a_zero() -> None:
    """A check that answers no is recorded as 0 at once."""

    def make(loop: VirtualLoop) -> RunCheck:
        async def check(member: str, check: Check, within: Duration) -> CheckResult:
            return CheckResult(member == "n2", "refused")

        return check

    got = probed(make, until=0.05, members=("n1", "n2"))
    assert shown(got, "n1") == [(0, 0.0, 0)]
    assert shown(got, "n2") == [(0, 1.0, 0)]


def test_a_probe_that_breaks_says_nothing_about_its_member() -> None:
    """An exception of the check is our fault: no value, and the round says so; other members keep theirs."""

    def make(loop: VirtualLoop) -> RunCheck:
        async def check(member: str, check: Check, within: Duration) -> CheckResult:
            if member == "n1":
                raise KeyError("path")
            if member == "n2":
                raise asyncio.CancelledError
            return CheckResult(True, "fine")

        return check

    ((round_, samples),) = probed(make, until=0.05, members=("n1", "n2", "n3"))
    assert round_.failed == {
        "n1": "the probe itself broke: KeyError: 'path'",
        "n2": "the probe itself broke: its check was cancelled",
    }
    assert samples.keys() == {"n3"}


def test_a_check_that_breaks_before_it_runs() -> None:
    """A check function that is not even a coroutine, and raises, is caught the same way."""

    def make(loop: VirtualLoop) -> RunCheck:
        def check(member: str, check: Check, within: Duration) -> Any:
            raise OSError("no more files")

        return check

    ((round_, _),) = probed(make, until=0.05)
    assert round_.failed == {"n1": "the probe itself broke: OSError: no more files"}


def test_cancelling_cancels_the_checks() -> None:
    """Nothing of a cancelled prober runs on."""
    loop = VirtualLoop()
    ended: list[str] = []

    async def check(member: str, check: Check, within: Duration) -> CheckResult:
        try:
            await asyncio.sleep(3000)
        finally:
            ended.append(member)
        return CheckResult(True, "")

    async def work() -> None:
        prober = Prober(
            probe=a_probe(timeout="1000s"),
            members=("n1", "n2"),
            check=check,
            clock=loop,
            on_round=lambda round_, samples: None,
        )
        task = asyncio.create_task(prober.run())
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    run_virtually(loop, work())
    assert sorted(ended) == ["n1", "n2"]


@pytest.mark.parametrize(("timeout", "most"), [("0s", 1), ("1s", 0)])
def test_impossible_limits_are_refused(timeout: str, most: int) -> None:
    """Without any time or any slot no check could ever succeed."""
    with pytest.raises(ValueError, match="the probe 'p'"):
        Prober(
            probe=a_probe(timeout=timeout),
            members=("n1",),
            check=slow_until(0),  # type: ignore[arg-type]  # never called
            clock=ManualClock(),
            on_round=lambda round_, samples: None,
            max_outstanding=most,
        )


def test_nobody_to_check_is_refused() -> None:
    """A probe without members would give rounds that say nothing."""
    with pytest.raises(ValueError, match="no member to check"):
        Prober(
            probe=a_probe(),
            members=(),
            check=slow_until(0),  # type: ignore[arg-type]  # never called
            clock=ManualClock(),
            on_round=lambda round_, samples: None,
        )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=20), st.integers(1, 4), st.integers(1, 300))
def test_each_tick_is_answered_once_whatever_the_delays(delays: list[int], most: int, timeout: int) -> None:
    """For any answering times each tick has one value a member, in order, bounded by the time-out."""
    asked = iter(delays * 100)

    def make(loop: VirtualLoop) -> RunCheck:
        async def check(member: str, check: Check, within: Duration) -> CheckResult:
            await asyncio.sleep(next(asked) / 1000)
            return CheckResult(True, "")

        return check

    probe = a_probe(every="50ms", timeout=f"{timeout}ms")
    got = probed(make, probe=probe, until=1.02, members=("n1", "n2"), max_outstanding=most)
    assert [round_.tick // MS for round_, _ in got] == list(range(0, 1021, 50))
    for member in ("n1", "n2"):
        for _, success, spent in shown(got, member):
            assert success in (0.0, 1.0)
            assert spent is not None
            assert 0 <= spent <= timeout
