"""What makes a user's pipeline look green, found in its definition.

Takes a Definition; gives a Problem for each place, with line, column, the rule's name and what to write instead. It sees what
stands in the file: a script that hides ``meshkit-chaos`` in a Makefile is not seen through. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from meshkit_chaos.errors import Problem
from meshkit_chaos.pipelines.definition import Definition, Job, Step, below, text_of
from meshkit_chaos.pipelines.rules import RULES
from meshkit_chaos.pipelines.scripts import Call, calls, swallowed
from meshkit_chaos.scenario.yaml_positions import Node

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|sha256:[0-9a-f]{64}")
_ALWAYS: Final = re.compile(r"\balways\(\)")
_EVEN_AFTER_FAILURE: Final = re.compile(r"\balways\(\)|!\s*cancelled\(\)|\bsucceededOrFailed\(\)")
_INJECTED: Final[dict[str, re.Pattern[str]]] = {
    "github": re.compile(
        r"\$\{\{(?:(?!\}\}).)*?\b(?:inputs|github\.event|github\.head_ref|github\.ref_name|matrix|vars|steps|needs)\b.*?\}\}"
    ),
    "azure": re.compile(
        r"\$\{\{\s*parameters\..*?\}\}|\$\((?:Build\.SourceBranch(?:Name)?|Build\.SourceVersionMessage|Build\.RequestedFor\w*"
        r"|System\.PullRequest\.\w+)\)",
        re.IGNORECASE,
    ),
}
_GATE_FILE: Final = re.compile(r"chaos-release-gate\.ya?ml")
_TELL_FILE: Final = re.compile(r"chaos-tell\.ya?ml")
_INSTALL: Final = re.compile(r"\binstall\b")
_EXPORT: Final = "dashboard export"
_DEPLOYS: Final = "actions/deploy-pages@"
_KEEPERS: Final = ("actions/upload-artifact", "PublishPipelineArtifact", "PublishBuildArtifacts", "PublishTestResults")


def runs_chaos(definition: Definition) -> bool:
    """Whether anything in the file calls ``meshkit-chaos`` in sight."""
    return any(_calls(step) for step in definition.steps()) or any(_is_gate(job) for job in definition.jobs)


def false_greens(definition: Definition) -> tuple[Problem, ...]:
    """Every place that lets a failure look green, or lets somebody else in; in the order of the file."""
    found = [
        *_tolerated(definition),
        *_missing_results(definition),
        *_skipped_gates(definition),
        *_ignored_gates(definition),
        *_not_always(definition),
        *_not_told(definition),
        *_not_shown(definition),
        *_unpinned(definition),
        *_injections(definition),
    ]
    return tuple(sorted(set(found), key=lambda problem: (problem.line, problem.column, problem.rule)))


def _calls(step: Step) -> tuple[Call, ...]:
    return tuple(calls(text_of(step.script)))


def _judges(step: Step) -> bool:
    return any(call.judges for call in _calls(step))


def _does(job: Job, *commands: str) -> bool:
    return any(call.does(*commands) for step in job.steps for call in _calls(step))


def _is_gate(job: Job) -> bool:
    """It checks the gate itself, or calls the shipped one."""
    return _does(job, "gate check") or _GATE_FILE.search(_called(job)) is not None


def _called(job: Job) -> str:
    return text_of(job.node.child("uses")) or text_of(job.node.child("template"))


def _problem(definition: Definition, place: tuple[int, int], rule: str, message: str, hint: str) -> Problem:
    line, column = place
    known = RULES[rule]
    return Problem(path=definition.path, line=line, column=column, rule=f"{known.id} {known.name}", message=message, hint=hint)


def _place(node: Node) -> tuple[int, int]:
    return node.line, node.column


def _inside(definition: Definition, script: Node, text: str) -> tuple[int, int]:
    """Where a piece of a script stands in the file; the script's own place where folding has moved it."""
    for number in range(script.line - 1, len(definition.lines)):
        column = definition.lines[number].find(text)
        if column >= 0:
            return number + 1, column + 1
    return _place(script)


def _tolerated(definition: Definition) -> Iterator[Problem]:
    key = "continueOnError" if definition.platform == "azure" else "continue-on-error"
    for job in definition.jobs:
        judging = [step for step in job.steps if _judges(step)]
        tolerant = job.tolerant is not None and text_of(job.tolerant) != "false" and not _only_shows(job)
        if (judging or _is_gate(job)) and job.tolerant is not None and tolerant:
            yield _problem(definition, _place(job.tolerant), "failure-tolerated", f"`{key}` on a job that judges", "remove it")
        for step in judging:
            flag = step.child(key)
            if flag is not None and text_of(flag) != "false":
                yield _problem(definition, _place(flag), "failure-tolerated", f"`{key}` on a step that judges", "remove it")
            yield from _swallowed(definition, step)


def _swallowed(definition: Definition, step: Step) -> Iterator[Problem]:
    assert step.script is not None
    shell = step.shell.split(" ")[0]
    if shell not in ("", "bash", "sh"):
        return
    github = definition.platform == "github"
    custom = "{0}" in step.shell
    errexit = github and (not custom or re.search(r"\s-\w*e", step.shell) is not None)
    pipefail = github and (step.shell == "bash" or "pipefail" in step.shell)
    for found in swallowed(text_of(step.script), errexit=errexit, pipefail=pipefail):
        written = found.call.line.text[found.call.start :].split("  ")[0].rstrip()
        place = _inside(definition, step.script, f"meshkit-chaos {found.call.words}".rstrip() if found.call.words else written)
        yield _problem(
            definition, place, "failure-tolerated", f"`meshkit-chaos {found.call.words}`: {found.how}", found.instead
        )


def _missing_results(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps():
        uses, task = step.text("uses"), step.text("task")
        if uses.startswith("actions/upload-artifact@") and step.text("with", "if-no-files-found") != "error":
            yield _problem(
                definition,
                _place(step.child("with", "if-no-files-found") or step.node),
                "missing-results-tolerated",
                "an upload without files is only a warning",
                "with: if-no-files-found: error",
            )
        if task.startswith("PublishTestResults@"):
            for name in ("failTaskOnMissingResultsFile", "failTaskOnFailedTests"):
                if step.text("inputs", name).lower() != "true":
                    yield _problem(
                        definition,
                        _place(step.child("inputs", name) or step.node),
                        "missing-results-tolerated",
                        f"publishing test results without `{name}: true` stays green",
                        f"inputs: {name}: true",
                    )


def _skipped_gates(definition: Definition) -> Iterator[Problem]:
    word = "condition" if definition.platform == "azure" else "if"
    for job in definition.jobs:
        if not _is_gate(job):
            continue
        if job.condition is not None and not _even_after_failure(job.condition):
            yield _problem(
                definition, _place(job.condition), "gate-skipped", f"`{word}` can skip the gate", f"{word}: always()"
            )
        elif job.condition is None and job.needs:
            yield _problem(
                definition,
                job.place,
                "gate-skipped",
                f"the gate needs {', '.join(job.needs)}: it is skipped when one of them fails",
                f"{word}: always()",
            )
        for step in job.steps:
            condition = step.child(word)
            if (
                condition is not None
                and any(call.does("gate check") for call in _calls(step))
                and not _ALWAYS.search(text_of(condition))
            ):
                yield _problem(definition, _place(condition), "gate-skipped", f"`{word}` can skip the gate's step", "remove it")


def _even_after_failure(condition: Node) -> bool:
    """``always()`` alone: together with anything else, the rest decides."""
    text = text_of(condition).removeprefix("${{").removesuffix("}}").strip()
    return _EVEN_AFTER_FAILURE.fullmatch(text) is not None


def _ignored_gates(definition: Definition) -> Iterator[Problem]:
    gates = {job.id for job in definition.jobs if _is_gate(job)}
    for job in definition.jobs:
        asked = gates & set(job.needs)
        if not asked or job.condition is None or _is_gate(job) or _only_tells(job) or _only_shows(job):
            continue
        text = text_of(job.condition)
        if not _EVEN_AFTER_FAILURE.search(text) and "failure()" not in text:
            continue
        if not all(re.search(rf"\b(?:needs|dependencies)\.{re.escape(gate)}\.result\b", text) for gate in asked):
            yield _problem(
                definition,
                _place(job.condition),
                "gate-ignored",
                f"{job.id} runs whatever {', '.join(sorted(asked))} said",
                f"leave the condition out, or ask for needs.{min(asked)}.result == 'success'",
            )


def _only_tells(job: Job) -> bool:
    """Whether it tells what the gate said, and nothing in it could be a release: behind installing, every script is ours."""
    return _tells(job) and _all_ours(job)


def _only_shows(job: Job) -> bool:
    """Whether it writes the dashboard, and nothing in it judges or could be a release."""
    judging = [call for step in job.steps for call in _calls(step) if call.judges and not call.does("history pull")]
    return _does(job, _EXPORT) and _all_ours(job) and not judging


def _all_ours(job: Job) -> bool:
    scripts = [step for step in job.steps if step.script is not None]
    return all(_calls(step) or _installs(step) for step in scripts)


def _tells(job: Job) -> bool:
    return _does(job, "notify send") or _TELL_FILE.search(_called(job)) is not None


def _installs(step: Step) -> bool:
    return "Install" in (step.text("name"), step.text("displayName")) or _INSTALL.search(text_of(step.script)) is not None


def _not_always(definition: Definition) -> Iterator[Problem]:
    word = "condition" if definition.platform == "azure" else "if"
    for job in definition.jobs:
        running = [step for step in job.steps if any(call.does("run") for call in _calls(step))]
        if not running:
            continue
        later = job.steps[job.steps.index(running[0]) + 1 :]
        if not any(call.does("recover") for step in later for call in _calls(step)):
            yield _problem(
                definition,
                _place(running[0].node),
                "not-always",
                "no step behind the run undoes what a killed run left behind",
                f"a step with `{word}: always()` that runs `meshkit-chaos recover OUT`",
            )
        for step in later:
            if _keeps(step) and not _ALWAYS.search(step.text(word)):
                what = "undoing" if any(call.does("recover") for call in _calls(step)) else "keeping or publishing results"
                yield _problem(
                    definition,
                    _place(step.child(word) or step.node),
                    "not-always",
                    f"{what} is skipped after a failure or a cancellation",
                    f"{word}: always()",
                )


def _not_told(definition: Definition) -> Iterator[Problem]:
    """Jobs that tell, and are skipped when what they would tell of failed. A condition that also asks for something else than
    success is the author's choice: of what is not kept, nobody need be told.
    """
    word = "condition" if definition.platform == "azure" else "if"
    for job in definition.jobs:
        if not _tells(job) or text_of(job.node.child("template")):
            continue  # Azure's template has its own condition
        hint = f"{word}: always()"
        if job.condition is None and job.needs:
            told = f"nobody is told when {', '.join(job.needs)} failed"
            yield _problem(definition, job.place, "not-told", told, hint)
        elif job.condition is not None and not _EVEN_AFTER_FAILURE.search(text_of(job.condition)):
            told = f"`{word}` lets nobody be told after a failure"
            yield _problem(definition, _place(job.condition), "not-told", told, hint)
        yield from _told_behind_a_failure(definition, job, word)


def _told_behind_a_failure(definition: Definition, job: Job, word: str) -> Iterator[Problem]:
    """A step that tells, in the job of what it tells: steps after a failed one are skipped as well."""
    judged = False
    for step in job.steps:
        every = _calls(step)
        if judged and any(call.does("notify send") for call in every) and not _ALWAYS.search(step.text(word)):
            told = "nobody is told when a step before it failed"
            yield _problem(definition, _place(step.child(word) or step.node), "not-told", told, f"{word}: always()")
        judged = judged or any(call.does("run", "gate check", "history import", "pipelines publish") for call in every)


def _not_shown(definition: Definition) -> Iterator[Problem]:
    """Jobs that write or deploy the dashboard, and are skipped when what it would show failed."""
    word = "condition" if definition.platform == "azure" else "if"
    exporting = {job.id for job in definition.jobs if _does(job, _EXPORT)}
    for job in definition.jobs:
        deploys = any(step.text("uses").startswith(_DEPLOYS) for step in job.steps) and exporting & set(job.needs)
        if not job.needs or not (job.id in exporting or deploys):
            continue
        place = job.place if job.condition is None else _place(job.condition)
        if job.condition is None or not _EVEN_AFTER_FAILURE.search(text_of(job.condition)):
            told = f"the dashboard stays as it was when {', '.join(job.needs)} failed"
            also = " && needs." + job.needs[0] + ".result == 'success'" if deploys else ""
            yield _problem(definition, place, "not-shown", told, f"{word}: always(){also}")


def _keeps(step: Step) -> bool:
    named = step.text("uses") or step.text("task")
    return (
        named.startswith(_KEEPERS)
        or step.child("publish") is not None
        or any(call.does("recover", "pipelines publish") for call in _calls(step))
    )


def _unpinned(definition: Definition) -> Iterator[Problem]:
    if definition.platform != "github":
        return
    nodes: Iterable[Node | None] = [
        *(below(job.node, "uses") for job in definition.jobs),
        *(step.child("uses") for step in definition.steps()),
    ]
    for node in nodes:
        name, _, version = text_of(node).rpartition("@")
        if node is not None and text_of(node) and not text_of(node).startswith(("./", "$")) and not _COMMIT.fullmatch(version):
            yield _problem(
                definition,
                _place(node),
                "unpinned-action",
                f"{text_of(node)} is not pinned by commit",
                f"{name or text_of(node)}@ the 40 digits of a commit, with the version as a comment",
            )


def _injections(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps():
        if step.script is None:
            continue
        for found in _INJECTED[definition.platform].finditer(text_of(step.script)):
            yield _problem(
                definition,
                _inside(definition, step.script, found[0]),
                "script-injection",
                f"{found[0]} is pasted into a script",
                'give it to the step under `env:`, and write "$NAME" in the script',
            )
