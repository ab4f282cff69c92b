"""Whether a history can be believed: every bundle against its digest, and the index against what follows from the bundles.

``rebuild`` makes the index say what the bundles, marks and records of deliveries say, in one transaction. An invocation whose
bundle is gone or altered is kept as it is and told as a problem: evidence is never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec import structs
from sqlalchemy.engine import Connection

from meshkit_chaos.errors import ChaosError
from meshkit_chaos.history import writing
from meshkit_chaos.history.bundles import parse_name, unpack
from meshkit_chaos.history.deliveries import is_delivery, read_delivery
from meshkit_chaos.history.evidence import digest, goes_on
from meshkit_chaos.history.index import Derived, Documents, History, no_documents, put_state, read_bundle
from meshkit_chaos.history.logs import bundle_of_logs, unpack_logs
from meshkit_chaos.history.marking import is_mark, read_mark
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.history.shelf import blob_name
from meshkit_chaos.judge.phrases import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was looked at, and what is wrong: a name and a sentence each."""

    invocations: int = 0
    marks: int = 0
    documents: int = 0
    deliveries: int = 0
    problems: tuple[tuple[str, str], ...] = ()


def verify(history: History) -> Checked:
    """Judge every bundle again and compare. Changes nothing."""
    names, known = history.store.names(), history.bundles()
    marks = [name for name in names if is_mark(name)]
    deliveries = [name for name in names if is_delivery(name)]
    problems = [*_wrong_invocations(history, known), *_wrong_bundles(history, names, known)]
    problems += [*_wrong_marks(history, marks), *_wrong_deliveries(history, deliveries), *_wrong_logs(history, names)]
    documents = history.documents()
    problems += [
        (f"{one['invocation']}/{one['name']}", said)
        for one in documents
        if (said := _wrong_document(history, one["digest"], names))
    ]
    return Checked(
        invocations=len(known),
        marks=len(marks),
        documents=len(documents),
        deliveries=len(deliveries),
        problems=tuple(dict.fromkeys(problems)),
    )


def _wrong_invocations(history: History, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for invocation, bundle in sorted(known.items()):
        try:
            state = read_bundle(bundle, history.store.read(bundle))
        except ChaosError as error:
            yield bundle, error.message
            continue
        stored = history.invocation(invocation)
        if stored is None:
            yield bundle, "it left the index while it was checked"
        elif said := _difference(*stored, state):
            yield bundle, said


def _difference(invocation: PastInvocation, scenarios: tuple[PastScenario, ...], state: Derived) -> str:
    """What the index says otherwise than the evidence; empty where they agree."""
    if invocation.verdict != state.invocation.verdict:
        return f"the index says {invocation.verdict}; judged again it is {state.invocation.verdict}"
    if invocation != state.invocation:
        return "the index differs from the evidence in what it says of the invocation"
    told = {one.scenario: _unmarked(one) for one in scenarios}
    again = {one.scenario: one for one in state.scenarios}
    wrong = sorted(name for name in told.keys() | again.keys() if told.get(name) != again.get(name))
    return f"the index differs from the evidence, judged again, in {listed(wrong)}" if wrong else ""


def _unmarked(past: PastScenario) -> PastScenario:
    """As it was judged, without what people said of it later."""
    return structs.replace(past, runs=tuple(structs.replace(run, invalidated="") for run in past.runs))


def _wrong_bundles(history: History, names: frozenset[str], known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Bundles that the index does not name must be earlier states of what it knows, or left by a prune that was killed."""
    thrown_away = history.pruned() - known.keys()
    for name in sorted(names - set(known.values())):
        told = parse_name(name)
        if told is None or told.invocation in thrown_away:
            continue
        try:
            evidence = unpack(name, history.store.read(name))
            if told.invocation not in known:
                yield name, "the index does not know it; `history rebuild` takes it in"
                continue
            newest = known[told.invocation]
            if not goes_on(evidence, unpack(newest, history.store.read(newest))):
                yield name, "it contradicts, or goes beyond, what the index knows of its invocation"
        except ChaosError as error:
            yield name, error.message


def _wrong_marks(history: History, names: list[str]) -> Iterator[tuple[str, str]]:
    for name in sorted(names):
        try:
            mark = read_mark(name, history.store.read(name))
        except ChaosError as error:
            yield name, error.message
            continue
        if mark.mark not in {row["mark"] for row in history.marks(mark.run)}:
            yield name, "the index does not know it; `history rebuild` takes it in"


def _wrong_deliveries(history: History, names: list[str]) -> Iterator[tuple[str, str]]:
    known = {one.key: one for one in history.deliveries()}
    for name in sorted(names):
        try:
            delivery = read_delivery(name, history.store.read(name))
        except ChaosError as error:
            yield name, error.message
            continue
        if delivery.key not in known or delivery.rank > known[delivery.key].rank:
            yield name, "the index does not know that of the delivery; `history rebuild` takes it in"


def _wrong_logs(history: History, names: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Logs that can be read; that there are none is no problem."""
    for name in sorted(names):
        if bundle_of_logs(name) is not None:
            try:
                unpack_logs(name, history.store.read(name))
            except ChaosError as error:
                yield name, error.message


def _wrong_document(history: History, of: str, names: frozenset[str]) -> str:
    name = f"sha256/{of[:2]}/{of[2:]}"
    if name not in names:
        return "the document is gone; `history rebuild` makes it again"
    data = history.store.read(name)
    return "" if blob_name(data) == name else f"the document was altered: its digest is {digest(data)}"


def rebuild(history: History, *, documents: Documents = no_documents) -> Checked:
    """Derive everything again, from every bundle, mark and record. Of an invocation's states the one that goes furthest
    counts.
    """
    names = history.store.names()
    furthest, problems = _furthest(history, names)
    marks = [name for name in sorted(names) if is_mark(name)]
    deliveries = [name for name in sorted(names) if is_delivery(name)]
    count = 0
    gone = history.bundles().keys() - furthest.keys()
    with history.database.writing() as connection:
        writing.share_files(connection)
        writing.lock(connection, "rebuild")
        writing.own_marks(connection)
        for name in furthest.values():
            try:
                state: Derived = read_bundle(name, history.store.read(name), documents)
                history.store.add({blob_name(data): data for data in state.documents.values()})
                put_state(connection, state)
                count += 1
            except ChaosError as error:
                problems.append((name, error.message))
        writing.hold_outbox(connection)
        for name in (*marks, *deliveries):
            try:
                _put_said(connection, name, history.store.read(name))
            except ChaosError as error:
                problems.append((name, error.message))
    problems += [(name, "its bundle is gone or altered; the index keeps what it knew of it") for name in sorted(gone)]
    return Checked(invocations=count, marks=len(marks), deliveries=len(deliveries), problems=tuple(problems))


def _put_said(connection: Connection, name: str, data: bytes) -> None:
    """What people said of runs, and what they were told."""
    if is_mark(name):
        writing.put_mark(connection, read_mark(name, data))
    else:
        writing.put_delivery(connection, read_delivery(name, data))


def _furthest(history: History, names: frozenset[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The furthest bundle of every invocation that was not thrown away, and what is wrong with others."""
    thrown_away = history.pruned() - history.bundles().keys()
    furthest: dict[str, str] = {}
    problems: list[tuple[str, str]] = []
    for name in sorted(names):
        told = parse_name(name)
        if told is None or told.invocation in thrown_away:
            continue
        try:
            evidence = unpack(name, history.store.read(name))
            best = furthest.get(told.invocation)
            if best is None or goes_on(unpack(best, history.store.read(best)), evidence):
                furthest[told.invocation] = name
            elif not goes_on(evidence, unpack(best, history.store.read(best))):
                problems.append((name, f"it contradicts {best}, which was taken"))
        except ChaosError as error:
            problems.append((name, error.message))
    return furthest, problems
