"""The page about noise: what each person of ``noise.py`` received, with counts, and night by night why."""

from __future__ import annotations

from collections import Counter
from typing import Final

from noise import NIGHTS, Team, lived, night_number

from meshkit_chaos.deliver.action import Action

_OPENING: Final = """<!-- Made by docs/noise_page.py from a simulated history; a test holds it current. -->
# Sixty nights, and what each person received

Nothing here is written by hand. A made-up team has 24 scenarios, one nightly, and four pipelines of changes a day. Ann owns
leadership and gossip, Bo shards and replication; Cy releases, Dee keeps the lab. Each scenario also fails now and then for no
reason that lasts. What is told is decided by the program itself, with its default rules; tickets live by its own rules, too.
"""


def noise_page() -> str:
    """``docs/concepts/notification-noise.md``."""
    team = lived()
    parts = [_OPENING, "## What happened\n"]
    parts += [f"* Night {night}: {what}" for night, what in team.happened]
    parts += ["\n## Who received how much\n", *_people(team), "\n## By occasion\n", *_occasions(team)]
    parts += ["\n## Tickets\n", *_tickets(team), "\n## Night by night\n", _NIGHTS, *_story(team)]
    return "\n".join(parts).rstrip("\n") + "\n"


_NIGHTS: Final = """What the chat, Cy and Dee were told, without the summaries, and why. The day after a night counts with it.

| night | to | what | reason |
|---|---|---|---|"""


def _people(team: Team) -> list[str]:
    """Beside each other: a message on every failure, one for each red pipeline, and what was sent."""
    failures = Counter(one.owner for one in team.failures)
    chat = team.sent("chat")
    nights = {one.thread for one in chat if one.occasion == "summary"}
    told = [one for one in chat if one.occasion != "summary"]
    red = team.red["nightly"] + team.red["pipeline"]
    rows = [
        ("the chat", len(team.failures), red, f"{len(told)}, and {len(nights)} summaries"),
        *((f"{name.title()}, by name", failures[name], "", str(_named(told, name))) for name in ("ann", "bo")),
        ("Cy, by mail", team.red["gate"], team.red["gate"], str(len(team.sent("cy")))),
        ("Dee, by mail", "", "", str(len(team.sent("dee")))),
        ("the tracker", len(team.failures), red, f"{sum(map(len, team.tickets.values()))} tickets"),
    ]
    head = ["| who | on every failure | on every red pipeline or closed gate | here |", "|---|---|---|---|"]
    return [*head, *(f"| {who} | {every} | {pipeline} | {here} |" for who, every, pipeline, here in rows)]


def _named(told: list[Action], name: str) -> int:
    return sum(name in one.message.mention for one in told)


def _occasions(team: Team) -> list[str]:
    channels = ("chat", "cy", "dee", "issues")
    tally = {channel: Counter(one.occasion for one in team.sent(channel)) for channel in channels}
    names = sorted({name for one in tally.values() for name in one})
    head = [f"| occasion | {' | '.join(channels)} |", "|---|" + "---|" * len(channels)]
    return [*head, *(f"| {name} | {' | '.join(str(tally[channel][name] or '') for channel in channels)} |" for name in names)]


def _tickets(team: Team) -> list[str]:
    tally = Counter(did for _, did, _ in team.steps)
    standing = [one for shown in team.tickets.values() for one in shown if one.open]
    causes = len(team.tickets)
    head = ", ".join(f"{did} {count}" for did, count in sorted(tally.items()))
    return [f"{causes} causes. Steps: {head}. After {NIGHTS} nights {len(standing)} tickets are open.\n", *_steps(team)]


def _steps(team: Team) -> list[str]:
    rows = [f"| {night} | {did} | {title} |" for night, did, title in team.steps]
    return ["| night | step | ticket |", "|---|---|---|", *rows]


def _story(team: Team) -> list[str]:
    every = [one for one in team.told if one.state == "delivered" and one.action.channel != "issues"]
    told = [one for one in every if one.action.occasion != "summary"]
    told.sort(key=lambda one: (one.settled_at or 0, one.action.channel))
    return [
        f"| {night_number(one.settled_at or 0)} | {one.action.channel} | {one.action.message.title} | {one.action.reason} |"
        for one in told
    ]
