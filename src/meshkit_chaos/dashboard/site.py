"""The whole dashboard as a function: a path and a few parameters → a page. The server answers with it, the export writes it.

What is not there is None, never an empty page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from meshkit_chaos.dashboard import deliveries_pages, details, grid_pages, older, overviews, paths
from meshkit_chaos.dashboard.sources import Sources

NOTHING: Final[Mapping[str, str]] = {}
_PROBLEMS: Final = {
    400: ("Wrong question", "nothing is shown"),
    404: ("No such page", "it may have been pruned, or never was"),
    503: ("Cannot be read", "so nothing is known here, and that is not a pass"),
}


class Site:
    """One history as pages."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def page(self, path: str, parameters: Mapping[str, str] = NOTHING) -> str | None:
        """The page at a path; None where there is none. Raises HistoryProblem where the history cannot be read."""
        folder, _, file = path.rpartition("/")
        name, dot, kind = file.rpartition(".")
        if path == paths.LIVE and self._sources.underway is not None:
            return overviews.live_text(self._sources, path, self._sources.underway())
        told = paths.named(name)
        if not dot or kind != "html" or "\0" in told:  # no name holds one, and PostgreSQL takes none
            return None
        if folder:
            one = details.FOLDERS.get(folder)
            return one(self._sources, path, told, parameters) if one is not None else None
        all_of_it = overviews.PAGES.get(path)
        return all_of_it(self._sources, path, parameters) if all_of_it is not None else None

    def problem(self, here: str, status: int, error: str, hint: str) -> str:
        """A page that says why there is none at ``here``, with the ways to the others. Asks nothing of the history."""
        title, meaning = _PROBLEMS[status]
        values = {"status": status, "meaning": meaning, "error": error, "hint": hint}
        return self._sources.page("problem.html.j2", here=here, title=title, **values)

    def every(self, *, drawn: int | None = None) -> Iterator[tuple[str, str]]:
        """The path and the text of every page that there is: those that look over all come after what they lead to.

        So whoever is stopped on the way has written no first page that leads nowhere. What is taken in meanwhile has its pages
        before those that know of it. ``drawn``: so many of the newest runs are drawn from their evidence; the others tell what
        the index knows. None: all.
        """
        reader, written = self._sources.reader, set[str]()
        yield from self._invocations(written, drawn=drawn)
        for known in reader.known():
            yield from older.every_older(self._sources, known.scenario, room=details.RESULTS)
        yield from grid_pages.every_other(self._sources)
        yield from deliveries_pages.every_other(self._sources)
        overviews_last = list(self._made(sorted(overviews.PAGES, key=lambda path: path == paths.READINESS)))
        yield from self._made(paths.scenario(known.scenario) for known in reader.known())
        yield from self._invocations(written, drawn=drawn)
        yield from overviews_last

    def _invocations(self, written: set[str], *, drawn: int | None) -> Iterator[tuple[str, str]]:
        """The pages of all but those that are written; they are from then on."""
        left = drawn
        for invocation in self._sources.reader.invocations():
            if invocation.invocation in written:
                continue
            written.add(invocation.invocation)
            found = self._sources.reader.invocation(invocation.invocation)
            if found is None:
                continue  # pruned meanwhile
            yield from details.run_texts(self._sources, found, drawn=left is None or left > 0)
            path = paths.invocation(invocation.invocation)
            yield path, details.invocation_page_text(self._sources, path, found)
            runs = sum(len(one.runs) for one in found[1])
            left = None if left is None else left - runs

    def _made(self, several: Iterable[str]) -> Iterator[tuple[str, str]]:
        return ((path, text) for path in several if (text := self.page(path)) is not None)
