"""Which scenarios of a file are meant: by id, by glob, by tag. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from meshkit_chaos.errors import UsageError
from meshkit_chaos.scenario.model import Scenario


def select(scenarios: Sequence[Scenario], *, patterns: Sequence[str], tags: Sequence[str]) -> tuple[Scenario, ...]:
    """Those that fit any pattern (all, where there is none) and bear any of the tags (where there are some), in file order.

    Raises UsageError for a plain id that is not there; a glob or a tag that fits nothing selects nothing.
    """
    ids = [scenario.id for scenario in scenarios]
    for pattern in patterns:
        if pattern not in ids and not set(pattern) & set("*?["):
            near = difflib.get_close_matches(pattern, ids, n=1)
            raise UsageError(
                f"there is no scenario {pattern!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(ids) or 'none'}",
            )
    return tuple(
        scenario
        for scenario in scenarios
        if (not patterns or any(fnmatchcase(scenario.id, pattern) for pattern in patterns))
        and (not tags or set(tags) & set(scenario.tags))
    )
