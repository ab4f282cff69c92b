"""The file of overrides under writers that come at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from meshkit_chaos.cli.overrides_file import append
from meshkit_chaos.errors import ChaosError
from meshkit_chaos.gate.load import load_overrides

WRITERS = 8


def entry(number: int) -> dict[str, Any]:
    return {
        "id": f"accepted-{number}",
        "subject": {"commit": "9fceb02d"},
        "scenario": f"scenario-{number}",
        "objective": "converge-one-leader",
        "accept": {"within": "9s"},
        "reason": "slower lease, fixed in 1.4.3",
        "ticket": "MESH-123",
        "author": "ann",
        "approver": "bo",
        "created": "2026-11-20T10:00:00Z",
        "expires": "2026-11-27T10:00:00Z",
        "proof": {"review": f"https://forge.example/{number}"},
    }


def test_writers_that_come_at_once_lose_no_entry(tmp_path: Path) -> None:
    """Each of eight writers finds the entries of those before it: all eight are in the file at the end."""
    file, together = tmp_path / "chaos-overrides.yaml", Barrier(WRITERS)

    def write(number: int) -> None:
        together.wait()
        append(file, entry(number))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    loaded = load_overrides(file.read_bytes(), path=str(file))
    assert loaded.value is not None
    assert {one.id for one in loaded.value.entries} == {f"accepted-{number}" for number in range(WRITERS)}
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Whoever names a file where none can be gets a sentence with the name in it, and no traceback."""
    with pytest.raises(ChaosError, match="cannot be written"):
        append(tmp_path / "nowhere" / "chaos-overrides.yaml", entry(0))


def test_a_file_that_is_no_utf_8_is_left_as_it_is(tmp_path: Path) -> None:
    """Nobody's reason is rewritten because a byte of it could not be read; it is told where the byte is."""
    file = tmp_path / "chaos-overrides.yaml"
    append(file, entry(0))
    before = file.read_bytes().replace(b"slower lease", b"na\xefve lease")
    file.write_bytes(before)
    with pytest.raises(ChaosError, match=r"is not UTF-8 text: byte [0-9]+ is 0xef"):
        append(file, entry(1))
    assert file.read_bytes() == before
