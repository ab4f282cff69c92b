"""Which raw samples to ask a source for: the selectors of queries as PromQL, and windows in pieces. Pure.

Takes parsed queries and the label that tells members apart; gives selector texts. Matchers on ``member`` are left out, because
that label is ours: the source gives more, and the evaluation picks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from meshkit_chaos.measure.source import Window
from meshkit_chaos.promql import Matcher, Query, Selector

MEMBER = "member"


def selectors_of(queries: Iterable[Query], *, label: str, members: Mapping[str, str]) -> tuple[str, ...]:
    """Each selector once, without ranges and offsets. One that would mean the whole server means the members only."""
    ours = f"{{{_any_member(label, members)}}}"
    return tuple(dict.fromkeys(selector_text(selector) or ours for query in queries for selector in query.selectors))


def selector_text(selector: Selector) -> str:
    """A selector as the source is asked for it; empty where it would be asked for everything."""
    matchers = [matcher for matcher in selector.matchers if matcher.name != MEMBER and not _names_metric(matcher, selector)]
    inside = ",".join(_matcher_text(matcher) for matcher in matchers)
    return f"{selector.metric}{{{inside}}}" if inside else selector.metric


def _names_metric(matcher: Matcher, selector: Selector) -> bool:
    return matcher.name == "__name__" and matcher.op == "=" and matcher.value == selector.metric


def _matcher_text(matcher: Matcher) -> str:
    return f"{matcher.name}{matcher.op}{quoted(matcher.value)}"


def quoted(text: str) -> str:
    """A PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def health_selector(label: str, members: Mapping[str, str]) -> str:
    """Of every member whether its scrapes succeeded, and how long they took; ``members``: label value → member."""
    return f'{{__name__=~"up|scrape_duration_seconds",{_any_member(label, members)}}}'


def _any_member(label: str, members: Mapping[str, str]) -> str:
    return f"{label}=~{quoted('|'.join(re.escape(value) for value in sorted(members)))}"


def pieces(window: Window, longest: int) -> Iterator[Window]:
    """The window in pieces that follow one another without gap or overlap, none longer than ``longest`` ns."""
    start = window.start
    while start < window.end:
        end = min(window.end, start + longest)
        yield Window(start=start, end=end)
        start = end
