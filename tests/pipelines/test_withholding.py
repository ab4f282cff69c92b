"""A results folder that a secret leaked into, on its way to an artifact: the value stays behind, and nothing turns green."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.cli.app import run

SOURCE = Path(__file__).resolve().parents[2] / "src/meshkit_chaos"
VALUE = "plain-but-secret"


@pytest.fixture
def out(own_state: Path) -> Path:
    """A run that passed, of the starter's mesh."""
    words = ["--file", str(SOURCE / "demo/chaos-scenarios.yaml"), "--env", str(SOURCE / "starter/simulated-mesh.yaml")]
    assert run(["run", *words, "--seed", "1", "--out", "chaos-results", "leader-killed"]) == 0
    return own_state / "chaos-results"


def leak(out: Path, file: str, *, text: str = VALUE) -> Path:
    """Put the value into a file of the run, and let the journal tell it as a run does that found it."""
    (folder,) = (out / "runs").glob("*/*")
    place = folder / file
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    journal = folder / "journal.jsonl"
    lines = journal.read_text().splitlines()
    told = {"seq": len(lines), "t": 9, "event": {"kind": "secret.leaked", "secret": "TOKEN", "file": file}}
    journal.write_text("\n".join([*lines, json.dumps(told, separators=(",", ":"))]) + "\n")
    return place


def holds(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and VALUE.encode() in path.read_bytes()]


def test_a_log_with_a_secret_is_withheld_and_the_rest_is_published(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file says why it is gone, the run is invalid, and publishing again changes nothing."""
    place = leak(out, "logs/etcd-1.log")
    for _ in range(2):
        assert run(["pipelines", "publish", str(out), "--to", "github"]) == 2
        captured = capsys.readouterr()
        assert "logs/etcd-1.log is withheld: the secret TOKEN leaked into it" in captured.err
        assert "::error" in captured.out
        assert holds(out) == []
    assert place.read_text() == "withheld: the secret TOKEN leaked into this file\n"
    assert read_results(out).verdict.scenarios[0].verdict == "invalid"


@pytest.mark.parametrize("file", ["samples/one.blk", "../../../../elsewhere.log"])
def test_a_record_that_holds_a_secret_is_put_aside_whole(out: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is left where the upload looks; nothing outside of the folder is touched."""
    leak(out, file)
    assert run(["pipelines", "publish", str(out), "--to", "azure"]) == 2
    captured = capsys.readouterr()
    assert not out.exists()
    assert (out.parent / "chaos-results.leaked").is_dir()
    assert "so nothing is published" in captured.err
    assert VALUE not in captured.out + captured.err
    if file.startswith(".."):
        assert (out.parent / "elsewhere.log").read_text() == VALUE


def test_a_file_that_is_not_where_it_was_told_is_not_taken_for_harmless(out: Path) -> None:
    """Its name may hold the value: what cannot be found cannot be withheld."""
    leak(out, "logs/etcd-1.log").unlink()
    assert run(["pipelines", "publish", str(out), "--to", "github"]) == 2
    assert not out.exists()
