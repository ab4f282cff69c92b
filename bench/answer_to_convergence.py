"""One answer of 2,000,000 samples, from a server on loopback to a convergence interval: time and peak memory of a process.

The answer is made, and served by this process; each way through it is a process of its own. Ours: ``Exchange`` and
``PrometheusApi`` (read), ``Assembler`` and ``Recorder`` (rounds), the indicator's points and ``estimate`` (judge). ``slices``
hands the samples to the assembler ten rounds at a time, as a run that polls does; ``whole`` all at once, as catching up after a
silent server does, and is stopped after a while. Beside them the bare JSON, and ``prometheus-api-client`` with pandas from a
throwaway venv: it judges nothing, so a few lines look for the outage. Imports are not counted as time, but as memory. The aim
is 1 s and 300 MB. Asserts nothing. ``--python PATH`` names an interpreter that has the client; nothing is installed then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

AIM_S: Final = 1.0
AIM_MB: Final = 300
MEMBERS: Final = 20
S: Final = 10**9
BEGIN: Final = 1_700_000_000
OUTAGE: Final = 30
SLICE: Final = 10
CLIENT: Final = "prometheus-api-client[dataframe]"
THEIRS: Final = """
import sys, time
from prometheus_api_client import MetricRangeDataFrame, PrometheusConnect
sys.path.insert(0, sys.argv[1])
from answer_to_convergence import begun, peak, said
start = begun()
answer = PrometheusConnect(url=sys.argv[2]).custom_query(query='{job="mesh"}[3h]')
said("read", start)
frame = MetricRangeDataFrame(answer)
said("frame", start)
leads = frame[frame["__name__"] == "is_leader"]["value"]
bad = leads.groupby(leads.index.floor("1s")).sum() != 1
found = bad[bad].index
said("judge", start, f"bad for {(found[-1] - found[0]).total_seconds() + 1:.1f} s")
"""


def peak() -> float:
    """MB. ``ru_maxrss`` is inherited from whoever started the process, so Linux's own count goes first."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1000
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def begun() -> tuple[float, float]:
    """Now, by the wall and by the processor: on a machine that others use as well, only the second says what it costs."""
    return time.perf_counter(), time.process_time()


def said(stage: str, start: tuple[float, float], result: str = "") -> None:
    """One line for the parent: where the process is."""
    wall, busy = (now - then for now, then in zip(begun(), start, strict=True))
    print(json.dumps([stage, busy, wall, peak(), result]), flush=True)


def made(series: int, samples: int) -> bytes:
    """A matrix as Prometheus writes it: a scrape a second, a leader that is missing for 30 of them in the middle."""
    names = ["up", "is_leader", "scrape_duration_seconds"]
    names += [f"load_{number}" for number in range(series // MEMBERS - len(names))]
    out = []
    for member in range(MEMBERS):
        stamps = [f"{BEGIN + number}.{member * 20 + 1:03d}" for number in range(samples)]
        for name in names:
            away = range(samples // 2, samples // 2 + OUTAGE)
            fixed = {"up": "1", "is_leader": str(int(member == 0)), "scrape_duration_seconds": "0.004"}.get(name)
            values = [fixed or f"{number}.5" for number in range(samples)]
            if name == "is_leader":
                values[away.start : away.stop] = ["0"] * OUTAGE
            pairs = ",".join(f'[{at},"{value}"]' for at, value in zip(stamps, values, strict=True))
            metric = json.dumps({"__name__": name, "instance": f"m{member}:80", "job": "mesh"})
            out.append(f'{{"metric":{metric},"values":[{pairs}]}}')
    body = f'{{"status":"success","data":{{"resultType":"matrix","result":[{",".join(out)}]}}}}'
    return body.encode()


async def ours(url: str, samples: int, *, sliced: bool, limit: float) -> None:
    """From the question to the interval, in this process."""
    from meshkit_chaos.clock import SystemClock  # noqa: PLC0415  # what is imported counts as memory: only where it is used
    from meshkit_chaos.journal.record import Record  # noqa: PLC0415
    from meshkit_chaos.journal.recorder import Recorder  # noqa: PLC0415
    from meshkit_chaos.judge.estimator import Question, estimate  # noqa: PLC0415
    from meshkit_chaos.judge.indicators import instants_of, series_of  # noqa: PLC0415
    from meshkit_chaos.measure.access import Secrets, open_door  # noqa: PLC0415
    from meshkit_chaos.measure.assembling import Assembler, ClockMap, Schedule  # noqa: PLC0415
    from meshkit_chaos.measure.exchange import Exchange  # noqa: PLC0415
    from meshkit_chaos.measure.prometheus_api import PrometheusApi  # noqa: PLC0415
    from meshkit_chaos.measure.source import NoAnswer, RawSeries, Window  # noqa: PLC0415
    from meshkit_chaos.scenario.metric_sources import Access  # noqa: PLC0415
    from meshkit_chaos.slo import Band, Duration, Indicator  # noqa: PLC0415

    folder = Path()
    access = Access(url=url, timeout=Duration(60 * S))
    door = open_door(access, secrets=Secrets(folder=folder), folder=folder, variables={})
    begin, end = BEGIN * S, (BEGIN + samples) * S
    start = begun()
    async with door.client:
        api = PrometheusApi(Exchange(door, SystemClock()), flavour="prometheus")
        fetched = await api.raw('{job="mesh"}', Window(start=begin, end=end))
    if isinstance(fetched, NoAnswer):
        raise SystemExit(fetched.cause)
    said("read", start)

    def parts(series: Sequence[RawSeries]) -> Iterator[tuple[int, list[RawSeries]]]:
        if not sliced:
            yield end, list(series)
            return
        for until in range(begin + SLICE * S, end + SLICE * S, SLICE * S):
            cut = [(one, bisect_right(one.times, until - SLICE * S), bisect_right(one.times, until)) for one in series]
            yield until, [RawSeries(one.labels, one.times[low:high], one.values[low:high]) for one, low, high in cut]

    members = {f"m{number}:80": f"m{number}" for number in range(MEMBERS)}
    assembler = Assembler(Schedule(every=S, lag=0, member_label="instance", members=members), begin=begin)
    recorder, given = Recorder(), 0
    for seen, several in parts(fetched.series):
        assembler.take(several)
        for round_, timed in assembler.due(seen, ClockMap(offset=0, error=10**6)):
            recorder.add_timed(round_, timed)
            given += 1
            if time.perf_counter() - start[0] > limit:
                said("rounds", start, f"stopped after {given:,} of {samples:,} rounds")
                return
    said("rounds", start)
    del fetched, assembler
    record = Record(entries=(), samples=recorder.samples())
    indicator = Indicator(name="one-leader", query="sum(is_leader)", band=Band.parse("== 1"))
    act = begin + samples // 2 * S - S // 2
    question = Question(
        kind="state",
        since=act,
        origin=(act, act + S // 100),
        limit=60 * S,
        settle=S,
        watched=61 * S,
        every=S,
        until=end,
        ended=end - S,
    )
    answer = estimate(instants_of(series_of(record, indicator), indicator.band), question)
    found = getattr(answer, "measurement", None)
    said("judge", start, f"[{found.lo / S:.2f} s, {found.hi / S:.2f} s]" if found and found.hi else str(answer))


def plain(url: str) -> None:
    """The bare answer, as the standard library reads it."""
    from urllib.request import urlopen  # noqa: PLC0415

    start = begun()
    with urlopen(f"{url}/api/v1/query") as answer:
        json.loads(answer.read())
    said("read", start)


def client_python(folder: Path, given: str) -> tuple[str, str]:
    """An interpreter with the client, or why there is none."""
    if given:
        return given, ""
    python = folder / "venv" / "bin" / "python"
    for command in ([sys.executable, "-m", "venv", folder / "venv"], [python, "-m", "pip", "install", "-q", CLIENT]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return "", f"left out: {CLIENT} cannot be installed ({(done.stderr.strip().splitlines() or ['no reason'])[-1]})"
    return str(python), ""


async def way(name: str, command: Sequence[str]) -> float:
    """Run one way, print its stages, give its seconds of computing (0 where it did not end)."""
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await child.communicate()
    stages = [json.loads(line) for line in output.decode().splitlines()]
    for (_, before, *_), (stage, busy, wall, most, result) in pairwise([("", 0.0), *stages]):
        print(
            f"{name:<14} {stage:<8} {busy - before:>7.2f} {busy:>7.2f} {wall:>7.2f} {most:>8.0f}  {result}".rstrip(), flush=True
        )
    whole = not child.returncode and bool(stages) and not stages[-1][4].startswith("stopped")
    if child.returncode:
        print(f"{name:<14} ended with {child.returncode}")
    return stages[-1][1] if whole else 0.0


async def table(series: int, samples: int, *, limit: float, python: str) -> None:
    """Serve the answer, and send each way through it."""
    from meshkit_chaos.measure.loopback import Answer, Request, serving  # noqa: PLC0415

    body = made(series, samples)
    print(f"{series:,} series × {samples:,} samples, {len(body) / 1e6:.0f} MB; aim: {AIM_S:g} s, {AIM_MB} MB")
    print(f"{'way':<14} {'stage':<8} {'CPU s':>7} {'so far':>7} {'wall s':>7} {'peak MB':>8}")

    async def handle(_: Request) -> Answer:
        return Answer(body=body, headers={"Content-Type": "application/json"})

    here = [sys.executable, __file__, str(series), str(samples), "--limit", str(limit)]
    with tempfile.TemporaryDirectory() as name:
        theirs, why = client_python(Path(name), python)
        async with serving(handle) as url:
            took: dict[str, float] = {}
            for title in ("json", "slices", "whole"):
                took[title] = await way(title, [*here, "--way", title, "--url", url])
            if theirs:
                took["client"] = await way("api-client", [theirs, "-c", THEIRS, str(Path(__file__).parent), url])
    print(why or f"slices / client: {took['slices'] / took['client']:.2f}" if took.get("client") or why else "no ratio")


def main() -> None:
    parser = argparse.ArgumentParser(description="A large Prometheus answer to a convergence interval.")
    parser.add_argument("series", nargs="?", type=int, default=200, help=f"a multiple of {MEMBERS}, at least {3 * MEMBERS}")
    parser.add_argument("samples", nargs="?", type=int, default=10_000)
    parser.add_argument("--limit", type=float, default=30, help="when to stop one of our ways, in seconds (default 30)")
    parser.add_argument("--python", default="", help="an interpreter that has the client and pandas")
    parser.add_argument("--way", default="", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    ways: dict[str, Callable[[], object]] = {
        "": lambda: asyncio.run(table(given.series, given.samples, limit=given.limit, python=given.python)),
        "json": lambda: plain(given.url),
        "slices": lambda: asyncio.run(ours(given.url, given.samples, sliced=True, limit=given.limit)),
        "whole": lambda: asyncio.run(ours(given.url, given.samples, sliced=False, limit=given.limit)),
    }
    ways[given.way]()


if __name__ == "__main__":
    sys.exit(main())
