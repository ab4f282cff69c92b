"""A history: its index, the shelf where bundles, marks and documents lie, and what may be done with both.

Takes results folders and bundles; answers as ``HistoryReader``. What the index holds follows from the bundles and marks on the
shelf, so it can be made again. Refuses, as HistoryProblem, evidence that contradicts what is known of the same invocation, and
evidence that a secret leaked into. A bundle is on the shelf before the index names it, in one transaction for each invocation.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from sqlalchemy.engine import Connection

from meshkit_chaos.campaign.results import Results, read_results
from meshkit_chaos.clock import Clock, ulid
from meshkit_chaos.errors import HistoryProblem, JournalDamaged, UsageError
from meshkit_chaos.history import writing
from meshkit_chaos.history.bundles import collect, is_ulid, pack, spread, unpack
from meshkit_chaos.history.database import Database
from meshkit_chaos.history.deliveries import delivery_file, newest, read_delivery
from meshkit_chaos.history.deriving import past
from meshkit_chaos.history.evidence import LOG, Evidence, digest, goes_on
from meshkit_chaos.history.logs import collect_logs, pack_logs, unpack_logs
from meshkit_chaos.history.marking import Mark, mark_file, read_mark
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.history.reading import IndexReader
from meshkit_chaos.history.shelf import Store, blob_name
from meshkit_chaos.journal import events as ev
from meshkit_chaos.slo.codec import builtins

How = Literal["new", "grew", "known", "older", "pruned"]
Documents = Callable[[Results], Mapping[str, bytes]]
Within = Callable[[Connection, PastInvocation, tuple[PastScenario, ...]], None]
"""What else is written in the transaction that takes an invocation in: both are there afterwards, or neither."""


def no_documents(results: Results) -> Mapping[str, bytes]:
    """Keep the evidence only."""
    del results
    return {}


def nothing_else(connection: Connection, invocation: PastInvocation, scenarios: tuple[PastScenario, ...]) -> None:
    """Write the results only."""
    del connection, invocation, scenarios


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of one invocation. ``older``: more of it is known already; ``pruned``: it was thrown away, and stays so."""

    invocation: str
    how: How
    bundle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """One state of an invocation: its evidence as a bundle, and everything that follows from it."""

    bundle: str
    data: bytes
    evidence: Evidence
    invocation: PastInvocation
    scenarios: tuple[PastScenario, ...]
    documents: Mapping[str, bytes]


class History(IndexReader):
    """Close it when done; it is its own context manager."""

    def __init__(self, database: Database, store: Store, clock: Clock) -> None:
        super().__init__(database)
        self.database: Final = database
        self.store: Final = store
        self.clock: Final = clock

    def __enter__(self) -> History:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.database.close()

    def add(self, out: Path, *, documents: Documents = no_documents, within: Within = nothing_else) -> Added:
        """Take in the results in a folder. Twice is once; a run that grew replaces what it was. ``within`` is called for what
        was not known.

        Raises JournalDamaged where the folder holds no invocation, HistoryProblem as the module says.
        """
        evidence = collect(out)
        if LOG not in evidence:
            raise JournalDamaged(f"{out} holds no {LOG}", hint="name the folder that was given as --out")
        added = self._take(derive(evidence, documents), by_hand=True, within=within)
        logs = collect_logs(out, evidence)
        if logs.files and added.how != "older":
            self.store.add(dict([pack_logs(added.bundle, logs)]))
        return added

    def add_logs(self, name: str, data: bytes) -> None:
        """Take in logs that came from elsewhere with their bundle. Raises HistoryProblem for altered ones."""
        unpack_logs(name, data)
        self.store.add({name: data})

    def add_bundle(self, name: str, data: bytes, *, documents: Documents = no_documents) -> Added:
        """Take in a bundle that came from elsewhere: who took it in first told people of it."""
        return self._take(read_bundle(name, data, documents), by_hand=False, within=nothing_else)

    def _take(self, state: Derived, *, by_hand: bool, within: Within) -> Added:
        with self.database.reading() as connection:
            how = self._how(connection, state, by_hand=by_hand)
        if how == "pruned":
            return Added(invocation=state.invocation.invocation, how=how, bundle=state.bundle)
        files = {state.bundle: state.data, **{blob_name(data): data for data in state.documents.values()}}
        self.store.add(files)
        with self.database.writing() as connection:
            writing.share_files(connection)
            writing.share_marks(connection)
            writing.lock(connection, state.invocation.invocation)
            how = self._how(connection, state, by_hand=by_hand)
            if by_hand:
                writing.unprune(connection, state.invocation.invocation)
            if how in ("new", "grew"):
                put_state(connection, state)
                within(connection, state.invocation, state.scenarios)
        if how in ("new", "grew"):
            self.store.add(files)  # a prune may have swept them before the index named them; from now on none does
        return Added(invocation=state.invocation.invocation, how=how, bundle=state.bundle)

    def _how(self, connection: Connection, state: Derived, *, by_hand: bool) -> How:
        name = state.invocation.invocation
        known = writing.bundle_of(connection, name)
        if known == state.bundle:
            return "known"
        if known is None:
            return "pruned" if not by_hand and writing.was_pruned(connection, name) else "new"
        earlier = unpack(known, self.store.read(known))
        if goes_on(earlier, state.evidence):
            return "grew"
        if goes_on(state.evidence, earlier):
            return "older"
        raise HistoryProblem(
            f"the evidence of invocation {name} differs from what is known of it: {_difference(earlier, state.evidence)}",
            hint="a run is only ever continued; one of the two copies was altered, so find out which before either is used",
        )

    def mark(self, run: str, *, counts: bool, reason: str, by: str) -> Mark:
        """Say that a run does not count, or that it does after all. Raises UsageError for a run that is not known."""
        if self.invocation_of_run(run) is None:
            raise UsageError(f"no run {run} is known", hint="`meshkit-chaos history show INVOCATION` lists runs")
        if not reason.strip():
            raise UsageError("a reason is needed", hint="say what those who look for this run later should know")
        mark = Mark(mark=ulid(self.clock), run=run, at=self.clock.wall_ns(), reason=reason.strip(), by=by, counts=counts)
        self.add_mark(*mark_file(mark))
        return mark

    def add_mark(self, name: str, data: bytes) -> bool:
        """Take in a mark; whether it is new. Raises HistoryProblem for one that was altered."""
        mark = read_mark(name, data)
        self.store.add({name: data})
        with self.database.writing() as connection:
            return writing.put_mark(connection, mark)

    def add_deliveries(self, files: Mapping[str, bytes]) -> None:
        """Take in records of what people were told, all at once: a half of them would make things be sent again.

        Raises HistoryProblem for one that was altered.
        """
        told = newest(read_delivery(name, data) for name, data in files.items())
        with self.database.writing() as connection:
            writing.hold_outbox(connection)
            for delivery in told.values():
                writing.put_delivery(connection, delivery)
        self.store.add(files)

    def write_deliveries(self, keys: Collection[str] | None = None) -> frozenset[str]:
        """Put what the index knows of deliveries (of these keys, or of all) on the shelf; the names of the files."""
        files = dict(delivery_file(one) for one in self.deliveries() if keys is None or one.key in keys)
        there = self.store.names() if files and keys is None else frozenset()
        self.store.add({name: data for name, data in files.items() if name not in there})
        return frozenset(files)


def derive(evidence: Evidence, documents: Documents = no_documents) -> Derived:
    """Everything that follows from evidence. Raises JournalDamaged, HistoryProblem."""
    with tempfile.TemporaryDirectory(prefix="meshkit-chaos-") as folder:
        spread(evidence, Path(folder))
        results = read_results(Path(folder))
        _refuse_leaks(results)
        invocation, scenarios = past(results)
        made = documents(results)
    _refuse_impossible(invocation, scenarios)
    bundle, data = pack(evidence, invocation=invocation.invocation, wall_ns=invocation.at)
    return Derived(bundle=bundle, data=data, evidence=evidence, invocation=invocation, scenarios=scenarios, documents=made)


def read_bundle(name: str, data: bytes, documents: Documents = no_documents) -> Derived:
    """As ``derive``, and the bundle is what its name says. Keeps the bytes as they came."""
    evidence = unpack(name, data)
    if LOG not in evidence:
        raise HistoryProblem(f"the bundle {name} holds no {LOG}", hint="remove it from where it came")
    state = derive(evidence, documents)
    if state.bundle != name:
        raise HistoryProblem(f"the bundle {name} holds another invocation: its name should be {state.bundle}")
    return state


def put_state(connection: Connection, state: Derived) -> None:
    """Write everything that follows from one state of an invocation into the index."""
    writing.put(connection, state.invocation, state.scenarios, bundle=state.bundle)
    blobs = {name: (digest(data), len(data)) for name, data in state.documents.items()}
    writing.put_documents(connection, state.invocation.invocation, blobs)


def _refuse_impossible(invocation: PastInvocation, scenarios: tuple[PastScenario, ...]) -> None:
    """Records come from elsewhere: what no run of this program can have, no table should get."""
    for name in (invocation.invocation, *(run.run for one in scenarios for run in one.runs)):
        if not is_ulid(name):
            raise HistoryProblem(f"{name[:80]!r} is no ULID", hint=_FOREIGN)
    if not 0 <= invocation.at < _LATEST:
        raise HistoryProblem(f"an invocation at {invocation.at} ns of wall time", hint=_FOREIGN)
    if len({one.scenario for one in scenarios}) < len(scenarios):
        raise HistoryProblem("a scenario is announced twice", hint=_FOREIGN)
    for leaf in _leaves([builtins(invocation), builtins(scenarios)]):
        if isinstance(leaf, int) and abs(leaf) >= 2**63:
            raise HistoryProblem(f"the record holds a number of more than 63 bits: {leaf:.3e}", hint=_FOREIGN)
        if isinstance(leaf, str) and "\0" in leaf:
            raise HistoryProblem(f"the record holds a text with a NUL character: {leaf[:80]!r}", hint=_FOREIGN)


_FOREIGN: Final = "the record was not written by this program"
_LATEST: Final = 253_402_300_800 * 10**9
"""The year 10000: names of bundles have four digits for it."""


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _refuse_leaks(results: Results) -> None:
    for record in results.records:
        for _, leaked in record.of(ev.SecretLeaked) if record is not None else ():
            if leaked.file.partition("/")[0] in ("journal.jsonl", "samples"):
                raise HistoryProblem(
                    f"the secret {leaked.secret} leaked into {leaked.file}; such a record is not copied anywhere",
                    hint="change the secret, keep it out of metrics and labels, and delete that results folder",
                )


def _difference(earlier: Evidence, later: Evidence) -> str:
    gone = sorted(earlier.keys() - later.keys())
    more = sorted(later.keys() - earlier.keys())
    changed = sorted(name for name in earlier.keys() & later.keys() if earlier[name] != later[name])
    told = [f"{what} {names[0]}" for what, names in (("changed is", changed), ("missing is", gone), ("new is", more)) if names]
    return ", ".join(told)
