"""What may be taken from a history as a file: the bundle of an invocation, its logs, and the documents that were kept of it.

A name is looked up in the index and nothing else: no part of what a reader types becomes a path. Whatever is given was compared
with its digest. It is always given as a file to keep, never as a page of ours.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.bundles import is_ulid, unpack
from meshkit_chaos.history.database import Database
from meshkit_chaos.history.evidence import digest
from meshkit_chaos.history.logs import logs_of, unpack_logs
from meshkit_chaos.history.reading import IndexReader
from meshkit_chaos.history.shelf import Shelf
from meshkit_chaos.history.writing import bundle_of

BUNDLE: Final = ".tar.gz"
LOGS: Final = "logs.tar.gz"
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]")


class Download(Struct, frozen=True, kw_only=True):
    """``name``: what it is called where it is kept; nothing but letters, digits, dots, dashes."""

    name: str
    data: bytes


def download(database: Database, shelf: Shelf, path: str) -> Download | None:
    """``INVOCATION.tar.gz``, ``INVOCATION/logs.tar.gz`` or ``INVOCATION/DOCUMENT``; None where there is none.

    Raises HistoryProblem for altered ones.
    """
    invocation, slash, document = path.partition("/")
    if not slash:
        invocation = invocation.removesuffix(BUNDLE) if invocation.endswith(BUNDLE) else ""
    if not is_ulid(invocation) or "\0" in document:
        return None
    if document == LOGS:
        return _logs(database, shelf, invocation)
    return _document(database, shelf, invocation, document) if slash else _bundle(database, shelf, invocation)


def _bundle(database: Database, shelf: Shelf, invocation: str) -> Download | None:
    with database.reading() as connection:
        name = bundle_of(connection, invocation)
    if name is None:
        return None
    data = shelf.read(name)
    unpack(name, data)  # raises where its bytes are not what its name says
    return Download(name=invocation + BUNDLE, data=data)


def _logs(database: Database, shelf: Shelf, invocation: str) -> Download | None:
    found = logs_of(database, shelf, invocation)
    if found is None:
        return None
    unpack_logs(*found)  # raises where they are not what we write
    return Download(name=f"{invocation}-{LOGS}", data=found[1])


def _document(database: Database, shelf: Shelf, invocation: str, document: str) -> Download | None:
    row = next((row for row in IndexReader(database).documents(invocation) if row["name"] == document), None)
    if row is None:
        return None
    hexed = str(row["digest"])
    data = shelf.read(f"sha256/{hexed[:2]}/{hexed[2:]}")
    if digest(data) != hexed:
        hint = "copy it there again, or import the results again"
        raise HistoryProblem(f"the document {document} of {invocation} was altered", hint=hint)
    return Download(name=f"{invocation}-{_PLAIN.sub('_', document)}", data=data)
