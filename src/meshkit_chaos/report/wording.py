"""The words, signs and numbers that all reports share, so that one thing is called one name everywhere. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from typing import Final

from meshkit_chaos.judge.exit_code import exit_code
from meshkit_chaos.judge.phrases import at_least, counted, say, say_between
from meshkit_chaos.judge.verdict import (
    EnvironmentName,
    Finding,
    InvocationVerdict,
    Measurement,
    OutcomeName,
    Verdict,
    VerdictName,
)
from meshkit_chaos.report.escape import one_line

WORD: Final[dict[VerdictName, str]] = {
    "pass": "Pass",
    "fail": "Fail",
    "inconclusive": "Inconclusive",
    "invalid": "Invalid",
    "not-run": "Not run",
}
SYMBOL: Final[dict[VerdictName, str]] = {"pass": "✓", "fail": "✗", "inconclusive": "?", "invalid": "!", "not-run": "–"}
MEANING: Final[dict[VerdictName, str]] = {
    "pass": "every judged objective was met, with evidence",
    "fail": "there is evidence that an objective was missed",
    "inconclusive": "the evidence straddles a limit or is incomplete",
    "invalid": "an assumption broke, so nothing can be said of the target",
    "not-run": "never started",
}
ENVIRONMENT: Final[dict[EnvironmentName, str]] = {
    "clean": "clean: everything was rolled back, and that was verified",
    "dirty": "dirty: something is still broken",
    "unknown": "unknown: the rollback was not verified",
    "untouched": "untouched: nothing was injected",
}
OUTCOME: Final[dict[OutcomeName, str]] = {
    "completed": "the run completed",
    "aborted": "the run was aborted",
    "crashed": "the run crashed",
    "not-run": "the run never started",
}
# The order in which people should read: what needs them most comes first.
URGENCY: Final[dict[VerdictName, int]] = {"fail": 0, "invalid": 1, "inconclusive": 2, "not-run": 3, "pass": 4}


def exit_meaning(invocation: InvocationVerdict) -> str:
    """The exit code in words."""
    meanings = {
        0: "exit 0: all that was required passed",
        1: "exit 1: an objective was missed",
        2: "exit 2: not a pass, because evidence is missing or broken",
        3: "exit 3: the environment was left dirty; run recover before anything else",
    }
    return meanings[exit_code(invocation)]


def counts(verdicts: Iterable[VerdictName]) -> tuple[tuple[VerdictName, int], ...]:
    """How many of each verdict there are, most urgent first; none with zero."""
    tally = Counter(verdicts)
    return tuple((name, tally[name]) for name in sorted(tally, key=URGENCY.__getitem__))


def number(value: float, digits: int) -> str:
    """A plain number with at most so many digits behind the point and no idle zeros."""
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text.replace("-", "−")


def seconds(ns: int) -> str:
    """A span as the judge's sentences write it, with a true minus sign."""
    return say(ns).replace("-", "−")


def interval(measured: Measurement) -> str:
    """A measured time as ``1.42–1.63 s``, rounded outward, or ``> 3.2 s`` where the recovery was not seen.

    ``0 s`` stands for an indicator that was already good again.
    """
    return f"> {at_least(measured.lo)}" if measured.hi is None else say_between(measured.lo, measured.hi)


def limit(measured: Measurement) -> str:
    return say(measured.limit)


def judged(verdict: Verdict) -> tuple[Finding, ...]:
    """The findings that count, worst first, objectives before what they rest on."""
    counting = (finding for finding in verdict.findings if not finding.informational)
    return tuple(sorted(counting, key=lambda finding: (URGENCY[finding.verdict], finding.about != "objective")))


def sentence_of(verdict: Verdict) -> str:
    """Why a run has its verdict, in one sentence."""
    deciding = [finding for finding in judged(verdict) if finding.verdict == verdict.verdict]
    if not deciding:
        return f"{OUTCOME[verdict.outcome]}; no finding says more"
    if verdict.verdict != "pass":
        cut_short = verdict.verdict == "inconclusive" and verdict.outcome in ("aborted", "crashed")
        why = next((finding for finding in deciding if finding.about == "outcome"), None) if cut_short else None
        return (why or deciding[0]).sentence
    met = sum(finding.about == "objective" for finding in deciding)
    held = sum(finding.about == "assumption" for finding in deciding)
    return f"{counted(met, 'objective')} met, {counted(held, 'assumption')} held"


def repro(file: str, verdict: Verdict) -> str:
    """The command that runs the same again."""
    words = ["meshkit-chaos", "run", one_line(verdict.scenario), "--file", one_line(file), "--seed", str(verdict.seed)]
    return shlex.join(words)


def subject_text(subject: dict[str, str]) -> str:
    return ", ".join(one_line(f"{key}={value}") for key, value in subject.items()) or "not stated"
