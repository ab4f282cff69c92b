"""Indicators (a number over time and the band in which it is good) and objectives (what is demanded of one)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from meshkit_chaos.slo.band import Band
from meshkit_chaos.slo.probe import Probe
from meshkit_chaos.slo.quantities import Duration, Ratio

IndicatorKind = Literal["state", "event"]
Missing = Literal["unknown", "skip"]
Form = Literal["converge", "recover", "stay"]
PhaseName = Literal["deploy", "prerequisites", "baseline", "inject", "hold", "revert", "settle", "verify", "teardown"]


class Indicator(Struct, frozen=True, kw_only=True):
    """A PromQL query whose value is one number, and its band.

    ``kind`` ``state``: instants are good, bad or unknown. ``event``: the query is a plain counter selector; spans between
    rounds are classified by its increase (more than none is bad unless ``band`` says otherwise).
    ``missing``: what a series makes of a round that is not a number, or that a member which answers exported in the baseline
    and exports no more: the round is ``unknown``, or the series is left out as Prometheus does (``skip``).
    ``source`` names what fills the series that the query reads: ``scrape`` or a probe's name.
    """

    name: str
    query: str
    band: Band
    kind: IndicatorKind = "state"
    source: str = "scrape"
    probe: Probe | None = None
    description: str = ""
    missing: Missing = "unknown"


class Objective(Struct, frozen=True, kw_only=True):
    """What is demanded of one indicator.

    ``converge``: back in the band within ``within`` of the injection named ``after`` (default: the first), then good for
    ``settle``.
    ``recover``: the same, counted from the revert of that injection (default: the last revert).
    ``stay``: in the band during phase ``during``; ``allowed`` is the share of time it may be out, and bad stretches no
    longer than ``tolerate`` (default two rounds) do not count.
    """

    id: str
    form: Form
    indicator: str
    within: Duration | None = None
    settle: Duration = Duration(10**9)
    onset_within: Duration | None = None
    after: str | None = None
    disturbance: Literal["required", "optional"] = "required"
    flaps: Literal["counted", "allowed"] = "counted"
    during: PhaseName | None = None
    allowed: Ratio = Ratio(0)
    tolerate: Duration | None = None
    informational: bool = False

    @property
    def observed_for(self) -> Duration:
        """How long after its instant the indicator must be watched: ``max(within, onset_within) + settle``."""
        if self.within is None:
            return Duration(0)
        return max(self.within, self.onset_within or Duration(0)) + self.settle
