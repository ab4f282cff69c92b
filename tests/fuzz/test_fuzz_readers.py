"""Everything that comes from outside, mangled: each reader gives a value or its own error, in bounded time and memory."""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mangled import MOST_MB, bounded, mangle, mangled, peak_mb

from meshkit_chaos.errors import JournalDamaged
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.blocks import Block, decode_block
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record, fault_windows, outstanding
from meshkit_chaos.journal.store import JOURNAL, SAMPLES, read_lines
from meshkit_chaos.judge import judge
from meshkit_chaos.measure.exposition import Parsed, Wanted, parse
from meshkit_chaos.measure.frames import Refused, fetched
from meshkit_chaos.measure.prometheus_api import PrometheusApi
from meshkit_chaos.measure.source import Fetched, Introduction, NoAnswer, Window
from meshkit_chaos.promql import PromQLError
from meshkit_chaos.promql import parse as parse_query
from meshkit_chaos.run.watchdog_main import earliest_deadline
from meshkit_chaos.scenario.load import load_environment, load_scenarios
from meshkit_chaos.slo.codec import encode_pretty

KEPT = sorted((Path(__file__).parents[1] / "journals").glob(f"*/{JOURNAL}"))
RECORDS = {path.parent.name: read_record(path.parent) for path in KEPT}
PASSING = [path for path in KEPT if judge(RECORDS[path.parent.name]).verdict == "pass"]
LAB = load_environment((files("meshkit_chaos") / "demo" / "etcd-lab.yaml").read_bytes(), path="etcd-lab.yaml").value

EXAMPLES = int(os.environ.get("MESHKIT_CHAOS_FUZZ", "150"))
"""Set to some thousands for a long look."""

often = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
seldom = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True, scope="module")
def _memory() -> Iterator[None]:
    """However much was read, the process stays small."""
    before = peak_mb()
    yield
    assert peak_mb() < before + MOST_MB


DOCUMENTS = [(files("meshkit_chaos") / "demo" / name).read_bytes() for name in ("chaos-scenarios.yaml", "etcd-lab.yaml")]
YAML = [
    b"&a ",
    b"*a",
    b"!!python/object:os.system ",
    b"{",
    b"[",
    b"]" * 9,
    b"- " * 50,
    b"? ",
    b"\t",
    b"\x00",
    b"1e999",
    b"${",
    b"<<: *a",
]


@often
@given(mangled(DOCUMENTS, YAML))
def test_documents(data: bytes) -> None:
    """A mangled document gives a value, or problems with their places."""
    with bounded():
        scenarios = load_scenarios(data, path="d.yaml", environment=LAB)
        environment = load_environment(data, path="d.yaml")
    for loaded in (scenarios, environment):
        assert loaded.value is not None or loaded.errors


EVENTS = [
    b'"kind":"',
    b"null",
    b"-1",
    b"[]",
    b"{}",
    b"1e400",
    b'"seq":0',
    b"\n",
    b'"t":',
    b"NaN",
    b'{"kind":"new.kind"}',
    b"\xff",
]


@often
@given(st.sampled_from(KEPT), st.integers(0, 2**32))
def test_journals(path: Path, seed: int) -> None:
    """A mangled journal is read, folded and judged; no part of the judge breaks on it."""
    data = mangle(path.read_bytes(), tuple(EVENTS), seed, 1 + seed % 5)
    with bounded():
        entries, _, damage = read_lines(data)
        record = Record(entries=tuple(entries), samples=RECORDS[path.parent.name].samples, damage=damage)
        verdict = judge(record)
        encode_pretty(verdict)
        outstanding(record)
        earliest_deadline(record)
    assert not [
        found.sentence for found in verdict.findings if found.sentence.startswith("judging") and " broke: " in found.sentence
    ]


@often
@given(st.sampled_from(PASSING), st.data())
def test_lines_that_are_missing_doubled_or_swapped(path: Path, data: st.DataObject) -> None:
    """A passing journal whose lines are not all there, or not in their order, is never a pass."""
    lines = path.read_bytes().splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    match data.draw(st.sampled_from(["drop", "double", "swap"])):
        case "drop":
            changed = lines[:at] + lines[at + 1 :]
        case "double":
            changed = lines[: at + 1] + lines[at:]
        case _:
            other = data.draw(st.integers(0, len(lines) - 1).filter(lambda number: number != at))
            changed = list(lines)
            changed[at], changed[other] = changed[other], changed[at]
    entries, _, damage = read_lines(b"".join(changed))
    record = Record(entries=tuple(entries), samples=RECORDS[path.parent.name].samples, damage=damage)
    assert judge(record).verdict != "pass"


@often
@given(st.sampled_from(PASSING), st.data())
def test_an_event_that_is_taken_out_cleanly(path: Path, data: st.DataObject) -> None:
    """A fact that a pass rests on can be taken out with every seq made right again: then it is no pass either."""
    entries = RECORDS[path.parent.name].entries
    rests_on = (ev.FaultIntended, ev.FaultInjected, ev.EffectObserved, ev.RevertDone, ev.RunFinished, ev.RunStarted)
    at = data.draw(st.sampled_from([number for number, entry in enumerate(entries) if isinstance(entry.event, rests_on)]))
    rest = [entry.event for number, entry in enumerate(entries) if number != at]
    times = [entry.t for number, entry in enumerate(entries) if number != at]
    again = tuple(ev.Entry(seq=seq, t=t, event=event) for seq, (t, event) in enumerate(zip(times, rest, strict=True)))
    assert judge(Record(entries=again, samples=RECORDS[path.parent.name].samples)).verdict != "pass"


BLOCKS = [block.read_bytes() for path in KEPT for block in sorted((path.parent / SAMPLES).iterdir())[:2]]
PLAIN = [zlib.decompress(block.read_bytes()) for path in PASSING for block in sorted((path.parent / SAMPLES).iterdir())[:2]]
NUMBERS = [
    b"-1",
    b"1e400",
    b"null",
    b'"7ff8000000000000"',
    b"[",
    b"]",
    b"9" * 40,
    b'"x"',
    b"{}",
    b",",
    b"0.5",
    b"\xff",
    b"[" * 5000,
]


@often
@given(mangled(BLOCKS, [b"\x00" * 9, b"x\x9c"]))
def test_blocks_as_they_are_stored(data: bytes) -> None:
    """A mangled block is a block, or damage that is named."""
    with bounded(), suppress(JournalDamaged):
        assert isinstance(decode_block(data), Block)


@often
@given(mangled(PLAIN, NUMBERS))
def test_blocks_that_were_packed_again(data: bytes) -> None:
    """What is in a block may be anything: it is a block, or damage that is named."""
    with bounded(), suppress(JournalDamaged):
        assert isinstance(decode_block(zlib.compress(data)), Block)


PAGES = [
    b'# TYPE is_leader gauge\nis_leader 1\nis_leader{shard="a"} 0\nok{a="b",c="d\\"e"} 1.5e3 1700000000\nother 3\n',
    b'http_request_duration_seconds_bucket{le="+Inf"} 3 # {trace_id="x"} 0.1 1.2\n# EOF\n',
]
METRICS = [
    b'{le="',
    b'"}',
    b"NaN",
    b"+Inf",
    b"0x1p-2",
    b"1_000",
    b"\\",
    b"\n",
    b" ",
    b"# ",
    b"\xff\xfe",
    b"\x00",
    b'="' * 500,
    b"{" * 500,
]


@often
@given(mangled(PAGES, METRICS), st.booleans(), st.booleans())
def test_expositions(data: bytes, openmetrics: bool, everything: bool) -> None:
    """A mangled page gives samples, and problems where there are any; never an exception."""
    wanted = Wanted(None if everything else frozenset({"is_leader", "ok", "http_request_duration_seconds_bucket"}))
    with bounded():
        assert isinstance(parse(data, wanted, openmetrics=openmetrics), Parsed)


QUERIES = [
    b'sum by (a) (rate(x_total{b=~"c.*"}[5m] offset 1m)) / on (a) group_left () y > bool 1',
    b"topk(3, max_over_time(z[1h:1m]))",
]
PROMQL = [
    b"(",
    b")" * 40,
    b"(" * 300,
    b"[5m]",
    b"{",
    b'=~"(a+)+$"',
    b"1e999",
    b"offset -9y",
    b"\x00",
    b"-" * 400,
    b"by",
    b'"',
    b"@ 1",
    b"\xc3",
]


@often
@given(mangled(QUERIES, PROMQL))
def test_queries(data: bytes) -> None:
    """A mangled query is parsed or refused by name."""
    with bounded(), suppress(PromQLError):
        parse_query(data.decode("utf-8", errors="replace"))


class Says:
    """A server that answers everything with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    async def ask(self, method: str, path: str, **_: object) -> bytes:
        return self.answer

    def quoted(self, texts: list[str]) -> tuple[str, ...]:
        return tuple(texts)


FRAME = {
    "schema": {"fields": [{"name": "Time", "type": "time"}, {"name": "Value", "type": "number", "labels": {"__name__": "up"}}]},
    "data": {"values": [[1767225600123], [1]]},
}
ANSWERS = [
    *(
        json.dumps({"status": "success", "data": data, "warnings": ["w"]}).encode()
        for data in (
            {
                "resultType": "matrix",
                "result": [
                    {"metric": {"__name__": "up", "a": "b"}, "values": [[1767225600.123, "1"], [1767225601.123, "NaN"]]}
                ],
            },
            {"resultType": "scalar", "result": [1767225600.123, "1767225600.123"]},
            {"version": "2.42.0", "revision": "x"},
        )
    ),
    b'{"status":"error","errorType":"bad_data","error":"no"}',
    json.dumps({"results": {"A": {"status": 200, "frames": [FRAME]}}}).encode(),
]
JSON = [
    b"null",
    b"[]",
    b"{}",
    b"1e400",
    b'"x"',
    b"-1",
    b"NaN",
    b"[" * 2000,
    b"\xff",
    b'"resultType":"vector"',
    b"true",
    b"," * 5,
]
WINDOW = Window(start=1767225590 * 10**9, end=1767225610 * 10**9)


@often
@given(mangled(ANSWERS, JSON))
def test_answers_of_metric_sources(data: bytes) -> None:
    """A mangled answer of an API is samples, or the cause why there are none; nothing of it is raised."""
    with bounded():
        api = PrometheusApi(Says(data), flavour="prometheus")  # type: ignore[arg-type]  # as much of an exchange as it needs
        assert isinstance(asyncio.run(api.raw("up", WINDOW)), Fetched | NoAnswer)
        assert isinstance(asyncio.run(api.now()), int | NoAnswer)
        assert isinstance(asyncio.run(api.introduce()), Introduction | NoAnswer)
        asyncio.run(api.metric_names())
        with suppress(Refused):
            fetched(data, expression="up[20s]", window=WINDOW)


@seldom
@given(mangled([b"a" * 64], [b"\n", b"[" * 100_000, b"- " * 50_000, b"{a: " * 20_000, b'"' * 99_999]))
def test_depth_and_size(data: bytes) -> None:
    """Depth and length hang nothing: documents, queries, journals and pages alike."""
    with bounded():
        load_scenarios(data, path="d.yaml")
    with bounded():
        read_lines(data)
        parse(data, Wanted(None))
    with bounded(), suppress(PromQLError):
        parse_query(data[:20_000].decode("utf-8", errors="replace"))


def test_fault_windows_of_every_kept_journal() -> None:
    """The examples that are mangled hold what is to be mangled: faults, damage, crashes."""
    assert sum(len(fault_windows(record)) for record in RECORDS.values()) > 10
    assert PASSING


@pytest.mark.parametrize(
    "data",
    [
        b'{"status":"success","data":{"version":"2.0","revision":' + b"[" * 3000 + b"]" * 3000 + b"}}",
        b'{"status":"success","data":{"version":"2.4\x98s"}}',
        b'{"status":"success","data":{"resultType":"scalar","result":[1,"1e400"]}}',
    ],
    ids=["nested without end", "not UTF-8", "infinite time"],
)
def test_answers_that_were_raised_once(data: bytes) -> None:
    """What mangling found: an answer that cannot be read is the cause why there is none, wherever the part is that cannot."""
    api = PrometheusApi(Says(data), flavour="prometheus")  # type: ignore[arg-type]  # as much of an exchange as it needs
    assert isinstance(asyncio.run(api.raw("up", WINDOW)), NoAnswer)
    assert isinstance(asyncio.run(api.now()), NoAnswer)
    asyncio.run(api.introduce())
