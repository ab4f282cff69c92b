"""A user's pipeline file as jobs and steps that know where they stand.

Takes bytes of a GitHub workflow, a composite action or an Azure pipeline; gives a Definition. Refuses (with line and column)
what is not readable YAML or is none of the three. It reads shapes, not the whole schema: other tools check that. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from meshkit_chaos.errors import DocumentError, Problem
from meshkit_chaos.pipelines.settings import Platform
from meshkit_chaos.scenario.yaml_positions import Node, compose

_SCRIPT_KEYS: Final[dict[Platform, tuple[str, ...]]] = {
    "github": ("run",),
    "azure": ("bash", "script", "pwsh", "powershell"),
}
_FINE_HERE: Final = {"MC007"}
"""Problems of our own documents that are none in a pipeline: a key without a value (``workflow_dispatch:``)."""
Kind = Literal["workflow", "action", "pipeline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``script``: the node of its script, where it has one. ``shell``: as said at the step or by a default; empty where not."""

    node: Node
    script: Node | None = None
    shell: str = ""

    def child(self, *parts: str) -> Node | None:
        return below(self.node, *parts)

    def text(self, *parts: str) -> str:
        return text_of(self.child(*parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """``condition``: the node of ``if`` or ``condition``. ``needs``: ids of jobs that come before."""

    id: str
    node: Node
    place: tuple[int, int]
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()
    condition: Node | None = None
    tolerant: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """``lines`` are the text's own, for places inside scripts."""

    path: str
    platform: Platform
    kind: Kind
    jobs: tuple[Job, ...]
    lines: tuple[str, ...] = field(repr=False)

    def steps(self) -> Iterator[Step]:
        return (step for job in self.jobs for step in job.steps)


def below(node: Node | None, *parts: str) -> Node | None:
    """The node below a path of keys."""
    for part in parts:
        node = node.child(part) if node is not None else None
    return node


def text_of(node: Node | None) -> str:
    """A scalar as the text it was meant as; empty where there is none."""
    if node is None or node.data is None or isinstance(node.data, dict | list):
        return ""
    return {True: "true", False: "false"}.get(node.data, str(node.data)) if isinstance(node.data, bool) else str(node.data)


def read_definition(data: bytes, *, path: str) -> Definition:
    """Raises DocumentError for what cannot be read or is no pipeline."""
    composed = compose(data, path=path)
    wrong = tuple(problem for problem in composed.problems if problem.rule not in _FINE_HERE)
    root = composed.root
    if root is None or any(not _repeats_expression(problem) for problem in wrong):
        raise DocumentError(wrong)
    lines = tuple(data.decode("utf-8").removeprefix("\ufeff").split("\n"))
    jobs = root.child("jobs")
    if isinstance(root.data, dict):
        if isinstance(jobs.data if jobs else None, dict):
            return Definition(path=path, platform="github", kind="workflow", jobs=tuple(_github_jobs(root)), lines=lines)
        if below(root, "runs", "steps") is not None:
            return Definition(path=path, platform="github", kind="action", jobs=(_action(root),), lines=lines)
        if any(root.child(key) is not None for key in ("stages", "jobs", "steps", "extends")):
            return Definition(path=path, platform="azure", kind="pipeline", jobs=tuple(_azure_jobs(root)), lines=lines)
    raise DocumentError(
        (
            Problem(
                path=path,
                line=root.line,
                column=root.column,
                rule="MP001",
                message="neither a GitHub workflow, a composite action nor an Azure pipeline",
                hint="expected `jobs:`, `runs:`, `stages:` or `steps:` at the top",
            ),
        )
    )


def _repeats_expression(problem: Problem) -> bool:
    """Azure lets the same ``${{ if … }}:`` stand several times in one mapping."""
    return problem.rule == "MC002" and "'${{" in problem.message


def _list(node: Node | None) -> tuple[Node, ...]:
    return tuple(node.children) if node is not None and isinstance(node.children, list) else ()


def _names(node: Node | None) -> tuple[str, ...]:
    """``needs: a`` and ``needs: [a, b]`` alike."""
    return tuple(text_of(item) for item in _list(node)) or ((text_of(node),) if text_of(node) else ())


def _github_jobs(root: Node) -> Iterator[Job]:
    jobs = root.child("jobs")
    assert jobs is not None
    assert isinstance(jobs.children, dict)
    for name, node in jobs.children.items():
        shell = text_of(below(node, "defaults", "run", "shell")) or text_of(below(root, "defaults", "run", "shell"))
        yield Job(
            id=name,
            node=node,
            place=(jobs.keys or {}).get(name, (node.line, node.column)),
            steps=tuple(_github_step(step, shell) for step in _list(node.child("steps"))),
            needs=_names(node.child("needs")),
            condition=node.child("if"),
            tolerant=node.child("continue-on-error"),
        )


def _github_step(node: Node, shell: str) -> Step:
    return Step(node=node, script=_script(node, "github"), shell=text_of(node.child("shell")) or shell)


def _action(root: Node) -> Job:
    steps = below(root, "runs", "steps")
    return Job(
        id="runs", node=root, place=(root.line, root.column), steps=tuple(_github_step(step, "") for step in _list(steps))
    )


def _script(node: Node, platform: Platform) -> Node | None:
    for key in _SCRIPT_KEYS[platform]:
        if (found := node.child(key)) is not None:
            return found
    return below(node, "with" if platform == "github" else "inputs", "script")


def _azure_jobs(root: Node) -> Iterator[Job]:
    """Every job of every stage; the steps of a template or of a pipeline without jobs are one job."""
    for stage in _unwrapped(root.child("stages")):
        yield from _azure_jobs(stage)
    for node in _unwrapped(root.child("jobs")):
        name = text_of(node.child("job")) or text_of(node.child("deployment")) or text_of(node.child("template"))
        yield Job(
            id=name,
            node=node,
            place=(node.line, node.column),
            steps=tuple(_azure_steps(node)),
            needs=_azure_needs(node),
            condition=node.child("condition"),
            tolerant=node.child("continueOnError"),
        )
    if root.child("steps") is not None:
        yield Job(id="", node=root, place=(root.line, root.column), steps=tuple(_azure_steps(root)))


def _azure_needs(job: Node) -> tuple[str, ...]:
    """Those below ``${{ if … }}:``, too: they count for whom the condition holds."""
    keys = job.children if isinstance(job.children, dict) else {}
    places = [job, *(job.child(key) for key in keys if key.startswith("${{"))]
    return tuple(name for place in places for name in _names(below(place, "dependsOn")))


_LIFE_CYCLE: Final = ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic")


def _azure_steps(job: Node) -> Iterator[Step]:
    places = [job.child("steps")]
    strategy: Any = below(job, "strategy", "runOnce")
    places += [below(strategy, phase, "steps") for phase in _LIFE_CYCLE]
    places += [below(strategy, "on", end, "steps") for end in ("failure", "success")]
    for place in places:
        for node in _unwrapped(place):
            yield Step(node=node, script=_script(node, "azure"), shell="bash" if node.child("bash") is not None else "")


def _unwrapped(node: Node | None) -> Iterator[Node]:
    """The items of a list, also those below ``${{ if … }}:`` and ``${{ each … }}:``. An item with keys of its own beside such
    an expression is an item.
    """
    for item in _list(node):
        keys = tuple(item.children) if isinstance(item.children, dict) else ()
        if not keys or not all(key.startswith("${{") for key in keys):
            yield item
            continue
        for key in keys:
            yield from _unwrapped(item.child(key))
