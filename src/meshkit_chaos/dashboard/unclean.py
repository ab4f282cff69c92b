"""Environments that the newest run which touched them did not leave clean: whoever looks at results must know it first.

Takes what pages are made from; gives a sentence for each class of environments, none where all are clean. What the metrics
tell as ``environment_state`` is the same value.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.sources import Sources
from meshkit_chaos.dashboard.wording import day
from meshkit_chaos.judge.verdict import EnvironmentName

_SENTENCES: Final[dict[EnvironmentName, tuple[str, str]]] = {
    "dirty": ("{} was left dirty.", "meshkit-chaos recover undoes what it left; until then no run there can be trusted."),
    "unknown": ("Nobody knows in what state {} was left.", "look at it, and run meshkit-chaos recover, before the next run."),
}


class Unclean(Struct, frozen=True, kw_only=True):
    """``href``: of the invocation that left it so; ``remedy``: what to do."""

    sentence: str
    day: str
    href: str
    remedy: str


def unclean(sources: Sources, here: str) -> tuple[Unclean, ...]:
    """By class of environments, as seen from ``here``."""
    return tuple(
        Unclean(
            sentence=_SENTENCES[one.state][0].format(f"The environment {one.environment_class}"),
            day=day(one.at),
            href=paths.relative(paths.invocation(one.invocation), here=here),
            remedy=_SENTENCES[one.state][1],
        )
        for one in sources.left()
        if one.state in _SENTENCES
    )
