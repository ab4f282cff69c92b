"""A small mesh's dashboard with everything in it that a browser can stumble over, as the parts of a server and as an export.

Fourteen nights, two of which did not run; passes, failures, what was not decided, not valid, not run or lost; flakes, a waiver,
tickets, binaries, a log of the gate; names that are markup, that are very long, and that are in other scripts. The newest
nights hold real evidence of runs in virtual time, and one run is in progress.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from gate_worlds import HOUR, NOW, SECOND, invocation, one_run, policy, result
from history_builder import JOURNAL, START, TWO, evidence_of, opened, variant, written
from log_builder import logged

from meshkit_chaos.clock import ManualClock, SystemClock
from meshkit_chaos.dashboard.following import Underway
from meshkit_chaos.dashboard.live import Watch
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import GateFiles, Settings, Sources
from meshkit_chaos.deliver.action import Action, Receipt, State, Told
from meshkit_chaos.deliver.cause import Cause
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.gate.log import NOTHING, LogEntry, sealed
from meshkit_chaos.gate.overrides import Accepted, Override, Overrides
from meshkit_chaos.history.index import History
from meshkit_chaos.history.logs import read_logs
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.history.unpacked import results_of
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.wording import URGENCY
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import encode

NIGHTS: Final = 14
MISSED: Final = frozenset({4, 5})
REAL: Final = 2
HOSTILE: Final = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"
LONG: Final = "ThisTitleIsOneWordAndGoesOnLikeThat" * 8
MARKED: Final = "hostile-title"
POLICY: Final = b"""version: 1
match: commit
requirements: [{id: all, scenarios: ["*"]}]
nightly: {cron: "0 2 * * *", grace: 1h}
"""
LOGS: Final = {
    "node-1/node-1.log": b"".join(b"2026-01-01T00:16:4%d.%03dZ WARN %b\n" % (n % 9, n, HOSTILE.encode()) for n in range(200)),
    "node-2/node-2.log": b"2026-01-01T00:16:43Z ERROR " + LONG.encode() + b"\n  at a\n" + b"no stamp\n" * 3,
    "node-3/node-3.log": b"no stamp at all\n" * 60,
}
"""What the members of the run in ``too-strict`` said."""
SCENARIOS: Final = 9
"""So many rows the grid has: those below, the two of the evidence, and one that was announced and never came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserWorld:
    """What the pages are made from; ``runs``: a folder with a run in progress."""

    sources: Sources
    held: History
    runs: Path

    def site(self, *, served: bool) -> Site:
        settings = msgspec.structs.replace(self.sources.settings, served=served)
        shown: dict[str, Any] = {"underway": self.underway} if served else {}
        parts = {name: getattr(self.sources, name) for name in ("reader", "clock", "evidence", "logs", "gate_files", "told")}
        return Site(Sources(settings=settings, **parts, **shown))

    def underway(self) -> tuple[Underway, ...]:
        return self.watch().look().runs

    def watch(self) -> Watch:
        return Watch(self.runs, SystemClock())

    @staticmethod
    def whole_journal() -> bytes:
        """What the run in progress will have written when it is done."""
        return evidence_of(TWO)[JOURNAL]

    def served(self) -> Any:
        """The same, as the parts of the server."""
        from meshkit_chaos.dashboard.api import Api  # noqa: PLC0415  # needs what dashboard_server looks for
        from meshkit_chaos.dashboard.downloads import download  # noqa: PLC0415  # as above
        from meshkit_chaos.dashboard.feeds import Feeds  # noqa: PLC0415  # as above
        from meshkit_chaos.dashboard.serve import Served  # noqa: PLC0415  # as above

        feeds = Feeds(self.sources)
        return Served(
            site=self.site(served=True),
            feeds=feeds,
            api=Api(self.sources.reader, feeds, self.sources.evidence),
            download=lambda path: download(self.held.database, self.held.store, path),
            watch=self.watch,
        )


@contextmanager
def browser_world(folder: Path) -> Iterator[BrowserWorld]:
    """All of it, below a folder."""
    with opened(folder / "history") as held:
        results = [one for number in range(NIGHTS) if number not in MISSED for one in _night(number, held, folder)]
        grouped: dict[str, list[PastScenario]] = {}
        for one in results:
            grouped.setdefault(one.invocation, []).append(one)
        told = [_told(ones) for ones in grouped.values()]
        held.database.only_read()
        people = Overrides(entries=(_accepted(),), source="chaos-overrides.yaml", commit="9999999", protected=True)
        sources = Sources(
            reader=MemoryHistory(told, results),
            settings=Settings(
                project=f"mesh {HOSTILE}", policy=policy(POLICY), compare="https://forge.example/{last}...{first}"
            ),
            clock=ManualClock(wall_ns=NOW),
            evidence=lambda name: results_of(held.database, held.store, name),
            logs=lambda name: read_logs(held.database, held.store, name),
            gate_files=GateFiles(overrides=lambda: people, log=_log),
            told=lambda count: _deliveries()[:count],
        )
        yield BrowserWorld(sources=sources, held=held, runs=_in_progress(folder / "runs"))


def _told(results: list[PastScenario]) -> PastInvocation:
    worst = min((one.verdict for one in results), key=URGENCY.__getitem__)
    return msgspec.structs.replace(invocation(results, "never-came"), verdict=worst)


def _subject(number: int) -> dict[str, str]:
    version = "2.0.0-a-release-candidate-with-a-very-long-name" if number < NIGHTS // 2 else "1.9.0"
    return {"version": version, "commit": f"{number:040x}", "branch": "main"}


def _night(number: int, held: History, folder: Path) -> Iterator[PastScenario]:
    """Everything that one night left; the newest ones are real runs in part."""
    at = NOW - (24 * number + 6) * HOUR
    name = f"NIGHT{number:02}"
    if number < REAL:
        evidence = variant(evidence_of(TWO), (at - START) // SECOND)
        evidence = {file: data.replace(b"A killed leader", b"<b>A killed leader") for file, data in evidence.items()}
        held.add(logged(folder / f"out{number}", LOGS, evidence, run="runs/too-strict/001"))
        (newest,) = held.invocations(since=at - HOUR, before=at + HOUR)
        name = newest.invocation
        for real in (one for one in held.results(_everything()) if one.invocation == name):
            yield msgspec.structs.replace(real, subject=_subject(number), modules=("leadership",), owner="control-plane")
    size = 10_000_000 + 250_000 * (NIGHTS - number)
    binary = BinaryFacts(path="p", name="node", digest=f"{number // 4:064x}", size=size, format="elf", binary_class="native")
    for scenario, verdict in _verdicts(number).items():
        flaky = scenario == "now-and-then" and verdict == "pass" and number % 2 == 1
        runs = tuple(
            one_run(each, count, prefix=f"{name}{scenario.replace('-', '')}", executables=(binary,), faults=("kill",))
            for count, each in enumerate(("fail", "pass") if flaky else (verdict,), start=1)
        )  # fmt: skip
        titles = {MARKED: HOSTILE, "long-name": LONG, "other-script": "リーダーが再選出される · القائد يُستبدل"}
        made = result(
            verdict, hours=24 * number + 6, scenario=scenario, invocation=name, subject=_subject(number), runs=runs,
            flaky=flaky, modules=("m" * 60,) if scenario == "long-name" else ("storage", HOSTILE), tags=("nightly",),
            owner="an-owner-with-a-very-long-name@example.org" if scenario == "long-name" else HOSTILE,
        )  # fmt: skip
        yield msgspec.structs.replace(made, title=titles.get(scenario, made.title), at=at)


def _everything() -> Any:
    from meshkit_chaos.history.model import Ask  # noqa: PLC0415  # only here

    return Ask(invalidated=True)


def _verdicts(number: int) -> dict[str, VerdictName]:
    return {
        MARKED: "fail" if number < 3 else "pass",
        "long-name": "invalid" if number == 2 else "pass",
        "other-script": "inconclusive" if number in (0, 6) else "pass",
        "now-and-then": "fail" if number in (1, 8) else "pass",
        "accepted": "fail" if number < 2 else "pass",
        "not-started": "not-run" if number < 2 else "pass",
    }


def _accepted() -> Override:
    return Override(
        id="slower-for-now", subject={"commit": _subject(0)["commit"]}, scenario="accepted", objective="converge-one-leader",
        accept=Accepted(within=Duration.parse("9s")), reason=f"known, and being worked on {HOSTILE}", ticket="MESH-1",
        author="ann", approver="bob", created=NOW - 10 * HOUR, expires=NOW + 100 * HOUR,
    )  # fmt: skip


def _log() -> bytes:
    """Two decisions: one that was closed, and one that was open only because of the override."""
    told = (
        (1, False, [{"code": "failed", "scenario": "accepted"}], []),
        (0, True, [{"code": "waived", "scenario": "accepted"}], [{"id": "slower-for-now", "refusal": ""}]),
    )
    before, lines = NOTHING, b""
    for seq, (number, is_open, items, used) in enumerate(told):
        body = {"subject": _subject(number), "open": is_open, "items": items, "overrides": used, "sentence": HOSTILE}
        entry = sealed(LogEntry(seq=seq, at=NOW - (24 * number + 5) * HOUR, kind="decision", body=body, before=before))
        before, lines = entry.hash, lines + encode(entry) + b"\n"
    return lines


def _deliveries() -> tuple[Told, ...]:
    def one(number: int, state: State, title: str, *, error: str = "") -> Told:
        action = Action(
            key=f"k{number}", channel="tickets" if number % 2 else "chat", thread="t", occasion="first-failure", at=NOW - HOUR,
            message=Message(title=title, lead="l", tone="bad"), reason="it failed for the first time",
            causes=(Cause(kind="failed", scenario=MARKED),),
        )  # fmt: skip
        return Told(action=action, state=state, error=error, receipt=Receipt(did="opened", url="https://forge.example/1"))

    return (
        one(1, "delivered", HOSTILE),
        one(2, "dead", LONG, error=f"the server said {LONG}"),
        one(3, "ambiguous", "Two answers"),
    )


def _in_progress(folder: Path) -> Path:
    """A journal without its end."""
    out = written(evidence_of(TWO), folder / "now")
    journal = out / "runs/leader-killed/001/journal.jsonl"
    whole = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(
        b"".join(whole[: len(whole) // 2]).replace(b'"title":"', b'"title":' + json.dumps(HOSTILE)[:-1].encode())
    )
    return folder
