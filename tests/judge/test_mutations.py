"""Distorted samples: what notices, what stays green, and that the record is left as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs
from staged_run import CONVERGE, ERRORS, MS, ONE_LEADER, S, Staged, leader_killed

from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.mutations import MUTATIONS, Mutant, mutants
from meshkit_chaos.slo import Band, Duration, Indicator, Objective

TIMED = ["never recovers", "recovers late", "vanishes", "is NaN", "stays flat", "is not sampled"]


def by_name(staged: Staged) -> dict[str, Mutant]:
    return {mutant.mutation: mutant for mutant in mutants(staged.record())}


def with_query(query: str, band: str = "== 1") -> Staged:
    return Staged(indicators=(structs.replace(ONE_LEADER, query=query, band=Band.parse(band)),))


def test_a_sound_objective_notices_everything() -> None:
    """A convergence objective with a plain query is green under no distortion; where it is bad for too long, it fails."""
    found = by_name(Staged())
    assert list(found) == TIMED
    assert not any(mutant.survives for mutant in found.values())
    assert {name: found[name].verdict for name in TIMED[:2]} == {"never recovers": "fail", "recovers late": "fail"}
    assert {found[name].verdict for name in TIMED[2:]} == {"inconclusive"}


def test_a_query_that_makes_up_data_is_caught() -> None:
    """``or vector(1)`` says that all is well when nothing is there: the objective stays green though its metric is gone."""
    found = by_name(with_query("sum(is_leader == 1) or vector(1)"))
    assert not found or any(mutant.survives for mutant in found.values())
    optional = Objective(
        id="converges", form="converge", indicator="one-leader", within=Duration(5 * S), disturbance="optional"
    )
    staged = replace(with_query("sum(is_leader) or vector(1)"), objectives=(optional,))
    assert not by_name(staged)["vanishes"].survives  # members that answer and export it no more make it unknown
    skipping = structs.replace(staged.indicators[0], missing="skip")
    found = by_name(replace(staged, indicators=(skipping,)))
    assert found["vanishes"].survives
    assert not found["never recovers"].survives


def test_an_objective_that_cannot_fail_is_caught() -> None:
    """Where no samples whatever make the query bad, the objective stays green though the mesh never recovers."""
    optional = structs.replace(CONVERGE, disturbance="optional")
    staged = replace(with_query("clamp(sum(is_leader), 1, 1)"), objectives=(optional,))
    found = by_name(staged)
    assert found["never recovers"].survives
    assert found["recovers late"].survives
    assert found["vanishes"].verdict == "inconclusive"


def test_staying_flat_may_pass_where_no_disturbance_is_required() -> None:
    """An objective that accepts no disturbance at all cannot be blamed for seeing none; it must still notice the rest."""
    staged = Staged(objectives=(structs.replace(CONVERGE, disturbance="optional"),))
    flat = by_name(staged)["stays flat"]
    assert (flat.verdict, flat.must, flat.survives) == ("pass", False, False)
    assert not any(mutant.survives for mutant in by_name(staged).values())


def test_stay_objectives_are_tried_in_their_phase() -> None:
    """A ``stay`` objective is tried within its phase; lateness means nothing to it."""
    staged = Staged(objectives=(Objective(id="stays", form="stay", indicator="one-leader", during="baseline"),))
    found = by_name(staged)
    assert "recovers late" not in found
    assert found["never recovers"].verdict == "fail"
    assert not any(mutant.survives for mutant in found.values())


def test_events_are_made_to_go_on() -> None:
    """Of a counter, never recovering means rising for ever: holding its value would be health."""
    staged = Staged(
        indicators=(ONE_LEADER, ERRORS),
        objectives=(Objective(id="quiet", form="converge", indicator="errors", within=Duration(5 * S)),),
        series={
            "is_leader": leader_killed(),
            "errors_total": lambda member, at: float(max(0, min(at, 4 * S) - 3 * S) // (100 * MS)) if member == "m2" else 0.0,
        },
    )
    found = by_name(staged)
    assert found["never recovers"].verdict == "fail"
    assert not any(mutant.survives for mutant in found.values())


@pytest.mark.parametrize(
    "query", ["sum(is_leader)", "max(is_leader)", "sum(max_over_time(is_leader[1s]))", "count(is_leader == 1)"]
)
def test_range_and_filter_queries_can_be_made_bad(query: str) -> None:
    """Windows and filters delay and hide, yet some distortion makes them bad for good."""
    found = by_name(with_query(query))
    assert "never recovers" not in found or not found["never recovers"].survives


def test_only_green_key_objectives_are_tried() -> None:
    """What did not pass, or does not count, is not tried; a record that says nothing gives nothing."""
    failed = Staged(series={"is_leader": leader_killed(8 * S)})
    assert by_name(failed) == {}
    informational = Staged(objectives=(structs.replace(CONVERGE, informational=True),))
    assert by_name(informational) == {}
    empty = replace(Staged().record(), entries=())
    assert list(mutants(empty)) == []


def test_todays_objectives_can_be_tried() -> None:
    """With another scenario, its objectives are tried instead of the recorded ones."""
    staged = Staged()
    changed = structs.replace(staged.scenario, objectives=(structs.replace(CONVERGE, id="other", within=Duration(4 * S)),))
    assert {mutant.objective for mutant in mutants(staged.record(), scenario=changed)} == {"other"}


def test_the_record_is_left_as_it_is() -> None:
    """Distorting changes nothing of the record: it is judged as before."""
    record = Staged().record()
    before = judge(record)
    list(mutants(record))
    assert judge(record) == before


def test_an_unreadable_query_is_left_alone() -> None:
    """A query that cannot be read has no passing objective, so there is nothing to try."""
    broken = Indicator(name="one-leader", query="sum(", band=Band.parse("== 1"))
    assert list(mutants(Staged(indicators=(broken,)).record())) == []


def test_every_distortion_is_described() -> None:
    """The table of distortions says in words what each does to the mesh."""
    assert list(MUTATIONS) == TIMED
