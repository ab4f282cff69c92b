"""A corpus of attacks through every text that documents, members, people or servers control: none becomes markup."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from gate_worlds import NOW, SECOND, decided, history, one_run, overrides, policy, result
from history_builder import JOURNAL, TWO, evidence_of, opened, variant, written

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.following import Follower
from meshkit_chaos.dashboard.live import Watch, messages
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import GateFiles, Settings, Sources
from meshkit_chaos.deliver.action import Action, Receipt, State, Told
from meshkit_chaos.deliver.cause import Cause
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.gate.log import NOTHING, LogEntry, sealed
from meshkit_chaos.gate.overrides import Accepted, Override
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import Ask, PastInvocation, PastScenario
from meshkit_chaos.history.overview import Overview
from meshkit_chaos.history.unpacked import results_of
from meshkit_chaos.journal.binaries import BinaryClass, BinaryFacts
from meshkit_chaos.judge.verdict import EnvironmentName, OutcomeName, VerdictName
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.slo.codec import encode

CORPUS: list[str] = json.loads(Path(__file__).with_name("attacks.json").read_text(encoding="utf-8"))
OVERRIDES = """version: 1
overrides:
  - {id: slower, subject: {commit: c0ffee}, scenario: leader-killed, objective: converge-one-leader, accept: {within: 9s},
     reason: on purpose, ticket: MESH-1, author: ann, approver: bo, created: 2026-11-20, expires: 2026-12-01}
"""
NO_ICON = "data:,"
WORDS = {*get_args(VerdictName), *get_args(EnvironmentName), *get_args(OutcomeName), *get_args(BinaryClass)}
"""What the history itself says: no field of others."""


class Shape(HTMLParser):
    """Which elements with which attributes a page has, where its links lead, and what its scripts and styles are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[tuple[str, str]] = set()
        self.links: set[str] = set()
        self.scripts = 0
        self.words = ""
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.words += "" if self.cdata_elem else data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements |= {(tag, ""), *((tag, name) for name, _ in attrs)}
        self.scripts += tag == "script"
        links = {value or "" for name, value in attrs if name in ("href", "src", "action", "data-live", "data-ask")}
        self.links |= links - {NO_ICON}


def poisoned(value: Any, attacks: Iterator[str]) -> Any:
    """The same value with the next attack in every text that is not a word of ours, keys of mappings included."""
    match value:
        case str():
            return value if value in WORDS else next(attacks)
        case msgspec.Struct():
            changed = {name: poisoned(getattr(value, name), attacks) for name in value.__struct_fields__}
            return type(value)(**changed)
        case tuple():
            return tuple(poisoned(one, attacks) for one in value)
        case dict():
            return {poisoned(key, attacks): poisoned(one, attacks) for key, one in value.items()}
        case _:
            return value


def world(attacks: Iterator[str] | None) -> Iterator[tuple[str, str]]:
    """Every page of a history with everything in it; where there are attacks, one stands in every text."""

    def put(value: Any) -> Any:
        return value if attacks is None else poisoned(value, attacks)

    binary = BinaryFacts(path="p", name="node", digest="d", size=10, format="elf", binary_class="native")
    runs = (one_run("fail", 1, executables=(binary,), faults=("kill",)), one_run("pass", 2, invalidated="wrong build"))
    left = {"environment": "dirty", "runs": runs}
    one = put(result("fail", modules=("m",), tags=("t",), owner="o", invocation="I2", **left))
    older = put(
        result("pass", modules=("m",), hours=30, invocation="I1", commit="bbb", subject={"version": "1", "commit": "bbb"})
    )
    older = msgspec.structs.replace(older, invocation="I1")
    before = changed(put)
    held = MemoryHistory([about(put, past) for past in (one, older, *before)], [one, older, *before])
    message = Message(title="t", lead="l", tone="bad")
    action = Action(
        key="k", channel="c", thread="t", occasion="first-failure", message=put(message), reason=put("r"), at=NOW,
        causes=(Cause(kind="missed", scenario="leader-killed"),),
    )  # fmt: skip
    states: tuple[State, ...] = ("delivered", "dead")
    told = tuple(
        Told(action=action, state=state, error=put("e"), receipt=put(Receipt(did="d", url="https://forge/1")))
        for state in states
    )
    people = put(overrides(OVERRIDES))
    accepted = Override(
        id="o", subject={"commit": "c"}, scenario="*", objective="x", accept=Accepted(failing_runs=1), reason="why", ticket="T",
        author="ann", approver="bo", created=NOW - SECOND, expires=NOW + SECOND,
    )  # fmt: skip
    of_all = msgspec.structs.replace(put(accepted), scenario="*")
    said = {name: put("s") for name in ("sentence", "mode", "code")}
    items = [{"scenario": name, **said} for name in {past.scenario for past in (one, older, *before)}]
    log = (
        logged(json.loads(msgspec.json.encode(put(decided(held, file=people)))), kind=put("decision"))
        + logged(put({"sentence": "s", "items": [], "kind": "k"}))
        + logged({"items": items})
    )
    people = msgspec.structs.replace(people, entries=(*people.entries, of_all))
    settings = Settings(project=put("mesh"), policy=policy(), compare="https://forge/{last}/{first}", served=True)
    files = GateFiles(overrides=lambda: people, log=lambda: log)
    clock = ManualClock(wall_ns=NOW)
    made_of = Sources(reader=held, settings=settings, clock=clock, told=lambda count: told[:count], gate_files=files)
    return Site(made_of).every()


def changed(put: Any) -> list[PastScenario]:
    """Many nights of one scenario, whose times doubled and which began to fail: so that its page says all that it can.

    Before those came ten of eight other branches.
    """
    names = {name: put(name) for name in ("changed", "title", "objective", "1", "2")}
    found = []
    for number in range(50):
        late = number < 20
        time = (4 * SECOND, 4 * SECOND + number) if late else (SECOND, SECOND + number)
        run = one_run("fail" if late and number % 2 else "pass", prefix=f"E{number}x", time=time)
        told = tuple(msgspec.structs.replace(one, name=names["objective"]) for one in run.objectives)
        past = result(
            run.verdict,
            scenario=names["changed"],
            hours=40 + number,
            invocation=f"E{number}",
            subject={"version": names["2" if late else "1"], "commit": put("c")}
            | ({"branch": put(f"topic-{number % 8}")} if number >= 40 else {}),
            runs=(msgspec.structs.replace(run, objectives=told),),
        )
        found.append(msgspec.structs.replace(past, title=names["title"]))
    return found


def about(put: Any, one: PastScenario) -> PastInvocation:
    past = PastInvocation(
        invocation="i", at=one.at, subject={}, verdict="fail", environment="clean", sentence="s", tool="0", file_digest="f",
        announced=(one.scenario, put("lost")),
    )  # fmt: skip
    return msgspec.structs.replace(put(past), invocation=one.invocation, subject=one.subject, announced=past.announced)


def logged(body: dict[str, Any], *, kind: str = "decision") -> bytes:
    """A log of one line, whole in itself."""
    return encode(sealed(LogEntry(seq=0, at=NOW, kind=kind, body=body, before=NOTHING))) + b"\n"


def test_the_harmless_world_shows_every_part_of_a_scenario() -> None:
    """What is compared with has changes, suspects, releases and a time line: else nothing of them would be attacked."""
    page = next(text for path, text in world(None) if path == "scenario/changed.html")
    for part in (
        "suspected: ",
        'class="change-label"',
        'class="happened"',
        'class="strips"',
        "<details",
        'class="release"',
        'class="branches"',
        'class="elsewhere"',
        "more branches",
        "on other branches",
    ):
        assert part in page, part


BENIGN = [Shape(text) for _, text in world(None)]
ELEMENTS = set().union(*(shape.elements for shape in BENIGN))


@pytest.mark.parametrize("turn", range(0, len(CORPUS), 5))
def test_no_text_of_a_history_becomes_markup(turn: int) -> None:
    """Pages have the elements, attributes and scripts that they have for harmless texts, and no link leads elsewhere."""
    told = one_line(" ".join(harmless(text, path) for path, text in world(turned(turn))))
    assert sum(one_line(attack) in told for attack in CORPUS) >= 20


def turned(turn: int) -> Iterator[str]:
    """Every attack, again and again, from one of them on: so that each meets other fields in another turn."""
    return itertools.cycle(CORPUS[turn:] + CORPUS[:turn])


def harmless(text: str, path: str) -> str:
    """What people read on it."""
    shape = Shape(text)
    assert shape.elements <= ELEMENTS, (path, shape.elements - ELEMENTS)
    assert shape.scripts == 1, path
    for link in shape.links:
        assert re.fullmatch(
            r"(?:https://forge/|[\w./~-]*(?:#(?:filter=)?[\w.~%-]*|\?before=run:\w*&after=run:\w*)?$).*", link
        ), (path, link)
    assert not re.search("[\\x00-\\x08\\x0b-\\x1f\\x7f\u2028\u2029\u202e\ufeff]", text), path
    return shape.words


@pytest.mark.parametrize("turn", range(0, len(CORPUS), 12))
def test_no_text_of_a_record_becomes_markup(turn: int, tmp_path: Path) -> None:
    """A journal's sentences, names and details are text on the page of its run, and data in the stream of it."""
    evidence = evidence_of(TWO)
    with opened(tmp_path / "history") as held:
        held.add(written(variant(attacked(evidence, turned(turn)), 0), tmp_path / "out"))
        made_of = Sources(
            reader=Overview(held.database),
            settings=Settings(project="mesh", served=True),
            clock=ManualClock(wall_ns=NOW),
            evidence=lambda invocation: results_of(held.database, held.store, invocation),
        )
        site = Site(made_of)
        for one in held.results(Ask(invalidated=True)):
            for run in one.runs:
                page = site.page(f"run/{run.run}.html") or ""
                assert page.count("<script") == 1
                shape = Shape(page)
                assert not [name for _, name in shape.elements if name.startswith("on")]
                assert {tag for tag, _ in shape.elements}.isdisjoint({"img", "iframe", "base", "animate", "math", "object"})
                assert not [link for link in shape.links if ":" in link]
    lines = Follower(tmp_path / "out/runs/leader-killed/001", "k").more()
    assert lines
    watch = Watch(tmp_path, ManualClock(wall_ns=10**30))
    for message in messages(watch.look(), last=None):
        assert message.count("\n\n") == 1
        assert message.endswith("\n\n")


def attacked(evidence: Mapping[str, bytes], attacks: Iterator[str]) -> dict[str, bytes]:
    """The same evidence with an attack in whatever its journal tells in words."""

    def told(found: re.Match[bytes]) -> bytes:
        return b'"%b":%b' % (found[1], json.dumps(next(attacks), ensure_ascii=False).encode())

    pattern = rb'"(title|description|detail|reason|owner|hint|message|query|text)":"(?:[^"\\]|\\.)*"'
    return {**evidence, JOURNAL: re.sub(pattern, told, evidence[JOURNAL])}


@pytest.mark.parametrize("turn", range(0, len(CORPUS), 4))
def test_no_text_of_a_waiver_becomes_markup(turn: int) -> None:
    """Who accepted a failure, why and by which ticket is text on the page of readiness and on the gate's."""
    attacks = turned(turn)
    [entry] = overrides(OVERRIDES).entries
    names = ("reason", "ticket", "author", "approver", "id")
    people = msgspec.structs.replace(
        overrides(OVERRIDES), entries=(msgspec.structs.replace(entry, **{name: next(attacks) for name in names}),)
    )
    held = history(result("fail", modules=("m",)))
    log = logged(json.loads(msgspec.json.encode(decided(held, file=people))))
    files = GateFiles(overrides=lambda: people, log=lambda: log)
    settings = Settings(project="mesh", policy=policy())
    site = Site(Sources(reader=held, settings=settings, clock=ManualClock(wall_ns=NOW), gate_files=files))
    pages = {path: text for path, text in site.every() if "/" not in path}
    assert "Waived in 1.4.2" in pages["index.html"]
    for path, text in pages.items():
        harmless(text, path)
