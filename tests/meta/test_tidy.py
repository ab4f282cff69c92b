"""House rules as checks. Each says what the rule is for, and a failure names the place and what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

import pytest
from project_sources import AnyFunction, Source, checks, documents, shipped

LONGEST_FUNCTION = 70
LONGEST_MODULE = 400
LONG_FUNCTIONS: dict[str, int] = {}
"""``path::function`` → lines, for what is longer all the same. Numbers here only go down; nothing is added."""
LONG_MODULES: dict[str, int] = {}

VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "base", "core", "models", "misc"}
MOCKS = {"unittest.mock", "mock", "pytest_mock"}
CLOCKS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "gmtime", "localtime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
PURE_ROOMS = {"slo", "promql", "faults", "scenario", "plan", "judge", "report", "pipelines"}
PURE_MODULES = {
    "dashboard/accepted.py",
    "dashboard/alerts.py",
    "dashboard/audit.py",
    "dashboard/badges.py",
    "dashboard/binaries.py",
    "dashboard/branches.py",
    "dashboard/changes.py",
    "dashboard/comparison.py",
    "dashboard/coverage.py",
    "dashboard/deliveries.py",
    "dashboard/extended.py",
    "dashboard/found.py",
    "dashboard/gate.py",
    "dashboard/grafana.py",
    "dashboard/grid.py",
    "dashboard/happenings.py",
    "dashboard/invocation.py",
    "dashboard/latest.py",
    "dashboard/loglanes.py",
    "dashboard/loglines.py",
    "dashboard/metrics.py",
    "dashboard/nights.py",
    "dashboard/openapi.py",
    "dashboard/pages.py",
    "dashboard/pace.py",
    "dashboard/paths.py",
    "dashboard/quoting.py",
    "dashboard/readiness.py",
    "dashboard/releases.py",
    "dashboard/releases_compared.py",
    "dashboard/runlogs.py",
    "dashboard/scenario.py",
    "dashboard/search.py",
    "dashboard/sizes.py",
    "dashboard/stamps.py",
    "dashboard/standing.py",
    "dashboard/seeing.py",
    "dashboard/stretches.py",
    "dashboard/strips.py",
    "dashboard/suspects.py",
    "dashboard/trend.py",
    "dashboard/waivers.py",
    "dashboard/wording.py",
    "deliver/action.py",
    "deliver/adf.py",
    "deliver/budget.py",
    "deliver/cause.py",
    "deliver/course.py",
    "deliver/deciding.py",
    "deliver/deciding_causes.py",
    "deliver/deciding_gate.py",
    "deliver/deciding_nightly.py",
    "deliver/escaping.py",
    "deliver/explaining.py",
    "deliver/grammar.py",
    "deliver/lint.py",
    "deliver/load.py",
    "deliver/mail_text.py",
    "deliver/message.py",
    "deliver/routing.py",
    "deliver/schema.py",
    "deliver/settings.py",
    "deliver/signing.py",
    "deliver/slack_blocks.py",
    "deliver/sparkline.py",
    "deliver/storms.py",
    "deliver/teams_card.py",
    "deliver/telling.py",
    "deliver/telling_causes.py",
    "deliver/telling_gate.py",
    "deliver/telling_nights.py",
    "deliver/threads.py",
    "deliver/ticket_life.py",
    "deliver/ticket_markdown.py",
    "deliver/ticket_text.py",
    "campaign/reducing.py",
    "campaign/sequential.py",
    "campaign/shrinking.py",
    "gate/comparing.py",
    "gate/decide.py",
    "gate/decision.py",
    "gate/evidence.py",
    "gate/exact_tests.py",
    "gate/grammar.py",
    "gate/judging.py",
    "gate/load.py",
    "gate/overrides.py",
    "gate/planted_world.py",
    "gate/planting.py",
    "gate/policy.py",
    "gate/schedule.py",
    "gate/selecting.py",
    "gate/subject.py",
    "gate/waiving.py",
    "history/cells.py",
    "history/memory.py",
    "history/model.py",
    "journal/binaries.py",
    "journal/blocks.py",
    "journal/events.py",
    "journal/record.py",
    "journal/recorder.py",
    "journal/rows.py",
    "journal/samples.py",
    "measure/assembling.py",
    "measure/exposition.py",
    "measure/matrix.py",
    "measure/shelf.py",
    "measure/watch.py",
    "native/beside.py",
    "native/classify.py",
    "native/compare.py",
    "native/elf.py",
    "native/image.py",
    "native/macho.py",
    "native/marks.py",
    "native/pe.py",
    "native/results.py",
    "native/source.py",
    "network/addresses.py",
    "network/fabric.py",
    "network/messages.py",
    "network/netem_plan.py",
    "network/packets.py",
    "network/treatment.py",
    "run/deaths.py",
    "run/machine.py",
}
IMPURE_MODULES = {"report/live.py"}
"""The one module of a pure room that is none: it writes to a terminal while a run goes on."""
SHELL_IMPORTS = {
    "asyncio",
    "http",
    "httpx2",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
}
LONGEST_OBVIOUS = 15
"""A public function or class up to so many lines may speak for itself; a longer one says what it takes, gives and refuses."""


def listed(offenders: Iterable[str]) -> str:
    return "\n".join(offenders)


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def long_functions() -> dict[str, int]:
    return {
        f"{source.name}::{function.name}": lines_of(function)
        for source in (*shipped(), *checks())
        for function in source.functions()
        if lines_of(function) > LONGEST_FUNCTION
    }


def long_modules() -> dict[str, int]:
    return {source.name: source.length for source in shipped() if source.length > LONGEST_MODULE}


@pytest.mark.parametrize(
    ("found", "known"),
    [(long_functions, LONG_FUNCTIONS), (long_modules, LONG_MODULES)],
    ids=["functions", "modules"],
)
def test_lengths_only_go_down(found: object, known: dict[str, int]) -> None:
    """What is too long is known, is no longer than it was, and leaves the list once it is short enough."""
    assert callable(found)
    now: dict[str, int] = found()
    grown = [
        f"{name}: {lines} lines, {known.get(name, 'new here')}" for name, lines in now.items() if lines > known.get(name, 0)
    ]
    assert not grown, f"too long; split along what a reader would name:\n{listed(grown)}"
    assert not (known.keys() - now.keys()), "short enough now: take it off the list"


def test_names_say_what_is_inside() -> None:
    """No module or folder has a name that says nothing; such a place attracts everything."""
    vague = [source.name for source in (*shipped(), *checks()) if VAGUE & set(source.name.removesuffix(".py").split("/"))]
    assert not vague, f"name it for what it does:\n{listed(vague)}"


def test_nothing_is_mocked() -> None:
    """A fake is written beside its protocol and is as real as the rest; a mock agrees with whatever the test believes."""
    mocked = [
        f"{source.name}:{line}: {name}"
        for source in (*shipped(), *checks())
        for line, name in source.imports()
        if name in MOCKS or name.rpartition(".")[0] in MOCKS
    ]
    assert not mocked, f"write the fake beside its protocol instead:\n{listed(mocked)}"


def clock_readings(source: Source) -> Iterator[str]:
    """Where a clock is read, by attribute (``time.time``) or by import (``from time import time``)."""
    for node in source.nodes:
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if node.attr in CLOCKS.get(name, ()):
                yield f"{source.name}:{node.lineno}: {name}.{node.attr}"
    for line, name in source.imports():
        module, _, what = name.rpartition(".")
        if module == "time" and what in CLOCKS["time"]:
            yield f"{source.name}:{line}: from time import {what}"


def test_time_enters_at_one_place() -> None:
    """Only ``clock`` reads clocks; whoever needs an instant is handed one, and can be run in virtual time."""
    read = [place for source in shipped() if source.name != "src/meshkit_chaos/clock.py" for place in clock_readings(source)]
    assert not read, f"take a Clock from meshkit_chaos.clock:\n{listed(read)}"


def sleeps(source: Source) -> Iterator[int]:
    """Lines of a test that let real time go by, other than between two looks at something."""
    looking = {
        below for node in source.nodes if isinstance(node, ast.While | ast.For) for below in ast.walk(node) if below is not node
    }
    for node in source.nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep" and node not in looking:
            yield node.lineno


def test_nothing_sleeps_for_luck() -> None:
    """A test waits for what it needs by looking again and again; where it lets time go by all the same, it says why."""
    explained = {(source.name, line) for source in checks() for line, _ in source.comments()}
    lucky = [f"{source.name}:{line}" for source in checks() for line in sleeps(source) if (source.name, line) not in explained]
    assert not lucky, f"look until it is there, or say beside it why time must go by:\n{listed(lucky)}"


def test_every_module_says_what_it_is_for() -> None:
    """The first paragraph of a module says what it takes, gives and refuses."""
    silent = [source.name for source in (*shipped(), *checks()) if source.text.strip() and not ast.get_docstring(source.tree)]
    assert not silent, f"a module docstring is missing:\n{listed(silent)}"


def test_every_test_says_what_it_expects() -> None:
    """A test's docstring is one sentence of expected behaviour."""
    silent = [
        f"{source.name}:{function.lineno}: {function.name}"
        for source in checks()
        for function in source.functions()
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent, f"say in a sentence what is expected:\n{listed(silent)}"


def public(source: Source) -> Iterator[AnyFunction | ast.ClassDef]:
    """Public functions and classes. A method is described by its class or the protocol it fulfils."""
    for node in source.tree.body:
        if isinstance(node, AnyFunction | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def test_what_is_public_and_not_obvious_is_described() -> None:
    """Whatever others call and cannot take in at a glance has a docstring."""
    silent = [
        f"{source.name}:{node.lineno}: {node.name} ({lines_of(node)} lines)"
        for source in shipped()
        for node in public(source)
        if lines_of(node) > LONGEST_OBVIOUS and not ast.get_docstring(node)
    ]
    assert not silent, f"describe what it takes, gives and refuses:\n{listed(silent)}"


def test_nothing_is_left_for_later_in_a_comment() -> None:
    """What is to be done is an issue; a comment that promises it is forgotten."""
    promise = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    left = [
        f"{source.name}:{line}: {comment}"
        for source in (*shipped(), *checks())
        for line, comment in source.comments()
        if promise.search(comment)
    ]
    assert not left, f"do it or open an issue:\n{listed(left)}"


EXEMPTION = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no cover)")
CODED = r"noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|type:\s*ignore\[[a-z-]+(?:,\s*[a-z-]+)*\]|pragma:\s*no cover"
REASONED = re.compile(rf"#\s*(?:{CODED})\s*(?:#|-|—)\s*\w.{{7,}}")


def test_every_exemption_has_its_code_and_reason() -> None:
    """A rule is set aside only for a named code, with the reason beside it."""
    bare = [
        f"{source.name}:{line}: {comment}"
        for source in (*shipped(), *checks())
        for line, comment in source.comments()
        if EXEMPTION.match(comment) and not REASONED.match(comment)
    ]
    assert not bare, f"write `# noqa: CODE  # reason` or `# type: ignore[code]  # reason`:\n{listed(bare)}"


MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:work|root|home/[a-z]\w*|Users/[A-Za-z]\w*|tmp/[\w.-]+)/[\w.-]+")


def test_nothing_names_somebodys_machine() -> None:
    """No file of the project holds a path that exists on one machine only."""
    texts = {source.name: source.text for source in (*shipped(), *checks())}
    for path in documents():
        try:
            texts[path.name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    named = [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
        for name, text in texts.items()
        for found in MACHINE_PATH.finditer(text)
    ]
    assert not named, f"make it relative or take it from the caller:\n{listed(named)}"


def is_pure(source: Source) -> bool:
    inside = source.name.removeprefix("src/meshkit_chaos/")
    return inside not in IMPURE_MODULES and (inside.split("/")[0] in PURE_ROOMS or inside in PURE_MODULES)


def test_pure_rooms_touch_nothing() -> None:
    """Pure modules import nothing that reaches a disk, a network, a clock, a process or chance."""
    reached = [
        f"{source.name}:{line}: {name}"
        for source in shipped()
        if is_pure(source)
        for line, name in source.imports()
        if name.split(".")[0] in SHELL_IMPORTS and not name.startswith("urllib.parse.")  # which only reads a text
    ]
    assert not reached, f"hand the value in from a room that may touch it:\n{listed(reached)}"


def test_the_list_of_pure_places_is_true() -> None:
    """Every pure room and module that is listed exists: a renamed one does not escape its rule."""
    present = {source.name.removeprefix("src/meshkit_chaos/") for source in shipped()}
    assert not PURE_ROOMS - {name.split("/")[0] for name in present}
    assert not PURE_MODULES - present


@pytest.mark.parametrize(
    ("comment", "reasoned"),
    [
        ("# noqa: S603  # the operator configured this command", True),
        ("# noqa: S603,S607  # the operator configured this command", True),
        ("# type: ignore[arg-type]  # the pattern admits only six", True),
        ("# noqa", False),
        ("# noqa: S603", False),
        ("# type: ignore  # because it is so", False),
        ("# type: ignore[arg-type]", False),
        ("# noqa: S603  # x", False),
    ],
)
def test_the_exemption_rule_sees_what_it_should(comment: str, reasoned: bool) -> None:
    """The rule about exemptions is itself tried on good and bad ones."""
    assert EXEMPTION.match(comment)
    assert bool(REASONED.match(comment)) is reasoned


def test_the_machine_path_rule_sees_what_it_should() -> None:
    """The rule about paths is itself tried on good and bad ones."""
    bad = ["/".join(("", *parts)) for parts in (("home", "jo", "x"), ("root", "src"), ("work", "x"), ("Users", "Jo", "x"))]
    assert all(MACHINE_PATH.search(f"open({path!r})") for path in bad)
    good = ["/control/peers", "/proc/self/stat", "docs/work/x", "${OUT}/work/x", "https://example.org/work/x"]
    assert not any(MACHINE_PATH.search(path) for path in good)
