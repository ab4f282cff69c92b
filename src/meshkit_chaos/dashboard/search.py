"""Everything that has a page or a place, by the words that people know it by. Pure.

Takes scenarios, builds, runs and messages; gives entries in groups. With a question only what holds all of its words; without
one an index that a page can hold: what does not fit is counted, never left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.deliver.action import Told
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.escape import clipped, one_line

MOST_FOUND: Final = 200
"""So many of a kind answer one question."""
_LONGEST: Final = 120
_MARKUP: Final = 40


class Entry(Struct, frozen=True, kw_only=True):
    """``detail``: what else it may be found by."""

    title: str
    href: str
    detail: str = ""

    @property
    def text(self) -> str:
        return f"{self.title} {self.detail}".lower()

    @property
    def size(self) -> int:
        """About how many bytes of a page it takes."""
        return (
            len(self.title.encode("utf-8", "replace")) + len(self.detail.encode("utf-8", "replace")) + len(self.href) + _MARKUP
        )


class Group(Struct, frozen=True, kw_only=True):
    """``left``: how many more there are."""

    noun: str
    entries: tuple[Entry, ...]
    left: int = 0


class SearchPage(Struct, frozen=True, kw_only=True):
    question: str
    groups: tuple[Group, ...]
    sentence: str


def search_page(
    known: Sequence[PastScenario],
    held: Sequence[PastInvocation],
    newest: Iterable[PastScenario],
    told: Sequence[Told],
    *,
    question: str,
    here: str,
) -> SearchPage:
    """``known``: every scenario. ``held``: builds, newest first. ``newest``: results whose runs can be found."""
    every: tuple[tuple[str, int, Iterable[Entry]], ...] = (
        ("scenario", 150_000, (_scenario(one, here=here) for one in known)),
        ("module", 10_000, _places({module for one in known for module in one.modules}, here=here)),
        ("owner", 10_000, _places({one.owner for one in known if one.owner}, here=here)),
        ("build", 40_000, (_build(one, here=here) for one in held)),
        ("run", 20_000, _runs(newest, here=here)),
        ("message", 20_000, (_message(one, here=here) for one in told)),
    )
    words = one_line(question).lower().split()
    groups = tuple(_found(noun, ones, words) if words else _index(noun, ones, room) for noun, room, ones in every)
    shown = tuple(group for group in groups if group.entries)
    count = sum(len(group.entries) + group.left for group in shown)
    return SearchPage(question=one_line(question), groups=shown, sentence=_sentence(count, asked=bool(words)))


def _sentence(count: int, *, asked: bool) -> str:
    if not asked:
        return "by scenario, module, owner, tag, commit, version, run or ticket"
    return f"{counted(count, 'thing')} found" if count else "nothing has all of these words"


def _found(noun: str, ones: Iterable[Entry], words: Sequence[str]) -> Group:
    fitting = [one for one in ones if all(word in one.text for word in words)]
    return Group(noun=noun, entries=tuple(fitting[:MOST_FOUND]), left=max(0, len(fitting) - MOST_FOUND))


def _index(noun: str, ones: Iterable[Entry], room: int) -> Group:
    entries: list[Entry] = []
    left = 0
    for one in ones:
        room -= one.size
        if room >= 0:
            entries.append(one)
        else:
            left += 1
    return Group(noun=noun, entries=tuple(entries), left=left)


def _scenario(one: PastScenario, *, here: str) -> Entry:
    more = (one.scenario, one.owner, one.severity, *one.modules, *(f"#{tag}" for tag in one.tags), one.verdict)
    href = paths.relative(paths.scenario(one.scenario), here=here)
    return Entry(title=_short(one.title or one.scenario), href=href, detail=_joined(more))


def _places(names: set[str], *, here: str) -> Iterator[Entry]:
    """Modules and owners have no page of their own: the grid, filtered, is it."""
    grid = paths.relative(paths.GRID, here=here)
    for name in sorted(names):
        yield Entry(title=_short(name), href=f"{grid}#filter={quote(name.encode('utf-8', 'replace'), safe='')}")


def _build(one: PastInvocation, *, here: str) -> Entry:
    told = [f"{key} {value}" for key, value in sorted(one.subject.items())]
    return Entry(
        title=minute(one.at),
        href=paths.relative(paths.invocation(one.invocation), here=here),
        detail=_joined((*told, one.verdict, one.invocation)),
    )


def _runs(results: Iterable[PastScenario], *, here: str) -> Iterator[Entry]:
    for one in results:
        for run in one.runs:
            yield Entry(
                title=_short(run.run),
                href=paths.relative(paths.run(run.run), here=here),
                detail=_joined((one.scenario, minute(one.at), run.verdict)),
            )


def _message(one: Told, *, here: str) -> Entry:
    """A link leads out only where it is http: it comes from a server."""
    url = one.receipt.url if one.receipt is not None else ""
    href = url if url.startswith(("https://", "http://")) else paths.relative(paths.DELIVERIES, here=here)
    did = one.receipt.did if one.receipt is not None else ""
    more = (one.action.channel, one.action.occasion, one.state, did)
    return Entry(title=_short(one.action.message.title), href=href, detail=_joined(more))


def _short(text: str) -> str:
    return clipped(one_line(text), _LONGEST)


def _joined(parts: Iterable[str]) -> str:
    return " · ".join(_short(part) for part in parts if part)
