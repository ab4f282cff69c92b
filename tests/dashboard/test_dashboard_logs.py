"""What members said, on the page of their run: placed, chosen, counted, and never more than a page holds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from gate_worlds import NOW
from history_builder import START, evidence_of, opened, variant, written
from hypothesis import given
from hypothesis import strategies as st
from log_builder import logged
from test_dashboard_xss import CORPUS, Shape

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.downloads import download
from meshkit_chaos.dashboard.export import export
from meshkit_chaos.dashboard.loglanes import MOST_LANES, Lane, lanes
from meshkit_chaos.dashboard.runlogs import _from_nearest
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.dashboard.taken_along import evidence_files
from meshkit_chaos.history.index import History
from meshkit_chaos.history.logs import read_logs, unpack_logs
from meshkit_chaos.history.model import Ask
from meshkit_chaos.history.overview import Overview
from meshkit_chaos.history.unpacked import results_of
from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.slo.codec import encode

LARGEST = 300_000
QUARTER = 10**9 // 4
BEGAN = datetime.fromtimestamp(START // 10**9 + 1000, tz=UTC)
"""When the simulated run began, in wall time."""


@contextmanager
def pages(folder: Path, files: Mapping[str, bytes] | None, *, served: bool = False) -> Iterator[tuple[Site, History]]:
    """The site of one run, with these logs or without any."""
    with opened(folder / "history") as history:
        out = written(evidence_of(), folder / "out") if files is None else logged(folder / "out", files)
        history.add(out)
        yield site(history, served=served), history


def site(history: History, *, served: bool = False, files: bool = False) -> Site:
    return Site(
        Sources(
            reader=Overview(history.database),
            settings=Settings(project="mesh", served=served, files=files),
            clock=ManualClock(wall_ns=NOW),
            evidence=lambda invocation: results_of(history.database, history.store, invocation),
            logs=lambda invocation: read_logs(history.database, history.store, invocation),
        )
    )


def run_page(site: Site, history: History) -> str:
    (run,) = (run.run for one in history.results(Ask(invalidated=True)) for run in one.runs)
    return site.page(f"run/{run}.html") or ""


def page_of(folder: Path, files: Mapping[str, bytes] | None, *, served: bool = False) -> str:
    with pages(folder, files, served=served) as (made, history):
        return run_page(made, history)


def line(second: float, text: str, level: str = "info") -> bytes:
    at = BEGAN + timedelta(seconds=second)
    return encode({"level": level, "ts": at.isoformat(), "msg": text}) + b"\n"


def times(page: str) -> list[float]:
    """Where its log lines are, in seconds from the first injection."""
    part = page.partition('id="logs"')[2]
    return [float(at) for at, mark in re.findall(r'<tr data-at="([-\d.]+)"( class="log-mark")?', part) if not mark]


def test_lines_stand_on_the_time_line_of_the_run(tmp_path: Path) -> None:
    """A line has the seconds since the injection, its member, its level; phases and faults stand between; all in order."""
    logs = {"node-1/node-1.log": line(3, "three") + line(1, "one"), "node-2/node-2.log": line(2, "two", "error")}
    page = page_of(tmp_path, logs)
    assert "3 lines, all of them" in page
    placed = times(page)
    assert placed == sorted(placed)
    assert [round(b - a, 3) for a, b in itertools.pairwise(placed)] == [1.0, 1.0]
    assert "<td>node-2</td><td>error</td><td>two</td>" in page
    assert "phase baseline" in page.partition('id="logs"')[2]
    assert "kill node-" in page.partition('id="logs"')[2]
    assert 'aria-label="What members said: node-1: 2 lines; node-2: 1 line, 1 error.' in page


def test_a_run_without_logs_says_so(tmp_path: Path) -> None:
    """No empty table: one sentence."""
    page = page_of(tmp_path, None)
    assert "No logs of this run&#39;s members are kept." in page
    assert "data-logs-filter]" not in page.partition("<script")[0]


def test_altered_logs_are_told_and_the_rest_of_the_page_stays(tmp_path: Path) -> None:
    """Logs that cannot be believed are named, and take nothing else with them."""
    with pages(tmp_path, {"a/a.log": line(1, "x")}) as (made, history):
        (name,) = (name for name in history.store.names() if name.startswith("logs/"))
        (tmp_path / "history/artifacts" / name).write_bytes(b"altered")
        page = run_page(made, history)
    assert "cannot be unpacked" in page
    assert "Course of the run" in page


def test_of_very_many_lines_the_telling_ones_are_shown(tmp_path: Path) -> None:
    """The page stays small; errors, and what was said round the fault, come first; how many are left out is told."""
    noise = b"".join(
        line(1 + second / 1000, f"all is well, for the {second}th time, and nothing is to be done") for second in range(5000)
    )
    members = {f"node-{number}/node-{number}.log": noise for number in range(20)}
    page = page_of(tmp_path, {**members, "last/last.log": noise + line(6, "the needle", "error")})
    assert len(page.encode()) < LARGEST, len(page.encode())
    assert "the needle" in page
    told = re.search(r"(\d+) lines of (\d+): bad news", page)
    assert told is not None
    assert len(times(page)) == int(told[1]) <= 2000
    assert int(told[2]) > 5000


def test_what_is_cut_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A log that was cut, one that is no text, lines without a stamp: each in words."""
    logs = {
        "a/a.log": b"no stamp at all\n" * 60,
        "b/b.log": b"\0" * 999,
        "c/c.log": (b"x" * 99 + b"\n") * 6000,
    }
    page = page_of(tmp_path, logs)
    assert "b/b.log: no text, not shown" in page
    assert re.search(r"of c/c.log the last \d+ of 600000 bytes are kept", page)
    assert re.search(
        r"\d+ lines without a time stamp that is understood, so without a place on the time line; the first 50", page
    )


def test_stamps_without_a_zone_are_told(tmp_path: Path) -> None:
    """Which zone was taken, and for which log, is said: it was inferred."""
    at = BEGAN + timedelta(hours=1, seconds=2)
    page = page_of(tmp_path, {"r/r.log": f"7:M {at.day:02} {at:%b} {at.year} {at:%H:%M:%S}.000 * up\n".encode()})
    assert "stamps in r/r.log have no zone; taken as UTC+01:00, where the run was" in page


def test_what_is_kept_is_listed(tmp_path: Path) -> None:
    """Names, sizes and digests; links where somebody answers them, and words where nobody does."""
    logs = {"a/a.log": line(1, "x")}
    served, exported = page_of(tmp_path / "1", logs, served=True), page_of(tmp_path / "2", logs)
    for page in (served, exported):
        for name in ("journal.jsonl", "samples/ (", "logs/a/a.log"):
            assert f"<code>{name}" in page
    assert re.search(r'href="\.\./evidence/\w{26}\.tar\.gz" download', served)
    assert re.search(r'href="\.\./evidence/\w{26}/logs\.tar\.gz" download', served)
    assert "evidence/" not in exported.partition("<main")[2].partition("<script")[0]
    assert "not in this export" in exported


def test_logs_can_be_taken_along(tmp_path: Path) -> None:
    """The file that a server gives is what the history keeps; where there is none, nothing is given."""
    with pages(tmp_path, {"a/a.log": line(1, "x")}) as (_, history):
        (invocation,) = history.bundles()
        found = download(history.database, history.store, f"{invocation}/logs.tar.gz")
        assert found is not None
        (name,) = (name for name in history.store.names() if name.startswith("logs/"))
        assert list(unpack_logs(name, found.data).data.values()) == [line(1, "x")]
        history.add(written(variant(evidence_of(), 7), tmp_path / "other"))
        (other,) = history.bundles().keys() - {invocation}
        assert download(history.database, history.store, f"{other}/logs.tar.gz") is None


def test_an_export_can_hold_its_evidence(tmp_path: Path) -> None:
    """The evidence and the logs of the runs that are drawn lie where their pages say; of others they do not; old ones go."""
    with pages(tmp_path, {"a/a.log": line(1, "x")}) as (_, history):
        history.add(written(variant(evidence_of(), 7), tmp_path / "newer"))
        newer, older = (one.invocation for one in history.invocations())
        get = partial(download, history.database, history.store)
        assert [path for path, _ in evidence_files(Overview(history.database), get, drawn=1)] == [f"evidence/{newer}.tar.gz"]
        every = dict(evidence_files(Overview(history.database), get, drawn=9))
        assert sorted(every) == sorted(
            [f"evidence/{newer}.tar.gz", f"evidence/{older}.tar.gz", f"evidence/{older}/logs.tar.gz"]
        )
        made, silent = site(history, files=True), lambda count: None  # nobody watches
        export(made, tmp_path / "site", progress=silent, more=every.items())
        linked = {
            (page.parent / link).resolve().relative_to(tmp_path / "site").as_posix()
            for page in (tmp_path / "site/run").glob("*.html")
            for link in re.findall(r'href="([^"]*tar\.gz)"', page.read_text(encoding="utf-8"))
        }
        assert linked == every.keys()
        assert all((tmp_path / "site" / path).read_bytes() == data for path, data in every.items())
        export(site(history), tmp_path / "site", progress=silent)
        assert not list((tmp_path / "site").rglob("*.tar.gz"))


def test_no_log_line_becomes_markup(tmp_path: Path) -> None:
    """Attacks in texts, in keys, as raw lines and behind stamps: what is shown is text."""
    raw = "\n".join(one.replace("\n", " ") for one in CORPUS).encode("utf-8", "surrogatepass")
    placed = b"".join(line(1 + index / 100, one, one) for index, one in enumerate(CORPUS) if one.isprintable())
    keys = b"".join(encode({"ts": "2026-01-01T00:00:01Z", one: one}) + b"\n" for one in CORPUS if one.isprintable())
    logs = {"a/a.log": raw, "b/b.log": placed, "c/c.log": keys}
    harmless, attacked = (
        Shape(page_of(tmp_path / "1", {name: line(1, "x", "error") + b"y\n" for name in logs})),
        page_of(tmp_path / "2", logs),
    )
    shape = Shape(attacked)
    assert shape.scripts == 1
    assert not [name for _, name in shape.elements - harmless.elements if name.startswith("on")]
    assert {tag for tag, _ in shape.elements} - {tag for tag, _ in harmless.elements} <= {"details", "summary"}
    assert shape.links == harmless.links
    assert not re.search("[\\x00-\\x08\\x0b-\\x1f\\x7f\u2028\u2029\u202e\ufeff]", attacked)


def test_of_very_many_members_the_worst_have_lanes() -> None:
    """A drawing stays a drawing: those with most errors are in it, and how many are not is told."""
    axis = TimeAxis(start=0, end=10**10, zero=0)
    quiet = [Lane(member=f"quiet-{number}", lines=((10**9, "info"),)) for number in range(100)]
    drawn = str(lanes([*quiet, Lane(member="loud", lines=((10**9, "error"), (2 * 10**9, "warning")))], axis=axis, windows=()))
    assert "loud · 2 lines, 1 error, 1 warning" in drawn
    assert f"{101 - MOST_LANES} more members are not drawn" in drawn
    assert "◆" in drawn
    assert "▲" in drawn


def test_a_lane_without_lines_is_drawn_empty() -> None:
    """A member that said nothing is there and says so."""
    drawn = str(lanes([Lane(member="a", lines=())], axis=TimeAxis(start=0, end=1, zero=0), windows=()))
    assert "a · 0 lines" in drawn


@given(st.integers(-50, 50), st.lists(st.integers(-40, 40), max_size=6))
def test_the_nearest_instant_is_found_without_looking_at_all(quarter: int, instants: list[int]) -> None:
    """As if each were looked at, which took a page a quarter of a minute for very many lines."""
    at, every = quarter * QUARTER, sorted(one * QUARTER for one in instants)
    after = [at - one for one in every]
    near = any(-4 * QUARTER <= one <= 20 * QUARTER for one in after)
    assert _from_nearest(at, every) == (min(map(abs, after), default=0), near)
