"""What lint needs to know of a query: whether it can be read, and what its shape says about what it can show."""

from __future__ import annotations

from dataclasses import dataclass

from meshkit_chaos import promql
from meshkit_chaos.slo import Band


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFacts:
    """``filters``: why a comparison removes the bad values, if one does. ``longest_window_ns``: 0 without a range window.

    ``counter``: the query is a plain selector of one metric, as an event indicator needs it.
    """

    query: promql.Query
    metrics: frozenset[str]
    filters: str | None
    longest_window_ns: int
    single: bool
    counter: bool

    def pointless(self, band: Band) -> str | None:
        """Why the value can never be bad, or never good, whatever the data."""
        never = promql.never_bad(self.query, band) or promql.never_good(self.query, band)
        return never or self.filters or promql.fills_missing(self.query)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """``reason`` is one sentence."""

    reason: str


def query_facts(text: str) -> QueryFacts | Unreadable:
    """Read a query. Anything that the subset does not hold is unreadable, by name."""
    try:
        query = promql.parse(text)
    except promql.PromQLError as error:
        return Unreadable(str(error))
    plain = query.plain_selector
    return QueryFacts(
        query=query,
        metrics=frozenset(query.metric_names),
        filters=promql.filtering_comparison(query),
        longest_window_ns=max(promql.range_windows(query), default=0),
        single=promql.surely_single(query),
        counter=plain is not None and bool(plain.metric),
    )
