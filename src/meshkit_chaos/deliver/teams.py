"""Microsoft Teams by a webhook of the app Workflows: cards go in; whether anybody sees them, it does not say.

Takes the settings of a channel, whose address is a secret; gives a ``Sender``. The answer (202, sometimes 200) means that a
flow was started, not that it showed anything: a receipt says so with ``shown`` False. There are no edits, no threads and no way
to look.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver.action import Action, CannotLook, Delivered, Look, Outcome, Receipt, Told
from meshkit_chaos.deliver.exchange import Exchange, Reply, host_of, open_exchange
from meshkit_chaos.deliver.sending import Rate, Rendered
from meshkit_chaos.deliver.settings import Owner, Teams
from meshkit_chaos.deliver.slack_webhook import keep_address
from meshkit_chaos.deliver.teams_card import BUDGET, Card, pinged, teams_card
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.slo import Duration

NOTE: Final = "a flow was started"


def open_teams(settings: Teams, *, secrets: Secrets, clock: Clock, folder: Path, owners: Sequence[Owner] = ()) -> TeamsSender:
    """Raises CannotRun where the address cannot be read."""
    url = secrets.read(settings.url, what=f"the address of {settings.id}")
    keep_address(secrets, url)
    exchange = open_exchange(settings.reach, secrets=secrets, folder=folder, clock=clock)
    return TeamsSender(settings, url=url, exchange=exchange, owners=tuple(owners))


@dataclass(frozen=True, slots=True)
class TeamsSender:
    """See ``sending.Sender``. Unsure, it sends again: a card twice is less harm than none."""

    settings: Teams
    url: str = field(kw_only=True, repr=False)
    exchange: Exchange = field(kw_only=True)
    owners: tuple[Owner, ...] = field(default=(), kw_only=True)
    when_unsure: Literal["repeat"] = field(default="repeat", kw_only=True)
    lag: Duration = field(default=Duration(0), kw_only=True)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """Teams throttles a channel at four a second; one is kind to its readers too."""
        return (Rate(bucket=f"teams:{self.settings.id}", count=1, per=Duration(10**9)),)

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        del thread
        card = self._card(action)
        return Rendered(
            method="POST",
            target=f"a workflow at {host_of(self.url)}",
            body=json.dumps(card.envelope, ensure_ascii=False, indent=2),
            size=card.size,
            budget=BUDGET,
            dropped=card.dropped,
        )

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        del thread
        answer = self.exchange.call("POST", self.url, json=self._card(action).envelope)
        return Delivered(receipt=Receipt(did="sent", shown=False, note=NOTE)) if isinstance(answer, Reply) else answer

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        del action, thread
        return CannotLook(why="a workflow only takes cards; it cannot be asked")

    def _card(self, action: Action) -> Card:
        return teams_card(action.message, people=pinged(action.message.mention, self.owners) if action.loud else ())

    def close(self) -> None:
        """Nothing is kept open."""
