"""A channel in this process that does what a script says, in virtual time: for tests of the outbox.

``Service`` is the far side: what arrived there, when, and how late it shows it. ``ScriptedSender`` is our side. Its answers
are named: ``ok``, ``again``, ``again after`` (it asks for a minute), ``everybody`` (for the whole channel), ``lost`` and
``arrived`` (the connection broke before or after the service took it), ``refused``, ``bug before`` and ``bug after`` (an
exception), ``killed before`` and ``killed after`` (the process dies: nothing after it runs).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from meshkit_chaos.deliver.action import (
    Action,
    Again,
    CannotLook,
    Delivered,
    Found,
    Look,
    NotThere,
    Occasion,
    Outcome,
    Receipt,
    Refused,
    Told,
    Unsure,
)
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.deliver.sending import Rate, Rendered, WhenUnsure
from meshkit_chaos.slo import Duration

SECOND = 10**9
START = 1_767_225_600 * SECOND
MINUTE = Duration(60 * SECOND)
HALF_MINUTE = Duration(30 * SECOND)
ANSWERS = ("ok", "again", "again after", "everybody", "lost", "arrived", "refused", "bug before", "bug after")
ARRIVES = ("ok", "arrived", "bug after", "killed after")


class Killed(BaseException):
    """The process is gone: nobody catches this."""


@dataclass
class World:
    """The instant it is, as the database sees it."""

    now: int = START

    def wall(self, _: object = None) -> int:
        return self.now

    def pass_by(self, ns: int) -> None:
        self.now += ns


@dataclass
class Service:
    """``arrivals``: key and instant of what it took. ``requests``: instants of everything that it was asked. ``delay``: ns."""

    world: World
    delay: int = 0
    arrivals: list[tuple[str, int]] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def count(self, key: str) -> int:
        return sum(one == key for one, _ in self.arrivals)

    def shows(self, key: str) -> bool:
        return any(one == key and at + self.delay <= self.world.now for one, at in self.arrivals)


Script = Callable[[Action, int], str]


def always_ok(action: Action, attempt: int) -> str:
    del action, attempt
    return "ok"


class Scripted:
    """A script that answers in turn, then ``ok``."""

    def __init__(self, *answers: str) -> None:
        self.left = list(answers)

    def __call__(self, action: Action, attempt: int) -> str:
        del action, attempt
        return self.left.pop(0) if self.left else "ok"


@dataclass
class ScriptedSender:
    """Our side of a ``Service``."""

    service: Service
    script: Script = always_ok
    looks: Script = always_ok
    when_unsure: WhenUnsure = "look"
    lag: Duration = HALF_MINUTE
    rates: tuple[Rate, ...] = ()
    closed: bool = False
    threads: list[tuple[str, ...]] = field(default_factory=list)

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        del thread
        return Rendered(method="POST", target="service", body=action.message.title, size=len(action.message.title), budget=80)

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        self.threads.append(tuple(one.action.key for one in thread))
        self.service.requests.append(self.service.world.now)
        answer = self.script(action, len(self.threads))
        if answer in ARRIVES:
            self.service.arrivals.append((action.key, self.service.world.now))
        return _outcome(answer, action)

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        del thread
        self.service.requests.append(self.service.world.now)
        match self.looks(action, 0):
            case "ok":
                return Found(receipt=_receipt(action)) if self.service.shows(action.key) else NotThere()
            case "bug":
                raise ZeroDivisionError("by design")
            case "killed":
                raise Killed
            case answer:
                return CannotLook(why=answer, retry=answer != "never")

    def close(self) -> None:
        self.closed = True


def _receipt(action: Action) -> Receipt:
    return Receipt(did="sent", reference=f"ref-{action.key}")


def _outcome(answer: str, action: Action) -> Outcome:
    match answer:
        case "ok":
            return Delivered(receipt=_receipt(action))
        case "again" | "again after" | "everybody":
            after = None if answer == "again" else MINUTE
            return Again(why="503", after=after, everybody=answer == "everybody")
        case "lost" | "arrived":
            return Unsure(why="the connection broke")
        case "refused":
            return Refused(why="404", hint="name another channel")
        case "bug before" | "bug after":
            raise ZeroDivisionError("by design")
        case _:
            raise Killed


def action(
    key: str, *, channel: str = "chat", thread: str = "t", occasion: Occasion = "first-failure", replaces: tuple[str, ...] = (),
    not_before: int = 0, at: int = START,
) -> Action:  # fmt: skip
    message = Message(title=f"title of {key}", lead="lead", tone="bad")
    return Action(
        key=key, channel=channel, thread=thread, occasion=occasion, message=message, reason="a test", at=at,
        not_before=not_before, replaces=replaces,
    )  # fmt: skip
