"""A verdict in the words that a CI service acts on: annotations, within what the service keeps.

Takes an invocation's verdict; gives lines for standard output. Texts from documents and meshes are escaped, so that none can
be a command of its own. Refuses nothing. Pure.

GitHub shows 10 errors and 10 warnings a step and drops the rest without a word, so the most urgent come first and the last
one says how many are not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal

from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import InvocationVerdict, Repetition
from meshkit_chaos.pipelines.settings import Platform
from meshkit_chaos.report.escape import clipped, one_line
from meshkit_chaos.report.wording import URGENCY, WORD

MOST: Final = 10
SUMMARY_BYTES: Final = 1_000_000
"""GitHub drops a whole summary above 1 MiB."""
_LONGEST: Final = 1_000
Level = Literal["error", "warning"]


def announcements(invocation: InvocationVerdict, *, to: Platform) -> str:
    """Whole lines: an error for every scenario that did not pass, a warning for every flaky pass, a notice for nothing else.

    An invocation that passed without any says nothing. One that did not pass always says at least one error.
    """
    line = _LINES[to]
    return "".join(f"{line(level, text)}\n" for level, text in _said(invocation))


def _said(invocation: InvocationVerdict) -> Iterator[tuple[Level, str]]:
    wrong = sorted((item for item in invocation.scenarios if item.verdict != "pass"), key=lambda item: URGENCY[item.verdict])
    texts = [_told(item) for item in wrong]
    if invocation.environment == "dirty":
        texts.insert(0, "The environment was left dirty: something is still broken")
    if not texts and invocation.verdict != "pass":
        texts = [f"{WORD[invocation.verdict]}: {invocation.sentence}"]
    yield from (("error", text) for text in _within(texts))
    flaky = [
        f"{item.scenario} passed, but not every time" for item in invocation.scenarios if item.flaky and item.verdict == "pass"
    ]
    yield from (("warning", text) for text in _within(flaky))


def _told(item: Repetition) -> str:
    return f"{WORD[item.verdict]}: {item.scenario}: {item.sentence}"


def _within(texts: list[str]) -> list[str]:
    if len(texts) <= MOST:
        return texts
    return [*texts[: MOST - 1], f"and {counted(len(texts) - MOST + 1, 'more scenario')}: see the summary"]


def _github(level: Level, text: str) -> str:
    flat = clipped(one_line(text), _LONGEST)
    return f"::{level} title=meshkit-chaos::{flat.replace('%', '%25')}"


def _azure(level: Level, text: str) -> str:
    flat = clipped(one_line(text), _LONGEST)
    return f"##vso[task.logissue type={level}]{flat.replace('%', '%AZP25')}"


_LINES: Final[dict[Platform, Callable[[Level, str], str]]] = {"github": _github, "azure": _azure}


def summary_upload(path: str) -> str:
    """The line by which Azure shows a Markdown file on the run's page."""
    return f"##vso[task.uploadsummary]{path}\n"
