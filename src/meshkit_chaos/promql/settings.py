"""How a server evaluates, where servers differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``range_boundaries``: since Prometheus 3 a range, and the lookback, leave out a sample exactly at its start
    (``left-open``); version 2 takes it in (``closed``) and extrapolates counters towards zero by its older rule.

    ``subquery_step_ns`` is the step of ``[5m:]`` (the server's evaluation interval).
    """

    range_boundaries: Literal["left-open", "closed"] = "left-open"
    lookback_ns: int = 300 * _SECOND
    subquery_step_ns: int = 60 * _SECOND

    def __post_init__(self) -> None:
        if self.lookback_ns <= 0 or self.subquery_step_ns <= 0:
            raise ValueError(f"lookback and subquery step must be positive: {self.lookback_ns}, {self.subquery_step_ns}")
        if self.range_boundaries not in {"left-open", "closed"}:
            raise ValueError(f"range_boundaries is {self.range_boundaries!r}; expected 'left-open' or 'closed'")

    @property
    def closed(self) -> bool:
        return self.range_boundaries == "closed"
