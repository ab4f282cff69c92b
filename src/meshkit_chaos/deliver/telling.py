"""The pieces that messages are made of: facts, links, trends, the command that shows the same again. Pure.

Everything that comes from scenarios, targets or people is made one visible line here. No markup is: channels escape.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from meshkit_chaos.clock import minute
from meshkit_chaos.deliver.cause import Cause
from meshkit_chaos.deliver.course import Since
from meshkit_chaos.deliver.message import Fact, Link, Tone, Trend
from meshkit_chaos.deliver.settings import Links
from meshkit_chaos.history.model import PastObjective, PastRun, PastScenario
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.escape import clipped, one_line

TREND: Final = 14
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
TONES: Final[dict[VerdictName, Tone]] = {
    "pass": "good",
    "fail": "bad",
    "inconclusive": "unsure",
    "invalid": "unsure",
    "not-run": "unsure",
}


def line(text: str, width: int = 300) -> str:
    return clipped(one_line(text), width)


def facts(pairs: Iterable[tuple[str, str]]) -> tuple[Fact, ...]:
    """Facts by label; what has no value is left out."""
    return tuple(Fact(label=label, value=line(value, 200)) for label, value in pairs if value)


def commit_of(result: PastScenario | None) -> str:
    return result.subject.get("commit", "") if result is not None else ""


def short(commit: str) -> str:
    """A commit as people write it; anything else as it is."""
    return commit[:10] if re.fullmatch(r"[0-9a-f]{12,64}", commit) else commit


def seen(result: PastScenario | None) -> str:
    """An instant and what was tested then."""
    if result is None:
        return ""
    commit = short(commit_of(result))
    return minute(result.at) + (f", {commit}" if commit else "")


def last_good(found: Since) -> str:
    """When it was last good, or that nobody knows."""
    return seen(found.last_good) or f"none in the last {counted(found.looked, 'result')}"


def filled(template: str, **fields: str) -> str:
    """An address with its fields filled in and encoded; empty where it needs one that is not known."""
    wanted = re.findall(r"\{([a-z]+)\}", template)
    if not template or not all(fields.get(name) for name in wanted):
        return ""
    return re.sub(r"\{([a-z]+)\}", lambda found: _encoded(fields[found[1]]), template)


def _encoded(text: str) -> str:
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))


def links(of: Links, *, result: PastScenario, found: Since | None = None) -> tuple[Link, ...]:
    """The report, what changed, all runs: what of it the routes file has an address for."""
    first = commit_of(found.last_good) if found else ""
    last = commit_of(found.first_bad) if found else ""
    run = result.runs[-1].run if result.runs else ""
    every = (
        ("report", filled(of.invocation, invocation=result.invocation, run=run, commit=commit_of(result))),
        ("what changed", filled(of.compare, first=first, last=last) if first != last else ""),
        ("all runs", of.dashboard),
    )
    return tuple(Link(text=text, url=url) for text, url in every if url)


def telling_run(result: PastScenario, cause: Cause) -> PastRun | None:
    """The run that shows a cause best: the last one that failed its objective, or the last one that is no pass."""
    failed = [
        run for run in result.runs if any(one.name == cause.objective and one.verdict == "fail" for one in run.objectives)
    ]
    others = [run for run in result.runs if run.verdict != "pass"]
    return next((runs[-1] for runs in (failed, others) if runs), None)


def objective(run: PastRun | None, cause: Cause) -> PastObjective | None:
    return next((one for one in run.objectives if one.name == cause.objective), None) if run is not None else None


def why(result: PastScenario, cause: Cause) -> str:
    """What was seen, in the judge's own sentence."""
    found = objective(telling_run(result, cause), cause)
    return line(found.sentence if found is not None and found.sentence else result.sentence)


def command(result: PastScenario, cause: Cause) -> str:
    """How to see it oneself: the same scenario with the same seed."""
    words = ["meshkit-chaos", "run", one_line(result.scenario)]
    run = telling_run(result, cause)
    return shlex.join([*words, "--seed", str(run.seed)] if run is not None else words)


def trend(results: Sequence[PastScenario], cause: Cause) -> Trend | None:
    """The times of an objective over the newest results, oldest first. A night that measured none, or no end, has no value."""
    newest = [_slowest(one, cause.objective) for one in results[:TREND]][::-1]
    values = tuple(one.hi / 10**9 if one is not None and one.hi is not None else None for one in newest)
    if not cause.objective or sum(value is not None for value in values) < 2:
        return None
    limit = next((one.limit for one in reversed(newest) if one is not None and one.limit is not None), None)
    return Trend(label=line(cause.objective, 80), values=values, limit=limit / 10**9 if limit is not None else None)


def _slowest(result: PastScenario, name: str) -> PastObjective | None:
    """The worst time of a result's runs: one without an end is worse than any with one."""
    timed = [one for run in result.runs for one in run.objectives if one.name == name and one.lo is not None]
    return max(timed, key=lambda one: (one.hi is None, one.hi or 0), default=None)


def owners(results: Iterable[PastScenario]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.owner for one in results if one.owner))
