"""A gate's policy as frozen values, every default filled in. Durations and shares are types, instants wall-clock ns. Pure."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.slo import Duration, Ratio

Mode = Literal["shadow", "blocking"]
Match = Literal["digest", "commit"]
UntilBaseline = Literal["absolute-only", "closed"]
MOST_BASELINE_RUNS: Final = 60
"""So many runs of a release are compared with, the newest: more add little power and cost time."""
SEVERITIES: Final = ("low", "medium", "high", "critical")


class Alternative(Struct, frozen=True, kw_only=True):
    """What the power of a comparison is stated for: a new run that fails so often, or is slower than an old one so often."""

    fails: Ratio
    slower: Ratio


class Baseline(Struct, frozen=True, kw_only=True):
    """Which earlier runs a subject is compared with.

    ``subject``: these pairs stand in theirs. ``releases_by``: the key of the subject that tells releases apart; empty: all are
    one. ``releases``: at most so many, the newest. ``lag``: none younger than this. ``until``: none from this instant on
    (the day on which the release branch was cut). ``at_least``: fewer runs than this are no baseline.
    """

    subject: dict[str, str]
    releases_by: str
    releases: int
    lag: Duration
    until: int | None
    at_least: int


class Regression(Struct, frozen=True, kw_only=True):
    """How a subject is compared with earlier releases. ``false_alarms`` is for one scenario × objective and one decision."""

    false_alarms: Ratio
    effect: Ratio
    dead_band: Ratio
    minimum_failures: int
    alternative: Alternative
    baseline: Baseline
    until_baseline: UntilBaseline


class Nightly(Struct, frozen=True, kw_only=True):
    """When an invocation is expected. ``subject``: only one with these pairs counts as it."""

    cron: str
    timezone: str
    grace: Duration
    subject: dict[str, str]


class Requirement(Struct, frozen=True, kw_only=True):
    """Which scenarios a release needs, and how. ``scenarios`` are ids or globs; empty selections do not narrow.

    ``objectives`` empty: all of the scenario. ``severity``: this or a higher one. ``at_least``: so many scenarios must be
    found. ``environment_class`` may be a glob; empty: any. ``runs``: so many runs must have passed.
    """

    id: str
    scenarios: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    severity: str = ""
    objectives: tuple[str, ...] = ()
    at_least: int = 1
    environment_class: str = ""
    fresh: Duration
    runs: int = 1
    mode: Mode = "blocking"
    regression: bool = False


class Policy(Struct, frozen=True, kw_only=True):
    """The whole of ``chaos-gate.yaml``. ``exercised_within``: how long ago a module may last have been under a fault, in an
    environment of ``environment_class`` (a glob; empty: any)."""

    path: str
    digest: str
    match: Match
    requirements: tuple[Requirement, ...]
    regression: Regression | None = None
    nightly: Nightly | None = None
    environment_class: str = ""
    exercised_within: dict[str, Duration] = {}
