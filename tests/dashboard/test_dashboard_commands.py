"""The commands around the dashboard: files for monitoring, and a server that ends when it is told to."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_lines import command
from history_builder import TWO, evidence_of, opened, variant, written


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A history with one invocation."""
    with opened(tmp_path / "history") as held:
        held.add(written(variant(evidence_of(TWO), 0), tmp_path / "out"))
    return str(tmp_path / "history")


def test_metrics_are_written_whole(place: str, tmp_path: Path) -> None:
    """The file is replaced at once, everybody may read it, and nothing is left beside it; - prints the same."""
    file = tmp_path / "textfile" / "chaos.prom"
    file.parent.mkdir()
    file.write_text("old", encoding="utf-8")
    assert command("dashboard", "metrics", str(file), "--history", place).code == 0
    assert [one.name for one in file.parent.iterdir()] == ["chaos.prom"]
    assert file.stat().st_mode & 0o444 == 0o444
    assert command("dashboard", "metrics", "-", "--history", place).out == file.read_text(encoding="utf-8")
    assert 'verdict="fail"} 1' in file.read_text(encoding="utf-8")


def test_what_cannot_be_written_is_told(place: str, tmp_path: Path) -> None:
    """The old file stays as it was, and the command does not end well."""
    ended = command("dashboard", "metrics", tmp_path / "nowhere" / "chaos.prom", "--history", place)
    assert ended.code == 4
    assert "cannot be written" in ended.err


def test_no_history_is_no_metrics(tmp_path: Path) -> None:
    """Nothing is written where nothing is known: an old file would be read as news."""
    assert command("dashboard", "metrics", str(tmp_path / "chaos.prom"), "--history", str(tmp_path / "none")).code == 2
    assert not (tmp_path / "chaos.prom").exists()


def test_grafana_and_alerts_are_files(tmp_path: Path) -> None:
    """Both are named as they are written."""
    told = command("dashboard", "grafana", tmp_path / "monitoring").out.split()
    assert sorted(told) == sorted(str(one) for one in (tmp_path / "monitoring").iterdir())
    assert len(told) == 2


@pytest.fixture
def serving(place: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command as people start it, on a free port that it tells."""
    pytest.importorskip("uvicorn", reason="pip install 'meshkit-chaos[dashboard]': the dashboard is served")
    line = [sys.executable, "-m", "meshkit_chaos", "dashboard", "serve", "--port", "0", "--history", place]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        try:
            found = re.search(r"http://127\.0\.0\.1:(\d+);", told)
            assert found is not None, told
            yield process, int(found[1])
        finally:
            process.kill()


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_ends_well(serving: tuple[subprocess.Popen[str], int], told: signal.Signals) -> None:
    """It answers, and ends with 0: a supervisor sees no failure."""
    process, port = serving
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/")
    assert b"too-strict" in connection.getresponse().read()
    connection.close()
    process.send_signal(told)
    assert process.wait(60) == 0


def test_a_port_that_is_taken_is_told(place: str) -> None:
    """It says which, and what to do; it is not a failure of what is tested."""
    pytest.importorskip("uvicorn", reason="pip install 'meshkit-chaos[dashboard]': the dashboard is served")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = command("dashboard", "serve", "--port", port, "--history", place)
    assert ended.code == 2
    assert f"127.0.0.1:{port} cannot be listened on" in ended.err
