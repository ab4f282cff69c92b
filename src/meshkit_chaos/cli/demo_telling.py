"""Who was told what in the nights of ``demo --history``: the real rules, outbox and channels, against receivers on loopback.

Takes the routes and a clock that is set by the nights; writes what was decided and what became of it into the history. The
receivers check every signature. One of them is away for some minutes in one night, and in another one refuses what it is
sent, so that there is something to see: it is told by its answers, and nothing else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.errors import CannotRun

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from meshkit_chaos.deliver.ingesting import Decide
    from meshkit_chaos.deliver.sending import Sender
    from meshkit_chaos.deliver.settings import Routing
    from meshkit_chaos.deliver.worker import Courier
    from meshkit_chaos.history.index import History
    from meshkit_chaos.history.model import PastInvocation, PastScenario
    from meshkit_chaos.measure.loopback import Answer, Request

_SECRET: Final = "only-for-this-demo"  # noqa: S105  # it guards nothing: both ends are this process
_AWAY: Final = 4
"""So many requests are answered with 503 in the night in which the receiver is away."""
_PATIENCE_NS: Final = 3600 * 10**9
"""For so long a night goes on with what does not arrive at once."""


class Receivers:
    """Two receivers of webhooks. ``refuses``: the one on call wants nothing; ``away``: how many requests neither takes."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.refuses = False
        self.away = 0

    @contextmanager
    def listening(self) -> Iterator[str]:
        """The address, while they listen in a thread of their own."""
        ready, over = threading.Event(), asyncio.Event()
        found: list[tuple[str, asyncio.AbstractEventLoop]] = []

        async def serve() -> None:
            from meshkit_chaos.measure.loopback import serving  # noqa: PLC0415  # start-up time

            async with serving(self._answer) as url:
                found.append((url, asyncio.get_running_loop()))
                ready.set()
                await over.wait()

        broke: list[OSError] = []

        def listen() -> None:
            try:
                asyncio.run(serve())
            except OSError as error:
                broke.append(error)
            finally:
                ready.set()  # nobody waits for what broke

        thread = threading.Thread(target=listen, name="receivers", daemon=True)
        thread.start()
        ready.wait()
        if not found:
            told = f"the receivers of the demo cannot listen on loopback: {broke}"
            raise CannotRun(told, hint="allow this process to listen on 127.0.0.1")
        url, loop = found[0]
        try:
            yield url
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join()

    async def _answer(self, request: Request) -> Answer:
        from meshkit_chaos.deliver.signing import HEADER, verified  # noqa: PLC0415  # start-up time
        from meshkit_chaos.measure.loopback import Answer  # noqa: PLC0415  # start-up time

        header = request.headers.get(HEADER.lower(), "")
        if not verified(_SECRET, request.body, header, now_s=self._clock.wall_ns() // 10**9):
            return Answer.of({"error": "the signature does not hold"}, status=401)
        if self.away > 0:
            self.away -= 1
            return Answer.of({"error": "down for maintenance"}, status=503, Retry_After="300")
        if self.refuses and request.path == "/on-call":
            return Answer.of({"error": "nobody is on this rota"}, status=410)
        return Answer.of({"taken": request.headers.get("idempotency-key", "")})


class Teller:
    """Decides and delivers at the instant that the clock shows."""

    def __init__(self, history: History, routes: Path, clock: ManualClock, receivers: Receivers, opened: ExitStack) -> None:
        from meshkit_chaos.deliver.opening import Surroundings, open_sender  # noqa: PLC0415  # start-up time
        from meshkit_chaos.measure.access import Secrets  # noqa: PLC0415  # start-up time

        self._history, self._clock, self._receivers = history, clock, receivers
        self.routing = _routing(routes)
        url = opened.enter_context(receivers.listening())
        named = {"DEMO_TEAM_URL": f"{url}/team", "DEMO_ON_CALL_URL": f"{url}/on-call", "DEMO_SECRET": _SECRET}
        around = Surroundings(secrets=Secrets(folder=routes.parent, variables=named), clock=clock, folder=routes.parent)
        self._senders: dict[str, Sender] = {one.id: open_sender(one, around) for one in self.routing.channels}

    def now(self, _: object = None) -> int:
        return self._clock.wall_ns()

    def take_in(self, results: Path) -> None:
        """Results into the history, and what is to be told of them into its outbox, in one transaction."""
        from meshkit_chaos.cli.notify_deciding import by_results  # noqa: PLC0415  # start-up time
        from meshkit_chaos.deliver.ingesting import decide_within  # noqa: PLC0415  # start-up time

        decide = by_results(self.routing)

        def within(connection: Connection, invocation: PastInvocation, scenarios: tuple[PastScenario, ...]) -> None:
            decide_within(connection, decide(invocation, scenarios), about=invocation.invocation, now=self.now)

        self._history.add(results, within=within)

    def tell(self, decide: Decide) -> None:
        """Decide by what the history knows."""
        from meshkit_chaos.deliver.ingesting import decide_within  # noqa: PLC0415  # start-up time

        with self._history.database.writing() as connection:
            decide_within(connection, decide, now=self.now)

    def deliver(self, *, away: bool = False, refused: bool = False) -> None:
        """Send what waits. What does not arrive within the hour waits for the next night."""
        from meshkit_chaos.deliver.outbox import Outbox  # noqa: PLC0415  # start-up time
        from meshkit_chaos.deliver.worker import Courier, Going, Heard  # noqa: PLC0415  # start-up time

        self._receivers.away, self._receivers.refuses = _AWAY if away else 0, refused
        outbox, heard = Outbox(self._history.database, now=self.now), Heard()
        going = Going(chance=lambda: 0.5, worker="demo")
        for channel, sender in self._senders.items():
            self._bring(Courier(channel, sender, outbox, going=going, watching=heard))
        for bug in heard.bugs:
            raise bug

    def _bring(self, courier: Courier) -> None:
        from meshkit_chaos.deliver.claiming import Wait  # noqa: PLC0415  # start-up time

        until = self._clock.wall_ns() + _PATIENCE_NS
        while (step := courier.step()) is not None:
            pause = step.until - step.at if isinstance(step, Wait) else 10**8
            if self._clock.wall_ns() + pause > until:
                return
            self._clock.advance_to(self._clock.monotonic_ns() + pause)


def _routing(routes: Path) -> Routing:
    from meshkit_chaos.deliver.load import load_routing  # noqa: PLC0415  # start-up time

    value = load_routing(routes.read_bytes(), path=routes.name).value
    assert value is not None, "our own document"
    return value
