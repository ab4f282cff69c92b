"""Our evaluator beside a real Prometheus on the same samples: time a query, and that both say the same. Asserts nothing.

Needs ``prometheus`` on PATH. ``python bench/promql_beside_prometheus.py [SERIES] [SAMPLES]``, by default 1,000 of 1,000.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "promql"))

from prometheus_server import PrometheusServer

from meshkit_chaos.journal.samples import Samples
from meshkit_chaos.promql import Evaluator, Series, Settings, labels_of, parse

S = 10**9
STEP = 5 * S
SLICE = 100
QUERIES = (
    "sum(load)",
    "sum by (zone) (load)",
    "max(load) - min(load)",
    "quantile(0.9, load)",
    "topk(3, load)",
    "sum(rate(load[1m]))",
    "sum(rate(load[5m]))",
    "max(max_over_time(load[30m]))",
    "count(load > 500)",
    'sum(load{zone=~"z[12]"}) / sum(load)',
    "max_over_time(sum(load)[10m:1m])",
)


def made(series: int, samples: int, end: int) -> tuple[Series, ...]:
    rng = Random(1)
    times = tuple(range(end - (samples - 1) * STEP, end + 1, STEP))
    out = []
    for number in range(series):
        value, values = 0.0, []
        for _ in times:
            value += rng.random()
            values.append(value)
        out.append(Series(labels_of("load", {"zone": f"z{number % 10}", "pod": f"p{number}"}), times, tuple(values)))
    return tuple(out)


def best(work: Callable[[], object], times: int = 5) -> float:
    spans = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spans.append(time.perf_counter() - start)
    return min(spans) * 1000


def main() -> None:
    series, samples = (int(text) for text in (*sys.argv[1:], "1000", "1000")[:2])
    end = int(time.time()) // 60 * 60 * S  # noqa: TID251  # a server takes no samples of another day
    data = made(series, samples, end)
    storage = Samples(series={"load": data})
    with tempfile.TemporaryDirectory() as folder, PrometheusServer(Path(folder)) as server:
        for start in range(0, samples, SLICE):  # slice by slice: a server takes nothing that is an hour older than its newest
            server.write(
                Series(one.labels, one.times[start : start + SLICE], one.values[start : start + SLICE]) for one in data
            )
        print(f"{series:,} series × {samples:,} samples, one instant; the server's time holds HTTP and JSON")
        print(f"{'query':<38} {'ours ms':>8} {'server ms':>10} {'ratio':>6}  same")
        for text in QUERIES:
            evaluator = Evaluator(parse(text), Settings(range_boundaries="closed"))
            ours = best(lambda evaluator=evaluator: evaluator.at(storage, end))
            theirs = best(lambda text=text: server.query(text, end))
            found, answer = evaluator.at(storage, end), server.query(text, end)
            values = dict(found.samples) if hasattr(found, "samples") else found.value
            same = isinstance(answer, dict) and isinstance(values, dict) and answer.keys() == values.keys()
            close = same and all(abs(values[key] - answer[key]) <= 1e-9 * max(1, abs(answer[key])) for key in answer)
            print(f"{text:<38} {ours:>8.2f} {theirs:>10.2f} {ours / theirs:>6.1f}  {'yes' if close else 'NO'}")


if __name__ == "__main__":
    sys.exit(main())
