"""A record → its verdict: assumptions, the convergence estimator, objectives, repeats. Pure; judges again any time."""

from meshkit_chaos.judge.exit_code import exit_code
from meshkit_chaos.judge.indicators import Point, series_of
from meshkit_chaos.judge.invocation import invocation_verdict
from meshkit_chaos.judge.judge import judge, refused
from meshkit_chaos.judge.repeats import Decision, chances, decide, decide_scenario, extra_runs, join, sees
from meshkit_chaos.judge.verdict import Finding, InvocationVerdict, Measurement, Repetition, Share, Verdict, worst

__all__ = [
    "Decision",
    "Finding",
    "InvocationVerdict",
    "Measurement",
    "Point",
    "Repetition",
    "Share",
    "Verdict",
    "chances",
    "decide",
    "decide_scenario",
    "exit_code",
    "extra_runs",
    "invocation_verdict",
    "join",
    "judge",
    "refused",
    "sees",
    "series_of",
    "worst",
]
