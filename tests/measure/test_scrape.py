"""Scraping real sockets on loopback: what a target does wrong is its cause, never our exception."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from misbehaving_targets import Behaviour, Endless, answer, closed_address, half, raw, resetting, serving, silent

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.journal.recorder import MemberSamples
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.exposition import Wanted
from meshkit_chaos.measure.fetch import NoPage, Page, fetch, scrape_client
from meshkit_chaos.measure.scrape import Scraper, labelled, up_labels, with_target
from meshkit_chaos.promql.series import labels_of
from meshkit_chaos.slo import Duration

T = TypeVar("T")
SHORT = Duration.parse("40ms")
GENEROUS = Duration.parse("20s")
Rounds = list[tuple[Round, MemberSamples]]


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


async def fetched(behave: Behaviour, *, within: Duration = GENEROUS, largest: int = 10**6) -> Page | NoPage:
    async with serving(behave) as url, scrape_client(1) as client:
        return await fetch(client, url, within=within, largest=largest)


def cause(behave: Behaviour, *, within: Duration = GENEROUS, largest: int = 10**6) -> str:
    page = run(fetched(behave, within=within, largest=largest))
    assert isinstance(page, NoPage)
    return page.cause


def test_a_good_page_comes_whole() -> None:
    """The bytes of the body, and whether the target calls them OpenMetrics."""
    assert run(fetched(answer(b"m 1\n"))) == Page(b"m 1\n")
    openmetrics = answer(b"m 1\n# EOF\n", headers="Content-Type: application/openmetrics-text; version=1.0.0\r\n")
    assert run(fetched(openmetrics)) == Page(b"m 1\n# EOF\n", openmetrics=True)


@pytest.mark.parametrize("behave", [silent, half])
def test_a_target_that_stalls_runs_out_of_time(behave: Behaviour) -> None:
    """No answer and half an answer are the same: nothing, within the time that was given."""
    assert cause(behave, within=Duration.parse("50ms")) == "no whole answer within 50ms"
    assert cause(behave, within=Duration(49_444_463)) == "no whole answer within 49ms"


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (resetting, "the exchange broke"),
        (raw(b""), "the exchange broke"),
        (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), "the exchange broke"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nm 1\n"), "the exchange broke"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), "the exchange broke"),
        (answer(b"m 1\n", status="500 Internal Server Error"), "status 500"),
        (answer(b"m 1\n", status="204 No Content"), "status 204"),
        (answer(b"", status="302 Found", headers="Location: http://127.0.0.1/elsewhere\r\n"), "status 302"),
        (answer(b"<html>", headers="Content-Type: text/html\r\n"), "text/html"),
        (answer(gzip.compress(b"m 1\n"), headers="Content-Encoding: gzip\r\n"), "content-encoding gzip"),
    ],
)
def test_a_broken_answer_has_its_cause(behave: Behaviour, said: str) -> None:
    """Whatever is wrong with the exchange is told in a phrase."""
    assert said in cause(behave)


def test_an_address_where_nobody_listens() -> None:
    """A refused connection is told as such, at once."""

    async def work() -> Page | NoPage:
        async with scrape_client(1) as client:
            return await fetch(client, closed_address(), within=GENEROUS, largest=100)

    page = run(work())
    assert isinstance(page, NoPage)
    assert "cannot connect" in page.cause


@pytest.mark.parametrize("url", ["", "no address", "ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:99999/"])
def test_an_impossible_address_is_a_cause_too(url: str) -> None:
    """An address that cannot be asked fails its member, not the scraper."""

    async def work() -> Page | NoPage:
        async with scrape_client(1) as client:
            return await fetch(client, url, within=GENEROUS, largest=100)

    assert isinstance(run(work()), NoPage)


def test_an_endless_page_is_cut_at_the_limit() -> None:
    """Reading stops at the limit, so the target cannot send much more than that and what sockets hold."""
    endless = Endless()
    assert cause(endless, largest=100_000) == "answered more than 100000 bytes"
    assert endless.sent < 20 * 2**20


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members are asked directly, whatever proxy the shell has."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, closed_address())
    assert run(fetched(answer(b"m 1\n"))) == Page(b"m 1\n")


async def scraped(behaviours: dict[str, Behaviour], *, rounds: int, every: Duration = SHORT, wanted: str = "m") -> Rounds:
    """So many rounds of real scraping."""
    got: Rounds = []
    async with AsyncExitStack() as stack:
        targets = {member: await stack.enter_async_context(serving(behave)) for member, behave in behaviours.items()}
        client = await stack.enter_async_context(scrape_client(len(targets)))

        def on_round(round_: Round, samples: MemberSamples) -> None:
            got.append((round_, samples))
            if len(got) >= rounds:
                scraper.stop()

        scraper = Scraper(
            targets=targets,
            every=every,
            timeout=every,
            wanted=Wanted(frozenset({wanted})),
            client=client,
            clock=SystemClock(),
            on_round=on_round,
        )
        await scraper.run()
    return got


def test_members_fail_one_by_one() -> None:
    """In each round the good member has its samples, every bad one its cause and ``up`` 0."""
    good = answer(b'm{zone="a"} 7\n')
    bad: dict[str, Behaviour] = {
        "silent": silent,
        "garbled": answer(b"m 1\nm x\n"),
        "twice": answer(b"m 1\nm 2\nm 3\n"),
        "html": answer(b"<html>m 1\n"),
        "error": answer(b"m 1\n", status="503 Unavailable"),
    }
    for round_, samples in run(scraped({"good": good, **bad}, rounds=2, every=Duration.parse("700ms"))):
        assert round_.failed.keys() == bad.keys()
        assert samples["good"] == [
            (labels_of("m", {"zone": "a", "instance": "good", "member": "good"}), 7.0),
            (up_labels("good"), 1.0),
        ]
        for member in bad:
            assert samples[member] == [(up_labels(member), 0.0)]
        assert "no whole answer" in round_.failed["silent"]
        assert "'x' is not a number: 'm x'" in round_.failed["garbled"]
        assert round_.failed["twice"].endswith("(and 1 more)")


def test_rounds_keep_to_their_schedule_while_a_member_stalls() -> None:
    """Ticks stand on one grid, and rounds neither overlap nor bunch, although each runs out of time."""
    rounds = [round_ for round_, _ in run(scraped({"n1": answer(b"m 1\n"), "n2": silent}, rounds=8))]
    every = SHORT.ns
    assert all((round_.tick - rounds[0].tick) % every == 0 for round_ in rounds)
    assert all(round_.tick <= round_.start <= round_.end for round_ in rounds)
    for earlier, later in pairwise(rounds):
        assert later.tick - earlier.tick >= every
        assert later.start >= earlier.end


def test_a_member_without_the_wanted_metric_is_up() -> None:
    """A page without what is wanted is a good page: that the series is absent is the fact."""
    ((round_, samples),) = run(scraped({"n1": answer(b"other 1\n")}, rounds=1, every=Duration.parse("2s")))
    assert round_.failed == {}
    assert samples["n1"] == [(up_labels("n1"), 1.0)]


def test_scraping_goes_on_when_a_target_comes_back() -> None:
    """A member that was silent and then answers is good again in a later round, over new connections."""
    behaviour = [silent]

    async def changing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await behaviour[0](reader, writer)

    async def work() -> list[bool]:
        got: list[bool] = []
        async with serving(changing) as url, scrape_client(1) as client:

            def on_round(round_: Round, samples: MemberSamples) -> None:
                got.append(not round_.failed)
                behaviour[0] = answer(b"m 1\n")  # type: ignore[assignment]  # any behaviour will do
                if got[-1] or len(got) > 50:
                    scraper.stop()

            scraper = Scraper(
                targets={"n1": url},
                every=Duration.parse("100ms"),
                timeout=Duration.parse("100ms"),
                wanted=Wanted(None),
                client=client,
                clock=SystemClock(),
                on_round=on_round,
            )
            await scraper.run()
        return got

    got = run(work())
    assert not got[0]
    assert got[-1]


def test_cancelling_ends_it_at_once() -> None:
    """A scraper in the middle of a round lets itself be cancelled."""

    async def work() -> None:
        async with serving(silent) as url, scrape_client(1) as client:
            scraper = Scraper(
                targets={"n1": url},
                every=GENEROUS,
                timeout=GENEROUS,
                wanted=Wanted(None),
                client=client,
                clock=SystemClock(),
                on_round=lambda round_, samples: None,
            )
            task = asyncio.create_task(scraper.run())
            await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert task.cancelled()

    run(work())


@pytest.mark.parametrize(("every", "timeout"), [("1s", "0s"), ("1s", "2s")])
def test_a_timeout_must_fit_its_interval(every: str, timeout: str) -> None:
    """Otherwise rounds would run into each other."""
    with pytest.raises(ValueError, match="at most its interval, 1s"):
        Scraper(
            targets={},
            every=Duration.parse(every),
            timeout=Duration.parse(timeout),
            wanted=Wanted(None),
            client=scrape_client(1),
            clock=SystemClock(),
            on_round=lambda round_, samples: None,
        )


def test_the_targets_own_labels_move_out_of_the_way() -> None:
    """What a target calls ``member`` or ``instance`` becomes ``exported_…``, again and again where that is taken."""
    own = labels_of("m", {"member": "x", "exported_member": "y", "a": "b"})
    assert dict(with_target(own, "n1")) == {
        "__name__": "m",
        "a": "b",
        "member": "n1",
        "instance": "n1",
        "exported_member": "y",
        "exported_exported_member": "x",
    }


def test_a_target_cannot_say_that_it_is_up() -> None:
    """A target's own ``up`` does not stand beside ours, whichever value it has."""
    assert labelled([(labels_of("up", {}), 1.0)], member="n1", is_up=False) == [(up_labels("n1"), 0.0)]
