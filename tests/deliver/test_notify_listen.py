"""The first routes file, trying routes out with nobody's server, and the routes that are shipped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from meshkit_chaos.cli.app import run
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.deliver.load import load_routing
from meshkit_chaos.deliver.signing import HEADER, signature

ROOT = Path(__file__).resolve().parents[2]
SECRET = "only-for-this-test"
ROUTES = """\
version: 1
project: MeshKit
channels:
  - id: own
    webhook: {url: {env: CHAOS_WEBHOOK}, secret: {env: CHAOS_WEBHOOK_SECRET}}
routes:
  - {id: everything, to: [own]}
"""


@contextmanager
def listening(folder: Path, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command as a process of its own, and its address; ended in any case."""
    address = folder / "address.txt"
    process = subprocess.Popen(
        [sys.executable, "-m", "meshkit_chaos", "notify", "listen", "own", "--address", str(address), *words],
        cwd=folder,
        env={**os.environ, "CHAOS_WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("listening on http://127.0.0.1:")
        yield address.read_text().strip(), process
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chaos-notify.yaml").write_text(ROUTES)
    return tmp_path


def test_what_is_signed_is_printed_once_and_nothing_else_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test message arrives; one that nobody signed is refused, and so is one of another secret."""
    with listening(folder, "--count", "1") as (address, process):
        for header in ("", signature("another", b"{}", at_s=SystemClock().wall_ns() // 10**9)):
            assert httpx2.post(address, content=b"{}", headers={HEADER: header}, trust_env=False).status_code == 401
        monkeypatch.setenv("CHAOS_WEBHOOK", address)
        monkeypatch.setenv("CHAOS_WEBHOOK_SECRET", SECRET)
        assert run(["notify", "test", "own"]) == 0
        out, err = process.communicate(timeout=10)
        assert process.returncode == 0
    assert out == "test: Test message of MeshKit\n"
    assert err.count("refused a POST") == 2
    assert SECRET not in out + err


def test_a_first_routes_file_is_right_as_it_is(tmp_path: Path) -> None:
    """Every channel is admitted, and lint has nothing to say."""
    assert run(["notify", "init", str(tmp_path)]) == 0
    loaded = load_routing((tmp_path / "chaos-notify.yaml").read_bytes(), path="chaos-notify.yaml")
    assert loaded.value is not None
    assert loaded.problems == ()


def test_our_own_routes_have_only_the_warnings_that_they_own_up_to() -> None:
    """Issues and nobody else: lint says so, and nothing more."""
    loaded = load_routing((ROOT / "chaos-notify.yaml").read_bytes(), path="chaos-notify.yaml")
    assert loaded.value is not None
    assert {problem.rule for problem in loaded.problems} == {"MC407"}


def test_preview_shows_an_issue_of_the_repository_that_only_the_workflow_knows(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a desk there is no workflow; what would be sent is shown all the same, with a stand-in for its name."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.delenv("GITHUB_API_URL", raising=False)
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(folder / "state"))
    (folder / "chaos-notify.yaml").write_text((ROOT / "chaos-notify.yaml").read_text())
    source = ROOT / "src/meshkit_chaos"
    text = (source / "demo/chaos-scenarios.yaml").read_text().replace("within: 5s}", "within: 500ms}", 1)
    (folder / "chaos-scenarios.yaml").write_text(text)
    words = ["--env", str(source / "starter/simulated-mesh.yaml"), "--seed", "1", "--out", "night", "leader-killed"]
    assert run(["run", *words, "--subject", "trigger=nightly"]) == 1
    capsys.readouterr()
    assert run(["notify", "preview", "night"]) == 0
    assert "POST https://api.github.com/repos/OWNER/NAME/issues" in capsys.readouterr().out
