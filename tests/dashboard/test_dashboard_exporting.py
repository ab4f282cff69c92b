"""Exports that meet each other, or end on the way: nobody finds half a dashboard that looks whole."""

from __future__ import annotations

import errno
import fcntl
import os
import posixpath
import re
from pathlib import Path

import pytest
from gate_worlds import NOW, history, invocation, one_run, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.export import export
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.errors import UsageError


class Stopped(Exception):
    """Somebody ended the export."""


def site() -> Site:
    held = history(*(result("pass", hours=2 + 24 * night, invocation=f"I{night}") for night in range(3)))
    return Site(Sources(reader=held, settings=Settings(project="mesh"), clock=ManualClock(wall_ns=NOW)))


def quietly(count: int) -> None:
    del count


def test_two_exports_into_one_folder_do_not_take_turns(tmp_path: Path) -> None:
    """The second is refused and says why; the first is whole, and the folder is free again afterwards."""
    out, said = tmp_path / "out", []

    def meddling(count: int) -> None:
        if count == 1:
            with pytest.raises(UsageError, match="another export is writing") as refused:
                export(site(), out, progress=quietly)
            said.append(refused.value.message)

    pages = export(site(), out, progress=meddling)
    assert len(said) == 1
    assert len(list(out.rglob("*.html"))) == pages
    assert export(site(), out, progress=quietly) == pages


def test_the_first_page_comes_last(tmp_path: Path) -> None:
    """An export that is stopped just before its end has no first page; one that has it leads nowhere into the void."""
    out = tmp_path / "out"
    pages = export(site(), out, progress=quietly)

    def stop(count: int) -> None:
        if count == pages - 1:
            raise Stopped

    with pytest.raises(Stopped):
        export(site(), tmp_path / "stopped", progress=stop)
    assert not (tmp_path / "stopped" / paths.READINESS).exists()
    assert (out / paths.READINESS).is_file()


def test_pages_that_look_over_all_are_written_after_what_they_lead_to() -> None:
    """Runs and invocations come first, then scenarios, then the pages at the top, and the very first page at the end."""
    order = [path for path, _ in site().every()]
    kinds = list(dict.fromkeys(path.partition("/")[0] if "/" in path else "top" for path in order))
    assert kinds == ["run", "invocation", "scenario", "top"]
    assert order[-1] == paths.READINESS


def test_what_comes_in_while_an_export_is_written_is_led_to_nowhere_or_is_there() -> None:
    """The pages at the top are made last and know it: its own pages are written before them."""
    held = history(*(result("pass", hours=2 + 24 * night, invocation=f"I{night}") for night in range(3)))
    made = Site(Sources(reader=held, settings=Settings(project="mesh"), clock=ManualClock(wall_ns=NOW)))
    late = result("fail", hours=1, invocation="LATE", scenario="network-cut", runs=(one_run("fail", prefix="LATE"),))
    written = {}
    for path, text in made.every():
        written[path] = text
        if len(written) == 1 or path == paths.scenario("leader-killed"):
            held.add(invocation([late]), [late])
    assert paths.invocation("LATE") in written[paths.GRID]
    links = {
        posixpath.normpath(posixpath.join(posixpath.dirname(path), link.partition("#")[0].partition("?")[0]))
        for path, text in written.items()
        for link in re.findall(r'href="([^":]+\.html[^"]*)"', text)
    }
    assert links <= written.keys()


def test_files_beside_the_pages_come_before_the_first_page_too(tmp_path: Path) -> None:
    """Evidence that a page leads to is there when somebody finds the page."""
    more = (("badge/release.svg", "<svg/>"), ("evidence/I0.tar.gz", b"x"))

    def stop(count: int) -> None:
        if (tmp_path / "out" / paths.READINESS).exists():
            raise Stopped

    with pytest.raises(Stopped):
        export(site(), tmp_path / "out", progress=stop, more=more)
    assert all((tmp_path / "out" / path).is_file() for path, _ in more)


def test_a_folder_that_cannot_be_held_alone_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems know no locks; network file systems grant them only on files that are open for writing."""

    def no_locks(descriptor: int, operation: int) -> None:
        del operation
        access = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        raise OSError(errno.EBADF if access == os.O_RDONLY else errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(UsageError, match="cannot be written: No locks available"):
        export(site(), tmp_path / "out", progress=quietly)
