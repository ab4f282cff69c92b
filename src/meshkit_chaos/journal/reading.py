"""A run's folder → its whole Record, samples included. Nothing is required of the folder but that a journal is in it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from meshkit_chaos.errors import JournalDamaged
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.blocks import Block, decode_block, join_blocks
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.store import SAMPLES, read_journal

_BLOCK_NAME: Final = re.compile(r"[0-9a-f]{32}")
_LARGEST_BLOCK: Final = 64 * 1024 * 1024


def read_record(folder: Path) -> Record:
    """Read a run. What is torn, missing or altered becomes ``damage``. Raises JournalDamaged where there is no journal."""
    entries, damage, data = read_journal(folder)
    blocks: list[Block] = []
    complaints = list(damage)
    for entry in entries:
        if isinstance(entry.event, ev.SamplesFlushed):
            try:
                blocks.append(_read_block(folder, entry.event.block))
            except JournalDamaged as error:
                complaints.append(error.message)
    try:
        samples = join_blocks(blocks)
    except JournalDamaged as error:
        complaints.append(error.message)
        samples = join_blocks([])
    return Record(entries=tuple(entries), samples=samples, damage=tuple(complaints), digest=hashlib.sha256(data).hexdigest())


def _read_block(folder: Path, name: str) -> Block:
    if not _BLOCK_NAME.fullmatch(name):
        raise JournalDamaged(f"a sample block has the impossible name {name[:80]!r}")
    path = folder / SAMPLES / name
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST_BLOCK:
            raise JournalDamaged(f"the sample block {name} is a link or larger than {_LARGEST_BLOCK} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise JournalDamaged(f"the sample block {name} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest()[:32] != name:
        raise JournalDamaged(f"the sample block {name} was altered: its digest differs")
    return decode_block(data)
