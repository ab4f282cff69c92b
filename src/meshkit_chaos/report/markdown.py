"""An invocation as ``summary.md``, for a CI's job page or a pull request's comment. Pure.

Takes an invocation's verdict and a budget of characters; gives Markdown with the most important first. What does not fit is
left out from the end and counted, never cut in the middle of a construct. Every text from a document is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import Finding, InvocationVerdict, Repetition, Verdict
from meshkit_chaos.report.decisive import decisive, reason
from meshkit_chaos.report.escape import clipped, markdown, markdown_code, one_line
from meshkit_chaos.report.wording import (
    ENVIRONMENT,
    MEANING,
    OUTCOME,
    SYMBOL,
    URGENCY,
    WORD,
    counts,
    exit_meaning,
    interval,
    judged,
    limit,
    repro,
)

_CELL: Final = 240
_SENTENCE: Final = 600
_NOTE: Final = 200  # kept free for the line that says what was left out
SMALLEST_BUDGET: Final = 4_000


def summary(
    invocation: InvocationVerdict,
    *,
    file: str = "chaos-scenarios.yaml",
    recover: str = "meshkit-chaos recover",
    budget: int = 60_000,
) -> str:
    """Write the document, at most ``budget`` characters long. Raises ValueError below ``SMALLEST_BUDGET``."""
    if budget < SMALLEST_BUDGET:
        raise ValueError(f"a budget of {budget} characters is too small for a summary; expected {SMALLEST_BUDGET} or more")
    head = "\n".join(_head(invocation, recover=recover))
    ordered = sorted(invocation.scenarios, key=lambda repetition: (URGENCY[repetition.verdict], not repetition.flaky))
    rows = [_row(repetition, _runs_of(invocation, repetition)) for repetition in ordered]
    sections = [text for repetition in ordered if (text := _details(repetition, invocation=invocation, file=file))]
    room = budget - len(head) - len(_TABLE_HEAD) - _NOTE
    table = _fit(rows, room=room, between=1)
    room -= sum(len(row) + 1 for row in table)
    body = _fit(sections, room=room, between=2) if len(table) == len(rows) else []
    note = _left_out(rows=len(rows) - len(table), sections=len(sections) - len(body))
    parts = [head, "\n".join((_TABLE_HEAD, *table)) if table else "", *body, note]
    return "\n\n".join(part for part in parts if part) + "\n"


def _runs_of(invocation: InvocationVerdict, repetition: Repetition) -> tuple[Verdict, ...]:
    return tuple(run for run in invocation.runs if run.scenario == repetition.scenario)


def _head(invocation: InvocationVerdict, *, recover: str) -> Iterable[str]:
    """The headline is the verdict; then what it means and what was tested."""
    yield f"## {SYMBOL[invocation.verdict]} {WORD[invocation.verdict]}: {_text(invocation.sentence, _SENTENCE)}"
    yield ""
    if invocation.environment == "dirty":
        yield f"> **Environment {ENVIRONMENT['dirty']}.**"
        yield f"> Run {markdown_code(recover)} before anything else; until then, the next run there refuses to start."
        yield ""
    tally = ", ".join(f"{number} {WORD[name].lower()}" for name, number in counts(r.verdict for r in invocation.scenarios))
    yield f"**{exit_meaning(invocation)}** · {counted(len(invocation.scenarios), 'scenario')}{f' ({tally})' if tally else ''}"
    yield f"· environment {markdown(ENVIRONMENT[invocation.environment])}"
    yield ""
    if invocation.what_if:
        yield "> **What-if.** Judged with other thresholds than the recorded ones; this opens no gate."
        yield ""
    if invocation.subject:
        pairs = (f"{markdown(key)} {markdown_code(value)}" for key, value in invocation.subject.items())
        yield _clipped_list("Tested: " + " · ".join(pairs))
    else:
        yield "Tested: the subject was not stated."


def _clipped_list(text: str) -> str:
    """Drop whole items from the end, so that no code span is left open."""
    items = text.split(" · ")
    while len(items) > 1 and len(" · ".join(items)) > 1_000:
        items.pop()
    kept = " · ".join(items)
    return kept if len(kept) <= 1_000 else "Tested: the subject is too long to show here."


_TABLE_HEAD: Final = "| scenario | verdict | time to converge | limit | reason |\n|---|---|---|---|---|"


def _row(repetition: Repetition, runs: tuple[Verdict, ...]) -> str:
    chosen = decisive(repetition, runs)
    flaky = ", flaky" if repetition.flaky else ""
    cells = (
        f"**{_text(repetition.title)}** {markdown_code(clipped(one_line(repetition.scenario), 80))}",
        f"{SYMBOL[repetition.verdict]} {WORD[repetition.verdict].lower()}{flaky}",
        (interval(chosen.measured) + (f" (worst of {chosen.of})" if chosen.of > 1 else "")) if chosen else "not measured",
        limit(chosen.measured) if chosen else "–",
        _text(reason(repetition, runs)),
    )
    return "| " + " | ".join(cells) + " |"


def _text(text: str, width: int = _CELL) -> str:
    return markdown(clipped(one_line(text), width))


def _details(repetition: Repetition, *, invocation: InvocationVerdict, file: str) -> str:
    """What a reader needs to act: only for what did not pass, or passed with failures in it."""
    if repetition.verdict == "pass" and not repetition.flaky:
        return ""
    name = markdown_code(clipped(one_line(repetition.scenario), 80))
    runs = _runs_of(invocation, repetition)
    lines = [f"### {SYMBOL[repetition.verdict]} {_text(repetition.title)} {name}"]
    lines += ["", f"{WORD[repetition.verdict]}: {MEANING[repetition.verdict]}. {_text(reason(repetition, runs), _SENTENCE)}"]
    if repetition.flaky:
        lines += ["", "**Flaky:** it passed by the repeat plan, and some of its runs did not. All runs are kept."]
    if repetition.owner:
        lines += ["", f"Owner {_text(repetition.owner)}, severity {_text(repetition.severity)}."]
    missing = set(repetition.runs) - {run.run for run in runs}
    if missing:
        lines += ["", f"**{counted(len(missing), 'announced run')} without a result.**"]
    elif not runs:
        lines += ["", "**No run has a result.**"]
    for run in runs:
        lines += ["", *_run_lines(run, file=file)]
    return "\n".join(lines)


def _run_lines(run: Verdict, *, file: str) -> Iterable[str]:
    """One run: the findings that are not a pass, each with its hint, and how to run the same again."""
    yield (
        f"Run {markdown_code(run.run)}: **{WORD[run.verdict].lower()}**, {OUTCOME[run.outcome]}, "
        f"environment {run.environment}, {markdown_code(clipped(repro(file, run), 400))}"
    )
    yield ""
    findings = judged(run)
    for finding in findings:
        if finding.verdict != "pass":
            yield _finding_line(finding)
    passed = sum(finding.verdict == "pass" for finding in findings)
    if passed:
        yield f"- {SYMBOL['pass']} {counted(passed, 'other finding')} passed"
    if not findings:
        yield "- no finding at all: there is nothing to judge by"


def _finding_line(finding: Finding) -> str:
    hint = f" *{_text(finding.hint, _SENTENCE)}*" if finding.hint else ""
    evidence = f" (journal entries {', '.join(map(str, finding.evidence[:12]))})" if finding.evidence else ""
    name = f"{finding.about} {markdown_code(clipped(one_line(finding.id), 80))}"
    return f"- {SYMBOL[finding.verdict]} {name}: {_text(finding.sentence, _SENTENCE)}{hint}{evidence}"


def _fit(pieces: list[str], *, room: int, between: int) -> list[str]:
    """The first pieces that fit whole."""
    kept: list[str] = []
    for piece in pieces:
        room -= len(piece) + between
        if room < 0:
            break
        kept.append(piece)
    return kept


def _left_out(*, rows: int, sections: int) -> str:
    parts = [f"{counted(rows, 'scenario')} of the table"] if rows else []
    parts += [f"the details of {counted(sections, 'scenario')}"] if sections else []
    if not parts:
        return ""
    return f"*Left out for length, least urgent first: {' and '.join(parts)}. All of it is in report.html and verdict.json.*"
