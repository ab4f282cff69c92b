"""Rounds that another server scraped, judged: warnings are never a pass, and the server's own rules evaluate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs
from staged_run import CONVERGE, ONE_LEADER, S, Staged, numbered

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.samples import Samples
from meshkit_chaos.judge.indicators import near_names, series_of, settings_of
from meshkit_chaos.judge.judge import judge

DESCRIBED = ev.SourceDescribed(
    source="scrape", server="http://prom:9090", flavour="prometheus", version="2.42.0", range_boundaries="closed",
    offset=0, error=1, every=S, lag=S,
)  # fmt: skip
WARNING = "the source warns that its answer may be incomplete: No StoreAPIs matched"


def doubted(record: Record, since: int, until: int) -> Record:
    """The same record, with a warning in every round of a while."""
    rounds = {
        source: tuple(
            structs.replace(one, doubt=WARNING) if since <= one.tick - record.entries[0].t < until else one for one in several
        )
        for source, several in record.samples.rounds.items()
    }
    return replace(record, samples=Samples(rounds=rounds, series=record.samples.series))


@pytest.mark.parametrize(("since", "until"), [(0, 60 * S), (3 * S, 14 * S), (4 * S, 8 * S)])
def test_a_warning_is_never_a_pass_and_is_quoted(since: int, until: int) -> None:
    """Rounds with a warning are unknown, even if a fault holds every member that is missing in them."""
    record = Staged().record()
    assert judge(record).verdict == "pass"
    verdict = judge(doubted(record, since, until))
    assert verdict.verdict != "pass"
    told = " ".join(f"{finding.sentence} {finding.hint}" for finding in verdict.findings if finding.verdict != "pass")
    assert "No StoreAPIs matched" in told


def test_a_warning_counts_although_a_fault_holds_the_member() -> None:
    """What a fault explains is the silence of its member, not that of the source."""
    points = series_of(doubted(Staged().record(), 3 * S, 7 * S), ONE_LEADER)
    assert {point.state for point in points if point.reason} == {"unknown"}
    assert sum(point.reason == WARNING for point in points) >= 15


def test_the_servers_version_decides_how_queries_are_evaluated() -> None:
    """The recorded range boundaries are used again when an old run is judged."""
    staged = Staged()
    record = Record(entries=numbered([*staged.events(), (14 * S, DESCRIBED)]), samples=staged.samples())
    assert settings_of(record, "scrape").range_boundaries == "closed"
    assert settings_of(record, "writes").range_boundaries == "left-open"
    assert settings_of(staged.record(), "scrape").range_boundaries == "left-open"


def test_near_names_of_the_server_are_suggested() -> None:
    """For a metric that was never recorded, what the server has is named; trap 8."""
    staged = Staged()
    missing = ev.MetricMissing(source="scrape", metric="is_leadr", near=("etcd_server_is_leader",))
    record = Record(entries=numbered([*staged.events(), (14 * S, missing)]), samples=staged.samples())
    assert near_names(record, "sum(is_leadr)") == ("no series named is_leadr was recorded; near names: etcd_server_is_leader")
    assert CONVERGE.indicator == "one-leader"
