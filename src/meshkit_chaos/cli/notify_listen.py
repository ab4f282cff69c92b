"""``notify listen``: the receiver of a webhook channel on loopback, so that routes can be tried out with nobody's server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.notify_channels import ROUTES_OPTION, read_routes
from meshkit_chaos.cli.options import FORMAT
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.errors import UsageError

if TYPE_CHECKING:
    from meshkit_chaos.measure.loopback import Answer, Request


@click.command("listen", epilog="Example: meshkit-chaos notify listen own --address address.txt")
@click.argument("channel")
@ROUTES_OPTION
@click.option("--address", type=click.Path(path_type=Path), help="Write the address that it listens on into this file.")
@click.option("--count", type=click.IntRange(1), help="End after so many messages.  [default: when interrupted]")
@FORMAT
def listen_command(channel: str, routes: Path, address: Path | None, count: int | None, form: str) -> int:
    """Listen on this machine as the receiver of CHANNEL, a webhook, and print each message whose signature holds.

    The address is a free one of loopback. One with another signature is refused, and said.
    """
    from meshkit_chaos.deliver.settings import Webhook  # noqa: PLC0415  # start-up time

    ways = read_routes(routes)
    found = next((one for one in ways.routing.channels if one.id == channel), None)
    if not isinstance(found, Webhook):
        names = ", ".join(one.id for one in ways.routing.channels if isinstance(one, Webhook)) or "none"
        raise UsageError(f"{routes} has no webhook {channel!r}", hint=f"there are: {names}")
    secret = ways.secrets.read(found.secret, what=f"the secret of {channel}")
    try:
        asyncio.run(_Receiver(secret=secret, form=form, count=count).serve(lambda url: _listening(url, address)))
    except KeyboardInterrupt:
        return 0
    return 0


def _listening(url: str, address: Path | None) -> None:
    if address is not None:
        try:
            address.write_text(f"{url}\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--address {address} cannot be written: {error.strerror}", hint="name another file") from error
    say(f"listening on {url}")


class _Receiver:
    """Checks and prints. What comes twice, by its key, is printed once."""

    def __init__(self, *, secret: str, form: str, count: int | None) -> None:
        self._secret = secret
        self._form = form
        self._count = count
        self._keys: set[str] = set()
        self._enough = asyncio.Event()

    async def serve(self, listening: Callable[[str], None]) -> None:
        from meshkit_chaos.measure.loopback import serving  # noqa: PLC0415  # start-up time

        async with serving(self) as url:
            listening(url)
            await self._enough.wait()

    async def __call__(self, request: Request) -> Answer:
        from meshkit_chaos.deliver.signing import HEADER, verified  # noqa: PLC0415  # start-up time
        from meshkit_chaos.measure.loopback import Answer  # noqa: PLC0415  # start-up time

        header = request.headers.get(HEADER.lower(), "")
        if request.method != "POST" or not verified(self._secret, request.body, header, now_s=SystemClock().wall_ns() // 10**9):
            say(f"refused a {request.method}: it is not signed with the secret of this channel, or too long ago")
            return Answer.of({"error": "the signature does not hold"}, status=401)
        key = request.headers.get("idempotency-key", "")
        if key not in self._keys:
            self._keys.add(key)
            click.echo(self._printed(request.body))
            if self._count is not None and len(self._keys) >= self._count:
                self._enough.set()
        return Answer.of({"taken": key})

    def _printed(self, body: bytes) -> str:
        import msgspec  # noqa: PLC0415  # start-up time

        from meshkit_chaos.deliver.webhook import Document  # noqa: PLC0415  # start-up time
        from meshkit_chaos.report.escape import one_line, visible  # noqa: PLC0415  # start-up time

        if self._form == "json":
            return body.decode("utf-8")
        found = msgspec.json.decode(body, type=Document)
        return visible(one_line(f"{found.occasion}: {found.message.title}"))
