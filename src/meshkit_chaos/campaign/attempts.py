"""Runs for a search: each an invocation of its own below one folder, and a log that says what each was made for.

Takes a campaign to make runs like, and an objective; answers whether one run of a scenario failed by that very objective, and
by nothing less: a run that is inconclusive, invalid or not run did not. Every run is recorded as any other is, and can be
judged, reported and recovered from. A search that is taken up again is given the outcomes of before, in their order, without
new runs.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from meshkit_chaos.campaign.campaign import Campaign, run_campaign
from meshkit_chaos.campaign.lines import Lines
from meshkit_chaos.campaign.log import InvocationEnded, read_log
from meshkit_chaos.campaign.shrinking import Stopped
from meshkit_chaos.clock import Clock
from meshkit_chaos.errors import JournalDamaged, JournalUnwritable, UsageError
from meshkit_chaos.judge.repeats import objective_verdicts
from meshkit_chaos.judge.verdict import InvocationVerdict
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import convert, encode

LOG: Final = "shrink.jsonl"
TRIES: Final = "tries"
Purpose = Literal["search", "confirm"]


class SearchStarted(Struct, frozen=True, kw_only=True, tag_field="kind", tag="search.started"):
    """What is searched for. ``run``: the failed run. A search is taken up again only for all the same."""

    schema: int = 1
    run: str
    scenario: str
    objective: str
    seed: int
    environment: str
    error: float


class AttemptEnded(Struct, frozen=True, kw_only=True, tag_field="kind", tag="attempt.ended"):
    """``form``: the digest of the scenario that was run. ``folder`` is relative to the search's."""

    form: str
    purpose: Purpose
    folder: str
    verdict: str
    failed: bool


Line = SearchStarted | AttemptEnded


def read_search(folder: Path) -> tuple[SearchStarted, tuple[AttemptEnded, ...]]:
    """Read what is whole. Raises JournalDamaged where there is no beginning."""
    path = folder / LOG
    found: list[Line] = []
    for raw in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            found.append(convert(msgspec.json.decode(raw), Line))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            break
    if not found or not isinstance(found[0], SearchStarted):
        raise JournalDamaged(f"{folder} holds no search to take up again", hint="name the folder that was given as --out")
    return found[0], tuple(line for line in found if isinstance(line, AttemptEnded))


class Attempts:
    """``like``: the campaign that runs are made like; its ``out`` is the search's folder. ``most``: runs of the search at most.

    ``until``: the monotonic instant (ns) after which the search makes no further run.
    """

    def __init__(
        self, like: Campaign, started: SearchStarted, *, clock: Clock, most: int | None, budget: Duration | None, resume: bool
    ) -> None:
        self._like, self._objective, self._clock, self._most = like, started.objective, clock, most
        self._until = None if budget is None else clock.monotonic_ns() + budget.ns
        self._known: dict[tuple[str, str], deque[bool]] = {}
        self.made = 0
        self.failed = 0
        self.dirty = False
        self._number = self._recall(started) if resume else 0
        self._lines = Lines(like.out / LOG, resumed=resume)
        if not resume:
            self._lines.append(encode(started))

    def _recall(self, started: SearchStarted) -> int:
        """Take over the outcomes of before; how many tries there were. Raises UsageError for another search."""
        before, ended = read_search(self._like.out)
        if before != started:
            raise UsageError(
                f"{self._like.out} holds another search: of {before.scenario}, {before.objective}, seed {before.seed}",
                hint="name another folder with --out",
            )
        for line in ended:
            self._known.setdefault((line.form, line.purpose), deque()).append(line.failed)
        numbers = [int(path.name) for path in (self._like.out / TRIES).glob("*") if path.name.isdecimal()]
        return max(numbers, default=0)

    def search(self, scenario: Scenario) -> bool:
        return self._outcome(scenario, "search")

    def confirm(self, scenario: Scenario) -> bool:
        return self._outcome(scenario, "confirm")

    def close(self) -> None:
        self._lines.close()

    def _outcome(self, scenario: Scenario, purpose: Purpose) -> bool:
        form = hashlib.sha256(encode(scenario)).hexdigest()[:16]
        if known := self._known.get((form, purpose)):
            failed = known.popleft()
        else:
            if purpose == "search":
                self._refuse_over_budget()
            failed = self._run(scenario, form, purpose)
        self.made += 1
        self.failed += failed
        return failed

    def _refuse_over_budget(self) -> None:
        if self._most is not None and self.made >= self._most:
            raise Stopped(f"the budget of {self._most} runs is spent", over=False)
        if self._until is not None and self._clock.monotonic_ns() >= self._until:
            raise Stopped("the budget of time is spent", over=False)

    def _run(self, scenario: Scenario, form: str, purpose: Purpose) -> bool:
        self._number += 1
        relative = f"{TRIES}/{self._number:04d}"
        out = self._like.out / relative
        try:
            said = run_campaign(replace(self._like, out=out, scenarios=(scenario,), once=True), self._clock)
            failed = self._failed(said)
            line = AttemptEnded(form=form, purpose=purpose, folder=relative, verdict=said.verdict, failed=failed)
            self._lines.append(encode(line))
        except JournalUnwritable as error:
            raise Stopped(error.message, over=True) from error
        self.dirty = said.environment == "dirty"
        if reason := _ended_early(out):
            raise Stopped(reason, over=True)
        if not self.failed and said.runs[0].verdict == "not-run":
            raise Stopped(said.runs[0].findings[0].sentence, over=True)
        return failed

    def _failed(self, said: InvocationVerdict) -> bool:
        return bool(said.runs) and objective_verdicts(said.runs[0]).get(self._objective) == "fail"


def _ended_early(out: Path) -> str:
    last = read_log(out)[-1]
    return last.reason if isinstance(last, InvocationEnded) else "the invocation did not come to its end"
