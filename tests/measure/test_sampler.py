"""The sampler as the engine uses it: real targets, probes, readings, followers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx2
import pytest
from misbehaving_targets import Behaviour, answer, serving, silent
from virtual_time import VirtualLoop, run_virtually

from meshkit_chaos.clock import Clock, ManualClock, SystemClock
from meshkit_chaos.journal.blocks import decode_block, encode_block, join_blocks
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure import Reading, Sampler, probes_of, wanted_by
from meshkit_chaos.promql import evaluate, is_stale, parse
from meshkit_chaos.slo import Band, Check, CheckResult, Duration, Indicator, IndicatorKind, Probe, TcpCheck

T = TypeVar("T")
SECOND = Duration.parse("1s")
LEADERS = "sum(leader)"


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


def an_indicator(
    query: str = LEADERS, *, kind: IndicatorKind = "state", band: str = "== 1", probe: Probe | None = None
) -> Indicator:
    source = probe.name if probe else "scrape"
    return Indicator(name="i", query=query, band=Band.parse(band), kind=kind, probe=probe, source=source)


def a_probe(name: str = "write", *, every: str = "100ms", timeout: str = "200ms") -> Probe:
    return Probe(name=name, check=TcpCheck(address="x:1"), every=Duration.parse(every), timeout=Duration.parse(timeout))


async def fine(member: str, check: Check, within: Duration) -> CheckResult:
    return CheckResult(True, "fine")


def leader(value: int) -> Behaviour:
    return answer(f"leader {value}\nother 5\n".encode())


async def after_rounds(
    indicator: Indicator, behaviours: tuple[Behaviour, Behaviour], *, count: int, held: tuple[str, ...] = ()
) -> tuple[Reading, Sampler]:
    """The reading after so many rounds of two members, n1 and n2."""
    async with serving(behaviours[0]) as first, serving(behaviours[1]) as second:
        sampler = Sampler(
            indicators=[indicator],
            members=("n1", "n2"),
            targets={"n1": first, "n2": second},
            every=SECOND,
            timeout=Duration.parse("2s"),
            check=fine,
            clock=SystemClock(),
        )
        seen: list[Round] = []
        readings: list[Reading] = []

        def on_round(round_: Round) -> None:
            seen.append(round_)
            readings.append(sampler.latest(indicator, held))
            if len(seen) >= count:
                sampler.stop()

        sampler.follow(on_round)
        await sampler.run()
    return readings[-1], sampler


def test_an_indicator_is_read_in_the_last_round() -> None:
    """Two members that answer give the sum of what they export, assessed against the band."""
    reading, sampler = run(after_rounds(an_indicator(), (leader(1), leader(0)), count=1))
    assert (reading.state, reading.detail) == ("good", "its value is 1; good is == 1")
    assert sampler.skipped == {"scrape": 0}
    bad, _ = run(after_rounds(an_indicator(), (leader(1), leader(1)), count=1))
    assert bad.state == "bad"


def test_a_member_that_was_not_seen_makes_it_unknown_unless_held() -> None:
    """A sum over half of the members is no evidence, except of members that a fault holds."""
    unknown, _ = run(after_rounds(an_indicator(), (leader(1), silent), count=1))
    assert unknown.state == "unknown"
    assert "n2 was not seen: no whole answer" in unknown.detail
    held, _ = run(after_rounds(an_indicator(), (leader(1), silent), count=1, held=("n2",)))
    assert held.state == "good"


@pytest.mark.parametrize(
    ("query", "said"),
    [("absent_metric", "nothing"), ("leader", "2 series"), ("leader / 0", "2 series"), ("sum(leader) / 0 - 1 / 0", "NaN")],
)
def test_what_gives_no_number_is_unknown(query: str, said: str) -> None:
    """Nothing, several series and NaN are unknown, and the detail says which."""
    reading, _ = run(after_rounds(an_indicator(query, band=">= 0"), (leader(1), leader(0)), count=1))
    assert reading.state == "unknown"
    assert said in reading.detail


def test_a_query_that_cannot_be_evaluated_is_unknown() -> None:
    """An ambiguous match is a reason, not an end of the run."""
    reading, _ = run(after_rounds(an_indicator("leader * on() other"), (leader(1), leader(0)), count=1))
    assert reading.state == "unknown"
    assert reading.detail


def test_an_event_indicator_reads_increases() -> None:
    """A counter that stands still is good from the second round on."""
    indicator = an_indicator('leader{member="n1"}', kind="event", band="== 0")
    first, _ = run(after_rounds(indicator, (leader(7), leader(0)), count=1))
    assert first.state == "unknown"
    second, _ = run(after_rounds(indicator, (leader(7), leader(0)), count=2))
    assert (second.state, second.detail) == ("good", "its increase since the round before is 0; good is == 0")


def test_what_is_recorded_reads_the_same_later() -> None:
    """The block of a live run, through bytes and back, gives the same value at the same instant, and only wanted series."""
    reading, sampler = run(after_rounds(an_indicator(), (leader(1), leader(0)), count=1))
    block = sampler.recorder.take_block()
    assert block is not None
    assert reading.tick is not None
    samples = join_blocks([decode_block(encode_block(block))])
    assert set(samples.series) == {"leader", "up"}
    assert evaluate(parse(LEADERS), samples, reading.tick) == evaluate(parse(LEADERS), sampler.recorder, reading.tick)


def probing(loop: Clock, *, check: Any = fine, **options: Any) -> tuple[Sampler, Indicator]:
    indicator = an_indicator('min(probe_success{probe="write"})', probe=a_probe(**options))
    sampler = Sampler(
        indicators=[indicator, indicator],
        members=("n1", "n2"),
        targets={},
        every=SECOND,
        timeout=SECOND,
        check=check,
        clock=loop,
    )
    return sampler, indicator


def test_a_probe_is_a_source_of_its_own() -> None:
    """Without anything to scrape, probes alone are sampled, each once however many indicators use it."""
    loop = VirtualLoop()
    sampler, indicator = probing(loop)
    loop.call_later(0.35, sampler.stop)
    run_virtually(loop, sampler.run())
    assert sampler.recorder.sources == ("write",)
    assert [round_.tick for round_ in sampler.recorder.rounds("write")] == [0, 10**8, 2 * 10**8, 3 * 10**8]
    assert sampler.latest(indicator).state == "good"
    assert sampler.skipped == {"write": 0}


def test_a_probe_that_breaks_leaves_the_indicator_unknown() -> None:
    """After a broken probe there is no old success to be seen: its series is stale and the round unknown."""
    broken = asyncio.Event()

    async def check(member: str, check: Check, within: Duration) -> CheckResult:
        if broken.is_set():
            raise RuntimeError("out of files")
        return CheckResult(True, "")

    loop = VirtualLoop()
    sampler, indicator = probing(loop, check=check)
    loop.call_later(0.15, broken.set)
    loop.call_later(0.25, sampler.stop)
    run_virtually(loop, sampler.run())
    reading = sampler.latest(indicator)
    assert reading.state == "unknown"
    assert "the probe itself broke: RuntimeError: out of files" in reading.detail
    assert all(is_stale(series.values[-1]) for series in sampler.recorder.named("probe_success"))
    assert sampler.latest(indicator, ("n1", "n2")).state == "unknown"


def test_an_old_round_is_no_reading() -> None:
    """Once no new rounds come, good turns unknown: what was seen long ago says nothing about now."""
    loop = VirtualLoop()
    sampler, indicator = probing(loop)
    loop.call_later(0.05, sampler.stop)
    run_virtually(loop, sampler.run())
    loop.hang(450 * 10**6)
    assert sampler.latest(indicator).state == "good"
    loop.hang(1)
    reading = sampler.latest(indicator)
    assert (reading.state, reading.tick) == ("unknown", 0)
    assert "is 500000001ns old" in reading.detail


def test_a_given_client_is_used_and_left_open() -> None:
    """An environment brings its own way to speak to its members, and scrapes keep to virtual time as well."""
    loop = VirtualLoop()

    async def answered(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(2 if request.url.host == "n2" and loop.time() > 1.5 else 0.01)
        return httpx2.Response(200, text="leader 1\n")

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answered))
    sampler = Sampler(
        indicators=[an_indicator()],
        members=("n1", "n2"),
        targets={"n1": "http://n1/metrics", "n2": "http://n2/metrics"},
        every=SECOND,
        timeout=SECOND,
        check=fine,
        clock=loop,
        client=client,
    )
    loop.call_later(2.5, sampler.stop)
    run_virtually(loop, sampler.run())
    assert [(one.tick / 1e9, one.end / 1e9, tuple(one.failed)) for one in sampler.recorder.rounds("scrape")] == [
        (0, 0.01, ()),
        (1, 1.01, ()),
        (2, 3, ("n2",)),
    ]
    assert not client.is_closed


def test_before_the_first_round_nothing_is_known() -> None:
    """A reading without a round has no tick."""
    sampler, indicator = probing(ManualClock())
    assert (sampler.latest(indicator).state, sampler.latest(indicator).tick) == ("unknown", None)


def test_stopping_before_running_samples_nothing() -> None:
    """A sampler that was stopped early returns at once."""
    loop = VirtualLoop()
    sampler, _ = probing(loop)
    sampler.stop()
    run_virtually(loop, sampler.run())
    assert sampler.recorder.sources == ()


def test_an_error_of_a_follower_is_not_swallowed() -> None:
    """Our own errors end the run: they are not a gap in the samples."""

    def wrong(round_: Round) -> None:
        raise LookupError("ours")

    loop = VirtualLoop()
    sampler, _ = probing(loop)
    sampler.follow(wrong)
    with pytest.raises(ExceptionGroup) as raised:
        run_virtually(loop, sampler.run())
    assert raised.group_contains(LookupError, match="ours")


def test_queries_say_what_is_wanted() -> None:
    """The names that queries read are kept; a selector without a name keeps everything."""
    some = wanted_by([parse("sum(a) + rate(b[1m])"), parse("c")])
    assert some.candidates([b"a 1", b"b 1", b"c 1", b"d 1"]) == [b"a 1", b"b 1", b"c 1"]
    assert not some.has(b"d")
    assert wanted_by([parse('sum({job="a"})')]).has(b"anything")


def test_probes_have_names_of_their_own() -> None:
    """Two different probes of one name, or one called like the scrapes, are refused."""
    same = [an_indicator(probe=a_probe()), an_indicator(probe=a_probe())]
    assert probes_of(same) == (a_probe(),)
    with pytest.raises(ValueError, match="'write' is taken"):
        probes_of([*same, an_indicator(probe=a_probe(every="1s"))])
    with pytest.raises(ValueError, match="'scrape' is taken"):
        probes_of([an_indicator(probe=a_probe("scrape"))])
