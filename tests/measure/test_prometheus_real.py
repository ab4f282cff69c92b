"""The same source against the real Prometheus and VictoriaMetrics of Debian, direct and behind the fake Grafana."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from metric_servers import HOW_TO_INSTALL, Kind, is_installed, members, scraping, until_ready
from metric_source import Witness

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.journal import events as ev
from meshkit_chaos.measure.connecting import Connection
from meshkit_chaos.measure.fake_grafana import Datasource, FakeGrafana, forward_to
from meshkit_chaos.measure.loopback import serving
from meshkit_chaos.promql import evaluate, parse, single
from meshkit_chaos.scenario.metric_sources import Access, ExternalMetrics, GrafanaDetails, SecretRef
from meshkit_chaos.slo import Duration

pytestmark = pytest.mark.slow
MS = 10**6
QUERY = parse("sum(leads)")
FLAVOURS: dict[Kind, Any] = {"prometheus": "prometheus", "victoria-metrics": "victoriametrics"}
TOKEN = "glsa_real-enough"


async def watched(
    kind: Kind, folder: Path, *, seconds: float, every: str, lag_ms: int, grafana: GrafanaDetails | None = None
) -> tuple[Witness, list[tuple[int, int]], FakeGrafana | None]:
    """Members 0-2, of which the first leads until a moment in the middle; also gives when it stopped and when it was served."""
    clock, witness = SystemClock(), Witness()
    lost: list[int] = []
    served: list[tuple[int, int]] = []
    everybody = asyncio.Event()

    def page(number: int) -> str | None:
        served.append((number, clock.monotonic_ns()))
        if len({asked for asked, _ in served}) == 3:
            everybody.set()
        if number == 2 and lost:
            return None
        return f"leads {int(number == 0 and not lost)}\n"

    fake = None
    async with members(page) as targets, AsyncExitStack() as stack:
        url = stack.enter_context(scraping(kind, folder, targets, every=every))
        await until_ready(kind, url)
        if grafana is not None:
            client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
            fake = FakeGrafana(
                upstream=forward_to(url, client), clock=clock, token=TOKEN, datasources=(Datasource(uid="p", name="P"),)
            )
            url = await stack.enter_async_context(serving(fake.handle))
        external = ExternalMetrics(
            access=Access(url=url, bearer=SecretRef(env="TOKEN")),
            every=Duration.parse(every),
            lag=Duration(lag_ms * MS),
            flavour=FLAVOURS[kind],
            grafana=grafana,
        )
        connection = Connection(
            external=external,
            values={f"m{number}": target for number, target in enumerate(targets)},
            folder=folder,
            clock=clock,
            secrets_from={"TOKEN": TOKEN},
        )
        await everybody.wait()  # a server takes seconds to take its targets up
        await asyncio.sleep(Duration.parse(every).seconds * 2)
        async with connection.open([QUERY], on_round=witness.on_round, note=witness.notes.append) as source:
            task = asyncio.create_task(source.run())
            await asyncio.sleep(seconds / 2)
            lost.append(clock.monotonic_ns())
            await asyncio.sleep(seconds / 2)
            source.stop()
            await task
    return witness, served, fake


def check(witness: Witness, served: list[tuple[int, int]], *, least: int) -> None:
    """Rounds are whole, lie around when members were really asked, and show the loss of the leader and of a member."""
    assert len(witness.rounds) >= least, witness.problems()
    for round_, samples in zip(witness.rounds, witness.samples, strict=True):
        assert not round_.doubt
        for number in range(3):
            up = [time for labels, time, _ in samples[f"m{number}"].samples if ("__name__", "up") in labels]
            assert len(up) == 1
            near = min((at for who, at in served if who == number), key=lambda at: abs(at - up[0]))
            error = round_.end - round_.tick
            assert -error <= near - up[0] <= error + 50 * MS, "a member was asked when its sample says so"
    values = [single(evaluate(QUERY, witness.recorder, round_.tick), text=QUERY.text) for round_ in witness.rounds]
    assert values[0] == 1, values
    assert values[-1] == 0, values
    assert witness.rounds[-1].failed == {"m2": "its scrape failed (up is not 1)"}
    assert not witness.rounds[0].failed


@pytest.mark.parametrize(
    ("kind", "every", "lag_ms"), [("prometheus", "250ms", 150), ("prometheus", "1s", 300), ("victoria-metrics", "1s", 2500)]
)
def test_a_real_server_gives_true_rounds(kind: Kind, every: str, lag_ms: int, tmp_path: Path) -> None:
    """What the server scraped comes out as rounds at the instants at which the members were really asked."""
    if not is_installed(kind):
        pytest.skip(f"{kind} is not installed: {HOW_TO_INSTALL}")
    seconds = (6 if every == "250ms" else 9) + 3 * lag_ms / 1000  # the last rounds need their lag
    witness, served, _ = asyncio.run(watched(kind, tmp_path, seconds=seconds, every=every, lag_ms=lag_ms))
    check(witness, served, least=10 if every == "250ms" else 4)
    (described,) = witness.noted(ev.SourceDescribed)
    assert abs(described.offset) < 200 * MS
    if kind == "prometheus":
        assert described.version.startswith("2.")
        assert described.range_boundaries == "closed"
        assert described.error < 200 * MS
    else:
        assert described.range_boundaries == "left-open"


@pytest.mark.parametrize("via", ["proxy", "query"])
def test_grafana_in_front_of_a_real_prometheus(via: str, tmp_path: Path) -> None:
    """Through the fake Grafana the real server's samples are the same, and every request is as documented."""
    if not is_installed("prometheus"):
        pytest.skip(f"prometheus is not installed: {HOW_TO_INSTALL}")
    details = GrafanaDetails(name="P", via=via)  # type: ignore[arg-type]  # the two ways there are
    witness, served, fake = asyncio.run(watched("prometheus", tmp_path, seconds=6, every="250ms", lag_ms=150, grafana=details))
    check(witness, served, least=8)
    assert fake is not None
    assert not fake.wrong
