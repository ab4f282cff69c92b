"""Rounds out of a server that scrapes the members, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from metric_source import MS, SECOND, ScrapedMesh, external, watch
from virtual_time import VirtualLoop

from meshkit_chaos.journal import events as ev
from meshkit_chaos.measure.fake_prometheus import FakePrometheus
from meshkit_chaos.measure.loopback import Answer, Request
from meshkit_chaos.promql import NoData, evaluate, labels_of, parse, single
from meshkit_chaos.slo import Duration

PHASES = {"a": 100, "b": 350, "c": 600}
QUERY = parse("sum(leads)")


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def test_a_round_holds_one_scrape_of_every_member_at_its_true_time(loop: VirtualLoop) -> None:
    """Whatever the phases, each interval's samples make one round, at the instants at which they were taken."""
    mesh = ScrapedMesh(loop, phases=PHASES)
    seen = watch(loop, mesh, seconds=10)
    assert len(seen.rounds) >= 6
    assert not mesh.server.wrong
    for round_, samples in zip(seen.rounds, seen.samples, strict=True):
        assert not round_.failed
        assert not round_.doubt
        up = [
            (member, time) for member in PHASES for labels, time, _ in samples[member].samples if ("__name__", "up") in labels
        ]
        assert len(up) == 3
        for member, time in up:
            assert abs(time % SECOND - PHASES[member] * MS) < 3 * MS
        assert round_.start <= min(time for _, time in up) <= round_.tick <= round_.end
        assert single(evaluate(QUERY, seen.recorder, round_.tick), text=QUERY.text) == 1


@pytest.mark.parametrize("ahead_s", [-90, -0.3, 0, 0.3, 3600])
def test_trap_24_another_clock_moves_no_round(loop: VirtualLoop, ahead_s: float) -> None:
    """A server whose clock is off gives the same rounds; beyond a second it is said, with the difference."""
    mesh = ScrapedMesh(loop, phases=PHASES, ahead=round(ahead_s * SECOND))
    seen = watch(loop, mesh, seconds=6)
    assert seen.rounds
    for round_ in seen.rounds:
        first = round_.start + (PHASES["c"] - PHASES["a"]) * MS
        assert abs(round_.tick - first) < 10 * MS
        assert abs(round_.tick % SECOND - PHASES["c"] * MS) < 10 * MS
    (described,) = seen.noted(ev.SourceDescribed)
    assert abs(described.offset - ahead_s * SECOND) <= described.error + MS
    assert ("its clock is" in seen.problems()) is (abs(ahead_s) > 1)


def test_a_failed_scrape_is_a_failed_member_and_staleness(loop: VirtualLoop) -> None:
    """While up is 0 the member is failed in its rounds, and its series are gone at once, not five minutes later."""
    mesh = ScrapedMesh(loop, phases=PHASES)
    mesh.down["a"] = (4 * SECOND, 7 * SECOND)
    seen = watch(loop, mesh, seconds=12)
    failed = [round_ for round_ in seen.rounds if round_.failed]
    assert {tuple(round_.failed.items()) for round_ in failed} == {(("a", "its scrape failed (up is not 1)"),)}
    assert len(failed) == 3
    for round_ in failed:
        assert single(evaluate(QUERY, seen.recorder, round_.tick), text=QUERY.text) == 0
    assert seen.rounds[-1].failed == {}


def test_a_member_without_samples_is_failed(loop: VirtualLoop) -> None:
    """A target that the server no longer knows is as unseen as one that does not answer."""
    mesh = ScrapedMesh(loop, phases=PHASES)
    mesh.gone["b"] = (4 * SECOND, 60 * SECOND)
    seen = watch(loop, mesh, seconds=8)
    assert [round_.failed for round_ in seen.rounds][-1] == {"b": "the source has no sample of it in this interval"}


def test_members_that_come_later_get_intervals_of_their_own(loop: VirtualLoop) -> None:
    """Where a member is first scraped in the middle of the run, the border moves out of the way of its phase."""
    mesh = ScrapedMesh(loop, phases={"a": 100, "b": 350, "c": 930})
    mesh.gone["c"] = (0, 6 * SECOND)
    seen = watch(loop, mesh, seconds=14)
    late = [round_ for round_ in seen.rounds if round_.tick > 8 * SECOND]
    assert len(late) >= 4
    assert not any(round_.failed or round_.doubt for round_ in late)
    assert all("c" in round_.failed for round_ in seen.rounds if round_.tick < 6 * SECOND)


def test_other_meshes_on_the_same_server_are_left_out(loop: VirtualLoop) -> None:
    """What members export is read from members alone, and it is said that others have it too."""
    mesh = ScrapedMesh(loop, phases={**PHASES, "elsewhere": 800})
    seen = watch(loop, mesh, seconds=6, members=tuple(PHASES), query="count(leads)")
    assert seen.rounds
    query = parse("count(leads)")
    assert {single(evaluate(query, seen.recorder, round_.tick), text="") for round_ in seen.rounds} == {3.0}
    assert "leads is read from the members alone; others have it too, such as elsewhere" in seen.problems()


def test_what_no_member_exports_is_read_from_whoever_does(loop: VirtualLoop) -> None:
    """A recording rule or another exporter belongs to no member; it is there, and gone when its samples end."""
    mesh = ScrapedMesh(loop, phases=PHASES)

    async def rule() -> None:
        for number in range(6):
            mesh.server.add(labels_of("job:leads:sum", {"job": "mesh"}), mesh.server.now(), 1.0 + number)
            await asyncio.sleep(1)

    seen = watch(loop, mesh, seconds=12, query="job:leads:sum", meanwhile=rule)
    values = [single(evaluate(parse("job:leads:sum"), seen.recorder, round_.tick), text="") for round_ in seen.rounds]
    assert isinstance(values[1], float)
    assert isinstance(values[-1], NoData)


def test_a_warning_makes_its_rounds_unknown_and_is_quoted(loop: VirtualLoop) -> None:
    """Status 200 with warnings is no evidence: the rounds carry the words, whatever the values say."""
    mesh = ScrapedMesh(loop, phases=PHASES)

    async def later() -> None:
        await asyncio.sleep(4)
        mesh.server.say["warnings"] = ["No StoreAPIs matched for this query"]
        await asyncio.sleep(3)
        mesh.server.say.clear()

    seen = watch(loop, mesh, seconds=12, meanwhile=later)
    doubtful = [round_ for round_ in seen.rounds if round_.doubt]
    assert 2 <= len(doubtful) <= 4
    assert all("No StoreAPIs matched for this query" in round_.doubt for round_ in doubtful)
    assert not seen.rounds[-1].doubt
    assert "it warns: No StoreAPIs matched" in seen.problems()


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ({"warnings": ["results truncated due to limit"]}, "results truncated due to limit"),
        ({"isPartial": True}, "the answer is partial (isPartial)"),
    ],
)
def test_half_an_answer_is_no_evidence(loop: VirtualLoop, said: dict[str, object], quoted: str) -> None:
    """Truncated and partial answers are unknown in every round that they are of."""
    mesh = ScrapedMesh(loop, phases=PHASES)
    mesh.server.say |= said
    seen = watch(loop, mesh, seconds=6)
    assert seen.rounds
    assert all(quoted in round_.doubt for round_ in seen.rounds)


def test_infos_are_noted_and_doubt_nothing(loop: VirtualLoop) -> None:
    """A remark about a metric's name is kept for people; it says nothing about the data."""
    mesh = ScrapedMesh(loop, phases=PHASES)
    mesh.server.say["infos"] = ["metric might not be a counter"]
    seen = watch(loop, mesh, seconds=5)
    assert not any(round_.doubt for round_ in seen.rounds)
    assert "metric might not be a counter" in seen.problems()


def test_what_an_unreachable_server_kept_is_fetched_later(loop: VirtualLoop) -> None:
    """A server that refuses for a while is left alone as long as it wants; then the rounds come, none of them lost."""
    mesh = ScrapedMesh(loop, phases=PHASES)

    async def later() -> None:
        await asyncio.sleep(4)
        mesh.server.refuse = [Answer.of({"status": "error", "error": "too many requests"}, status=429, Retry_After="3")]

    seen = watch(loop, mesh, seconds=12, meanwhile=later)
    ticks = [round_.tick for round_ in seen.rounds]
    assert all(later - earlier < 1.1 * SECOND for earlier, later in pairwise(ticks))
    assert "too many requests" in seen.problems()
    asked = len(mesh.server.asked)
    assert asked < 70, "it was left alone for three seconds"


def test_a_server_that_wants_to_be_left_alone_is_not_even_asked_at_the_end(loop: VirtualLoop) -> None:
    """The last look is left out while Retry-After lasts."""
    mesh = ScrapedMesh(loop, phases=PHASES)
    asked: list[int] = []

    async def handle(request: Request) -> Answer:
        asked.append(loop.monotonic_ns())
        if loop.monotonic_ns() < 3 * SECOND:
            return await mesh.server.handle(request)
        return Answer.of({"status": "error", "error": "quota"}, status=429, Retry_After="60")

    watch(loop, mesh, seconds=8, handler=handle)
    assert sum(at >= 3 * SECOND for at in asked) == 1


@pytest.mark.parametrize(("status", "works"), [(403, True), (404, True), (401, False)])
def test_a_version_that_may_not_be_asked_for_is_not_told(loop: VirtualLoop, status: int, works: bool) -> None:
    """A gateway that serves queries only is good enough; without credentials nothing is."""
    mesh = ScrapedMesh(loop, phases=PHASES)

    async def handle(request: Request) -> Answer:
        if "buildinfo" in request.path:
            return Answer.of({"error": "no"}, status=status)
        return await mesh.server.handle(request)

    seen = watch(loop, mesh, seconds=6, handler=handle)
    assert bool(seen.rounds) is works
    assert [described.version for described in seen.noted(ev.SourceDescribed)] == ["not told"] * works


def test_an_answer_that_is_cut_gives_no_round(loop: VirtualLoop) -> None:
    """Half a body is not half the data; nothing of it is used."""
    mesh = ScrapedMesh(loop, phases=PHASES)

    async def later() -> None:
        await asyncio.sleep(3)
        mesh.server.cut = 90

    seen = watch(loop, mesh, seconds=8, meanwhile=later)
    assert all(round_.tick < 3 * SECOND for round_ in seen.rounds)
    assert "cut short" in seen.problems()


def test_a_metric_that_is_not_there_is_told_with_near_names(loop: VirtualLoop) -> None:
    """An empty result names what the server has that looks like it."""
    mesh = ScrapedMesh(loop, phases=PHASES)
    seen = watch(loop, mesh, seconds=6, query="sum(leds)")
    assert [(missing.metric, missing.near) for missing in seen.noted(ev.MetricMissing)] == [("leds", ("leads",))]
    value = single(evaluate(parse("sum(leds)"), seen.recorder, seen.rounds[-1].tick), text="sum(leds)")
    assert isinstance(value, NoData)


def test_samples_that_come_after_the_lag_make_the_next_round_doubtful(loop: VirtualLoop) -> None:
    """A lag that is longer than was said is found out, and never a pass."""
    mesh = ScrapedMesh(loop, phases=PHASES, visible_after=900 * MS)
    seen = watch(loop, mesh, seconds=8, described=external(lag=Duration(100 * MS)))
    assert any("raise `lag`" in round_.doubt for round_ in seen.rounds)
    assert all(round_.doubt or round_.failed for round_ in seen.rounds)


def test_another_scrape_interval_than_was_said_is_told(loop: VirtualLoop) -> None:
    """Samples every second where the environment says every 250ms leave most rounds empty, and it is said why."""
    mesh = ScrapedMesh(loop, phases=PHASES)
    seen = watch(loop, mesh, seconds=6, described=external(every=Duration(250 * MS)))
    assert "it scrapes every 1s, and the environment says every: 250ms" in seen.problems()
    assert sum(bool(round_.failed) for round_ in seen.rounds) > len(seen.rounds) / 2


def test_trap_24_a_clock_that_is_set_widens_every_later_round(loop: VirtualLoop) -> None:
    """After a step of the server's clock an instant is known only to the size of that step."""
    mesh = ScrapedMesh(loop, phases=PHASES)

    async def later() -> None:
        await asyncio.sleep(5)
        mesh.server._ahead = 400 * MS

    seen = watch(loop, mesh, seconds=10, meanwhile=later)
    before, after = seen.rounds[1], seen.rounds[-1]
    assert before.end - before.tick < 50 * MS
    assert after.end - after.tick >= 390 * MS
    assert "its clock was set" in seen.problems()


def test_a_server_that_never_answers_gives_nothing_but_a_reason(loop: VirtualLoop) -> None:
    """No answer, no round: and why is on record."""
    mesh = ScrapedMesh(loop, phases=PHASES)

    async def refusing(request: Request) -> Answer:
        return Answer.of({"status": "error", "error": "nobody home"}, status=503)

    seen = watch(loop, mesh, seconds=5, handler=refusing)
    assert seen.rounds == []
    assert "nobody home" in seen.problems()


@pytest.mark.parametrize(
    ("version", "boundaries"), [("2.42.0+ds", "closed"), ("3.1.0", "left-open"), ("v3.0.0-rc.1", "left-open")]
)
def test_the_version_decides_the_range_boundaries(loop: VirtualLoop, version: str, boundaries: str) -> None:
    """Version 2 takes a range's first instant in, version 3 does not; which it was is recorded."""
    mesh = ScrapedMesh(loop, phases=PHASES, build={"version": version})
    (described,) = watch(loop, mesh, seconds=3).noted(ev.SourceDescribed)
    assert (described.version, described.range_boundaries) == (version, boundaries)


def test_a_server_that_says_it_is_a_mimir_is_told(loop: VirtualLoop) -> None:
    """Another flavour than the environment says is pointed out, for its ways differ."""
    mesh = ScrapedMesh(loop, phases=PHASES, build={"application": "Grafana Mimir", "version": "2.14.0"})
    seen = watch(loop, mesh, seconds=3)
    assert "write flavour: mimir" in seen.problems()


def test_the_fake_tells_what_is_not_of_the_api(loop: VirtualLoop) -> None:
    """A request that the real API would refuse is refused by the fake, and remembered."""
    fake = FakePrometheus(loop)
    request = Request(method="GET", path="/api/v1/query", query={}, headers={}, body=b"")
    answer = asyncio.run(fake.handle(request))
    assert answer.status == 405
    assert fake.wrong == ["GET /api/v1/query"]
    loop.close()
