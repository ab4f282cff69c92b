"""Verdicts, findings and measurements, and the algebra that joins them.

Within one run ``invalid > fail > inconclusive > pass`` (and ``not-run`` above all: nothing else can be said of it). Adding a
finding
never improves a verdict; none at all is inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

VerdictName = Literal["pass", "fail", "inconclusive", "invalid", "not-run"]
OutcomeName = Literal["completed", "aborted", "crashed", "not-run"]
EnvironmentName = Literal["clean", "dirty", "unknown", "untouched"]
FindingAbout = Literal["objective", "assumption", "outcome", "environment"]

_RANK: Final[dict[VerdictName, int]] = {"pass": 0, "inconclusive": 1, "fail": 2, "invalid": 3, "not-run": 4}


def worst(verdicts: Iterable[VerdictName]) -> VerdictName:
    """The worst of a run's findings; inconclusive where there are none."""
    return max(verdicts, key=_RANK.__getitem__, default="inconclusive")


class Measurement(Struct, frozen=True, kw_only=True):
    """A convergence or recovery time as the interval ``[lo, hi]`` in ns, and what stands beside it.

    ``hi`` None: right-censored, "more than lo". ``resolution``: the longest span between two rounds that bounds the answer.
    ``window``: first and last instant that counted. ``onset``: first bad instant seen after the injection. ``recovered``: the
    interval ``(last bad, first good]`` of the recovery instant itself, in monotonic ns. ``lost``: area under bad time, ns.
    """

    lo: int
    hi: int | None
    limit: int
    resolution: int
    window: tuple[int, int]
    onset: int | None = None
    recovered: tuple[int, int] | None = None
    flaps: int = 0
    lost: int = 0
    overshoot: float | None = None


class Share(Struct, frozen=True, kw_only=True):
    """For ``stay``: ns observed, ns bad (beyond what is tolerated), ns unknown, and the longest bad stretch."""

    observed: int
    bad: int
    unknown: int
    longest: int
    allowed: float


class Finding(Struct, frozen=True, kw_only=True):
    """One judged thing. ``sentence`` is plain and complete; ``evidence`` are ``seq`` numbers of journal entries."""

    about: FindingAbout
    id: str
    verdict: VerdictName
    sentence: str
    hint: str = ""
    evidence: tuple[int, ...] = ()
    indicator: str = ""
    informational: bool = False
    measured: Measurement | None = None
    share: Share | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """What one run says. Equal records give equal bytes: no clock time of judging, no absolute path.

    ``what_if``: thresholds other than the recorded ones were used; it never enters history or a gate.
    """

    schema: int = 1
    run: str
    scenario: str
    title: str
    verdict: VerdictName
    outcome: OutcomeName
    environment: EnvironmentName
    findings: tuple[Finding, ...]
    what_if: bool = False
    repeat: int = 0
    severity: str = "medium"
    owner: str = ""
    modules: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    subject: dict[str, str] = {}
    environment_class: str = ""
    binaries: dict[str, str] = {}
    seed: int = 0
    tool: str = ""
    journal_digest: str = ""


class Repetition(Struct, frozen=True, kw_only=True):
    """Repeats of one scenario, joined by its repeat plan. ``objectives`` maps each objective to its joined verdict."""

    scenario: str
    title: str
    verdict: VerdictName
    sentence: str
    runs: tuple[str, ...]
    flaky: bool = False
    objectives: dict[str, VerdictName] = {}
    severity: str = "medium"
    owner: str = ""


class InvocationVerdict(Struct, frozen=True, kw_only=True):
    """One ``meshkit-chaos run``: every scenario that was announced, with every run of it."""

    schema: int = 1
    invocation: str
    verdict: VerdictName
    environment: EnvironmentName
    sentence: str
    subject: dict[str, str]
    scenarios: tuple[Repetition, ...]
    runs: tuple[Verdict, ...]
    what_if: bool = False
