"""Coverage-guided fuzzing of every reader, for who has time: needs ``atheris``, which is not among our dependencies.

``pip install atheris && python tests/fuzz/atheris_harness.py READER -max_total_time=600 CORPUS_FOLDER`` where READER is one of
documents, journal, block, page, query. Ends with the input that broke it.
"""

from __future__ import annotations

import contextlib
import sys
import zlib
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["meshkit_chaos"]):
    from meshkit_chaos.errors import JournalDamaged
    from meshkit_chaos.journal.blocks import decode_block
    from meshkit_chaos.journal.record import Record
    from meshkit_chaos.journal.store import read_lines
    from meshkit_chaos.judge import judge
    from meshkit_chaos.measure.exposition import Wanted, parse
    from meshkit_chaos.promql import PromQLError
    from meshkit_chaos.promql import parse as parse_query
    from meshkit_chaos.scenario.load import load_environment, load_scenarios


def documents(data: bytes) -> None:
    load_scenarios(data, path="d.yaml")
    load_environment(data, path="d.yaml")


def journal(data: bytes) -> None:
    entries, _, damage = read_lines(data)
    judge(Record(entries=tuple(entries), damage=damage))


def block(data: bytes) -> None:
    for packed in (data, zlib.compress(data)):
        with contextlib.suppress(JournalDamaged):
            decode_block(packed)


def page(data: bytes) -> None:
    parse(data, Wanted(None))


def query(data: bytes) -> None:
    with contextlib.suppress(PromQLError):
        parse_query(data.decode("utf-8", errors="replace"))


READERS: dict[str, Callable[[bytes], None]] = {
    "documents": documents,
    "journal": journal,
    "block": block,
    "page": page,
    "query": query,
}

if __name__ == "__main__":
    reader = READERS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, reader)
    atheris.Fuzz()
