"""The dashboard over a large history: what each kind of page costs the server, how large it is, and a static export.

``python bench/dashboard.py [--runs 20000] [--scenarios 250] [--postgres] [--folder DIR] [--export 10000]``. A history of so
many runs is made straight in the tables (``many_nights.py``), in SQLite or in a real PostgreSQL (apt package postgresql); with
``--folder`` it is kept and found again. Then many different pages of each kind are made as the server makes them, inside this
process. ``anew``: with nothing remembered, as just after a start. ``ingest``: before each page, one more invocation of all
scenarios is taken in. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import gzip
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from many_ingests import ManyIngests
from many_nights import TABLES, ManyNights, Rows

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / room) for room in ("history",)]

from postgres_server import server  # noqa: E402  # the tests' folders come first

from meshkit_chaos.cli.dashboard_serving import GARBAGE  # noqa: E402  # the tests' folders come first
from meshkit_chaos.clock import ManualClock, SystemClock  # noqa: E402  # as above
from meshkit_chaos.dashboard import paths  # noqa: E402  # as above
from meshkit_chaos.dashboard.api import ENDPOINTS, Api, answer  # noqa: E402  # as above
from meshkit_chaos.dashboard.deciding import Beside  # noqa: E402  # as above
from meshkit_chaos.dashboard.evidence import build_types  # noqa: E402  # as above
from meshkit_chaos.dashboard.export import export  # noqa: E402  # as above
from meshkit_chaos.dashboard.feeds import Feeds  # noqa: E402  # as above
from meshkit_chaos.dashboard.remembered import Remembered  # noqa: E402  # as above
from meshkit_chaos.dashboard.site import Site  # noqa: E402  # as above
from meshkit_chaos.dashboard.sources import Settings, Sources  # noqa: E402  # as above
from meshkit_chaos.gate.load import load_policy  # noqa: E402  # as above
from meshkit_chaos.history.changed import changed_since  # noqa: E402  # as above
from meshkit_chaos.history.database import Database, open_postgres, open_sqlite  # noqa: E402  # as above
from meshkit_chaos.history.overview import Overview  # noqa: E402  # as above
from meshkit_chaos.slo.codec import encode  # noqa: E402  # as above

POLICY = b"""version: 1
match: commit
requirements:
  - {id: all, scenarios: ["*"], regression: on}
regression: {false_alarms: 5%, baseline: {subject: {branch: main}, releases_by: version}, until_baseline: absolute-only}
nightly: {cron: "13 22 * * *", subject: {branch: main}, grace: 4h}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--scenarios", type=int, default=250)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep the history here, or take the one that is there (SQLite only)")
    parser.add_argument("--pages", type=int, default=40, help="so many different pages of each kind")
    parser.add_argument("--export", type=int, default=0, metavar="RUNS", help="also export so many runs as files")
    options = parser.parse_args()
    build_types()
    gc.set_threshold(*GARBAGE)  # as the server does
    many = ManyNights(options.runs, scenarios=options.scenarios)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        with filled(many, folder, postgres=options.postgres) as database:
            tell_pages(database, many, count=options.pages)
        if options.export:
            tell_export(ManyNights(options.export, scenarios=25), Path(scratch))


@contextlib.contextmanager
def filled(many: ManyNights, folder: Path, *, postgres: bool) -> Iterator[Database]:
    """The history in a database. PostgreSQL lives as long as this."""
    with contextlib.ExitStack() as stack:
        if postgres:
            where = stack.enter_context(server())
            database, known = open_postgres(where), False
        else:
            folder.mkdir(parents=True, exist_ok=True)
            known = (folder / "index.sqlite").exists()
            database = open_sqlite(folder / "index.sqlite")
        stack.callback(database.close)
        began = time.perf_counter()
        if not known:
            (into_postgres if postgres else into_sqlite)(database, many)
        runs = many.nights * 3 * len(many.names)
        name = "PostgreSQL" if postgres else "SQLite"
        print(f"about {runs} runs of {len(many.names)} scenarios in {name}, there after {time.perf_counter() - began:.0f} s")
        yield database


def into_sqlite(database: Database, many: ManyNights) -> None:
    path = database.name.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for nights in _batches(many, 20):
            connection.execute("BEGIN")
            for table, rows in _together(nights):
                columns = TABLES[table].split()
                names = ",".join(f'"{one}"' for one in columns)
                connection.executemany(
                    f"INSERT INTO {table} ({names}) VALUES ({','.join('?' * len(columns))})", rows
                )  # names are ours
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def into_postgres(database: Database, many: ManyNights) -> None:
    for nights in _batches(many, 20):
        with database.writing() as connection:
            cursor = connection.connection.cursor()
            for table, rows in _together(nights):
                names = ",".join(f'"{one}"' for one in TABLES[table].split())
                with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:  # type: ignore[attr-defined]  # psycopg's own
                    for row in rows:
                        copy.write_row(row)
    with database.writing() as connection:
        connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence('results', 'result'), max(result)) FROM results")
        connection.exec_driver_sql("ANALYZE")


def _batches(many: ManyNights, size: int) -> Iterator[list[Rows]]:
    nights, done = iter(many), 0
    while found := list(islice(nights, size)):
        yield found
        done += len(found)
        print(f"\r{done} of {many.nights} nights", end="", file=sys.stderr)
    print(file=sys.stderr)


def _together(nights: Iterable[Rows]) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    held = list(nights)
    for table in TABLES:
        yield table, [row for one in held for row in one[table]]


def made_of(database: Database, many: ManyNights, *, remember: bool = True) -> Sources:
    clock = ManualClock(wall_ns=many.now)
    policy = load_policy(POLICY, path="chaos-gate.yaml").value
    assert policy is not None
    settings = Settings(project="mesh", policy=policy, compare="https://forge.example/c/{last}...{first}", served=True)
    plain = Overview(database)
    reader = Remembered(plain, database.state, partial(changed_since, database)) if remember else plain
    return Sources(reader=reader, settings=settings, clock=clock, decider=Beside(database.state, SystemClock()))


Made = Callable[[], bytes | None]


def questions(sources: Sources, many: ManyNights, *, count: int) -> dict[str, list[Made]]:
    """By kind, what is asked: different pages where there are different ones."""
    site, feeds = Site(sources), Feeds(sources)
    api, chance = Api(sources.reader, feeds, sources.evidence), random.Random(7)
    scenarios = chance.sample(many.names, min(count, len(many.names)))
    nights = [chance.randrange(many.nights) for _ in range(count)]
    invocations = [f"01J{night:019d}{chance.randrange(3):04d}" for night in nights]
    runs = [f"01J{night:015d}{chance.randrange(len(many.names)):06d}{chance.randrange(3):02d}" for night in nights]
    ats = [sources.reader.invocation(one)[0].at for one in invocations]

    def page(path: str, **asked: str) -> Made:
        return lambda: _bytes(site.page(path, asked))

    def endpoint(number: int, **asked: str) -> Made:
        return lambda: encode(answer(api, ENDPOINTS[number], asked))

    overviews = (paths.READINESS, paths.GRID, paths.COVERAGE, paths.COMPARE, paths.GATE, paths.BINARIES, paths.DELIVERIES)
    return {
        **{path: [page(path)] * count for path in overviews},
        "scenario/…": [page(paths.scenario(one)) for one in scenarios],
        "invocation/…": [page(paths.invocation(one)) for one in invocations],
        "run/… (from the index)": [page(paths.run(one)) for one in runs],
        "compare.html?before=&after=": [page(paths.COMPARE, before=one, after=other) for one, other in pairwise(invocations)],
        "/metrics": [lambda: feeds.metrics().encode()] * count,
        "/badge/release.svg": [lambda: _bytes(feeds.badge("release.svg"))] * count,
        "/badge/module/….svg": [lambda: _bytes(feeds.badge("module/gossip-core.svg"))] * count,
        "/badge/scenario/….svg": [lambda one=one: _bytes(feeds.badge(f"scenario/{one}.svg")) for one in scenarios],
        "/api/v1/scenarios": [endpoint(0)] * count,
        "/api/v1/invocations": [endpoint(1, before=str(at)) for at in ats],
        "/api/v1/invocations/…": [endpoint(2, invocation=one) for one in invocations],
        "/api/v1/results": [endpoint(3, scenario=one) for one in scenarios],
    }


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def tell_pages(database: Database, many: ManyNights, *, count: int) -> None:
    first = tell_anew(made_of(database, many, remember=False), many)
    after = after_ingests(made_of(database, many), database, many, count=count)
    names = " ".join(f"{one:>8}" for one in ("cpu p95", "p50 ms", "p95 ms", "max ms"))
    print(f"{'page':<30} {'anew ms':>8} {'ingest cpu p95':>14} {'p50 ms':>8} {'p95 ms':>8} {names} {'kB':>7}  gzip kB")
    sources = made_of(database, many)
    began = time.perf_counter()
    while not sources.standing().current:  # it waits by itself
        pass
    print(f"the gate decided in {time.perf_counter() - began:.1f} s, beside the pages")
    for kind, several in questions(sources, many, count=count).items():
        several[0]()  # templates are read once
        took, used, sizes, packed = [], [], [], []
        for number, make in enumerate(several):
            began, began_cpu = time.perf_counter(), time.thread_time()
            with sources.decider.traffic.page():
                body = make()
            took.append((time.perf_counter() - began) * 1000)
            used.append((time.thread_time() - began_cpu) * 1000)
            sizes.append(len(body or b""))
            if number < 3:
                packed.append(len(gzip.compress(body or b"", 6)))
        p95, cpu = ninety_fifth(took), ninety_fifth(used)
        told = f"{first[kind]:.1f}" if kind in first else "-"
        print(
            f"{kind:<30} {told:>8} {after[kind]} {cpu:8.1f} {statistics.median(took):8.1f} {p95:8.1f} {max(took):8.1f} "
            f"{max(sizes) / 1000:7.1f} {max(packed) / 1000:8.1f}"
        )


def ninety_fifth(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, round(0.95 * len(times)))]


def after_ingests(sources: Sources, database: Database, many: ManyNights, *, count: int) -> dict[str, str]:
    """By kind, what pages take in ms after one more ingest each (processor p95, p50, p95); the gate decides beside them."""
    took: dict[str, list[float]] = {}
    used: dict[str, list[float]] = {}
    for kind, several in questions(sources, many, count=count).items():
        ingests = ManyIngests(database)
        several[0]()
        for make in several:
            ingests.one()
            began, began_cpu = time.perf_counter(), time.thread_time()
            with sources.decider.traffic.page():
                make()
            took.setdefault(kind, []).append((time.perf_counter() - began) * 1000)
            used.setdefault(kind, []).append((time.thread_time() - began_cpu) * 1000)
        ingests.undo()
    while not sources.standing().current:  # else it would go on deciding beside what is measured next
        pass
    return {
        kind: f"{ninety_fifth(used[kind]):14.1f} {statistics.median(took[kind]):8.1f} {ninety_fifth(took[kind]):8.1f}"
        for kind in took
    }


def tell_anew(sources: Sources, many: ManyNights) -> dict[str, float]:
    """How long the first page of each kind takes, in ms; without those that would wait for the gate."""
    first = {}
    for kind, several in questions(sources, many, count=2).items():
        if kind not in (paths.GATE, "/metrics"):
            began = time.perf_counter()
            several[-1]()
            first[kind] = (time.perf_counter() - began) * 1000
    while not sources.standing().current:  # else it would go on deciding beside what is measured next
        pass
    return first


def tell_export(many: ManyNights, scratch: Path) -> None:
    with filled(many, scratch / "small", postgres=False) as database:
        began, began_cpu = time.perf_counter(), time.process_time()
        pages = export(Site(made_of(database, many)), scratch / "site", progress=lambda _: None)
        took, used = time.perf_counter() - began, time.process_time() - began_cpu
    files = [file.stat().st_size for file in (scratch / "site").rglob("*.html")]
    first = (scratch / "site" / paths.READINESS).stat().st_size
    print(
        f"export of {many.nights * 3 * len(many.names)} runs: {took:.1f} s, {used:.1f} s of a processor, "
        f"{pages} pages, {sum(files) / 1e6:.0f} MB; "
        f"the first page {first / 1000:.0f} kB, the largest {max(files) / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
