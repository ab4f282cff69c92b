"""Everything that has a page or a place, by the words that people know it by. Pure.

Takes scenarios, builds, runs, what people accepted, and messages; gives entries in groups. With a question only what holds all
of its words; without one an index that a page can hold: what does not fit is counted, never left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.accepted import decisions_found, overrides_found, tickets, tickets_of
from meshkit_chaos.dashboard.found import Entry, Group, answering, index, joined, shortened
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.deliver.action import Told
from meshkit_chaos.gate.log import LogEntry
from meshkit_chaos.gate.overrides import Override
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.escape import one_line


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
    overrides: Sequence[Override] = (),
    log: Sequence[LogEntry] = (),
) -> SearchPage:
    """``known``: every scenario. ``held``: builds, newest first. ``newest``: results whose runs can be found.

    ``log``: of the gate's decisions, oldest first; nothing of one that was changed.
    """
    accepted = tickets(overrides, log)
    every: tuple[tuple[str, int, Iterable[Entry]], ...] = (
        ("scenario", 130_000, (_scenario(one, tickets_of(one.scenario, accepted), here=here) for one in known)),
        ("module", 10_000, _places({module for one in known for module in one.modules}, here=here)),
        ("owner", 10_000, _places({one.owner for one in known if one.owner}, here=here)),
        ("build", 40_000, (_build(one, here=here) for one in held)),
        ("run", 20_000, _runs(newest, here=here)),
        ("override", 12_000, overrides_found(overrides, here=here)),
        ("decision", 8_000, decisions_found(log, here=here)),
        ("message", 20_000, (_message(one, here=here) for one in told)),
    )
    words = one_line(question).lower().split()
    groups = tuple(answering(noun, ones, words) if words else index(noun, ones, room) for noun, room, ones in every)
    shown = tuple(group for group in groups if group.entries)
    count = sum(len(group.entries) + group.left for group in shown)
    return SearchPage(question=one_line(question), groups=shown, sentence=_sentence(count, asked=bool(words)))


def _sentence(count: int, *, asked: bool) -> str:
    if not asked:
        return "by scenario, module, owner, tag, commit, version, run, override or ticket"
    return f"{counted(count, 'thing')} found" if count else "nothing has all of these words"


def _scenario(one: PastScenario, by: Iterable[str], *, here: str) -> Entry:
    told = (one.scenario, one.owner, one.severity, *one.modules, *(f"#{tag}" for tag in one.tags), one.verdict)
    more = (*told, *(f"override {ticket}" for ticket in by))
    href = paths.relative(paths.scenario(one.scenario), here=here)
    return Entry(title=shortened(one.title or one.scenario), href=href, detail=joined(more))


def _places(names: set[str], *, here: str) -> Iterator[Entry]:
    """Modules and owners have no page of their own: the grid, filtered, is it."""
    grid = paths.relative(paths.GRID, here=here)
    for name in sorted(names):
        yield Entry(title=shortened(name), href=f"{grid}#filter={quote(name.encode('utf-8', 'replace'), safe='')}")


def _build(one: PastInvocation, *, here: str) -> Entry:
    told = [f"{key} {value}" for key, value in sorted(one.subject.items())]
    return Entry(
        title=minute(one.at),
        href=paths.relative(paths.invocation(one.invocation), here=here),
        detail=joined((*told, one.verdict, one.invocation)),
    )


def _runs(results: Iterable[PastScenario], *, here: str) -> Iterator[Entry]:
    for one in results:
        for run in one.runs:
            yield Entry(
                title=shortened(run.run),
                href=paths.relative(paths.run(run.run), here=here),
                detail=joined((one.scenario, minute(one.at), run.verdict)),
            )


def _message(one: Told, *, here: str) -> Entry:
    """A link leads out only where it is http: it comes from a server."""
    url = one.receipt.url if one.receipt is not None else ""
    href = url if url.startswith(("https://", "http://")) else paths.relative(paths.DELIVERIES, here=here)
    did = one.receipt.did if one.receipt is not None else ""
    more = (one.action.channel, one.action.occasion, one.became, did)
    return Entry(title=shortened(one.action.message.title), href=href, detail=joined(more))
