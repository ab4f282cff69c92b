"""Which one measurement, and which one sentence, stand for a scenario where there is room for only one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshkit_chaos.judge.verdict import Finding, Measurement, Repetition, Verdict
from meshkit_chaos.report.wording import URGENCY, sentence_of


@dataclass(frozen=True, slots=True)
class Decisive:
    """The measurement that stands for a scenario: of the finding that matters most, and of how many it is one."""

    finding: Finding
    measured: Measurement
    run: Verdict
    of: int


def decisive(repetition: Repetition, runs: Iterable[Verdict]) -> Decisive | None:
    """The most urgent measured finding of a scenario; among equals, the one that uses most of its limit."""
    found = [(run, f, f.measured) for run in runs for f in run.findings if f.measured is not None and not f.informational]
    if not found:
        return None

    def rank(item: tuple[Verdict, Finding, Measurement]) -> tuple[bool, int, float]:
        _, finding, measured = item
        reach = measured.lo if measured.hi is None else measured.hi
        share = reach / measured.limit if measured.limit else 0.0
        return finding.verdict != repetition.verdict, URGENCY[finding.verdict], -share

    run, finding, measured = min(found, key=rank)
    return Decisive(finding, measured, run, len(found))


def reason(repetition: Repetition, runs: Sequence[Verdict]) -> str:
    """Why a scenario has its verdict: what its only run found, or what the repeat plan says of several."""
    only = runs[0] if len(runs) == len(repetition.runs) == 1 else None
    return sentence_of(only) if only and only.verdict == repetition.verdict else repetition.sentence
