"""Rows of the tables → the values that history speaks in, and back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import structs

from meshkit_chaos.history.model import PastInvocation, PastObjective, PastRun, PastScenario
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.slo.codec import encode

Row = Mapping[str, Any]

_JSON: Final = {
    "subject": dict[str, str],
    "announced": tuple[str, ...],
    "modules": tuple[str, ...],
    "tags": tuple[str, ...],
    "objectives": dict[str, str],
    "binaries": dict[str, str],
    "executables": tuple[BinaryFacts, ...],
    "faults": tuple[str, ...],
}
_DECODERS: Final[dict[str, Callable[[str], Any]]] = {
    **{name: msgspec.json.Decoder(kind).decode for name, kind in _JSON.items()},
    "announced": lru_cache(maxsize=64)(msgspec.json.Decoder(_JSON["announced"]).decode),
}
"""One invocation after the other announces the same scenarios, hundreds of them: such a tuple is read once."""


def invocation_row(past: PastInvocation, *, bundle: str) -> dict[str, Any]:
    return {**_row(past), "bundle": bundle}


def result_row(past: PastScenario, *, position: int) -> dict[str, Any]:
    row = _row(past)
    del row["runs"], row["subject"]
    return {**row, "position": position, "invalidated": not past.counts}


def run_row(past: PastRun, *, result: int) -> dict[str, Any]:
    row = _row(past)
    del row["objectives"]
    return {**row, "result": result}


def objective_rows(past: PastRun) -> list[dict[str, Any]]:
    return [{**_row(one), "run": past.run, "position": position} for position, one in enumerate(past.objectives)]


def _row(past: PastInvocation | PastScenario | PastRun | PastObjective) -> dict[str, Any]:
    row = structs.asdict(past)
    return {name: encode(value).decode() if name in _JSON else value for name, value in row.items()}


def invocation_of(row: Row) -> PastInvocation:
    return PastInvocation(**_values(row, PastInvocation))


def run_of(row: Row, objectives: Iterable[Row]) -> PastRun:
    told = tuple(PastObjective(**_values(one, PastObjective)) for one in objectives)
    return PastRun(**{**_values(row, PastRun), "objectives": told})


def scenario_of(row: Row, runs: Sequence[PastRun]) -> PastScenario:
    """The row needs the subject of its invocation beside its own columns."""
    return PastScenario(**{**_values(row, PastScenario), "runs": tuple(runs)})


def _values(row: Row, wanted: type[msgspec.Struct]) -> dict[str, Any]:
    names = [name for name in wanted.__struct_fields__ if name in row]
    return {name: _DECODERS[name](row[name]) if name in _JSON else row[name] for name in names}
