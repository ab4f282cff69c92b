"""What a counter did is drawn where it did it."""

from __future__ import annotations

from staged_run import CONVERGE, ERRORS, ONE_LEADER, T0, S, Staged, leader_killed

from meshkit_chaos.judge.judge import judge
from meshkit_chaos.report.model import run_report
from meshkit_chaos.report.shape import stretches


def test_a_span_is_drawn_from_its_begin_to_its_end() -> None:
    """Errors between the rounds at 8.9 and 9.1 s are drawn there, and not after the round that told of them."""
    series = {"is_leader": leader_killed(), "errors_total": lambda member, at: 5.0 * (at >= 9 * S)}
    run = Staged(indicators=(ONE_LEADER, ERRORS), objectives=(CONVERGE,), series=series)
    report = run_report(run.record(), judge(run.record()))
    plot = next(plot for plot in report.plots if plot.indicator == "errors")
    bad = [stretch for stretch in stretches(plot.points) if stretch.state == "bad"]
    assert [(round((one.start - T0) / S, 2), round((one.end - T0) / S, 2)) for one in bad] == [(8.9, 9.1)]
