"""Binaries in history: what a run found out about them is kept with it, and compared with what was built later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from history_builder import JOURNAL, Evidence, everything, evidence_of, opened, written
from msgspec import structs

from meshkit_chaos.cli.app import run
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.native.results import BuildReport, BuiltBinary
from meshkit_chaos.slo.codec import builtins, encode

MESH = BinaryFacts(
    path="out/mesh", digest="a" * 64, size=1000, format="elf", binary_class="native", toolchain="rust", name="mesh",
    platforms=("linux-x64",), linked=("libc.so.6",),
)  # fmt: skip


def deployed_with(facts: BinaryFacts) -> Evidence:
    """A run whose members were all deployed from one binary of the environment."""
    evidence = evidence_of()
    lines = [json.loads(line) for line in evidence[JOURNAL].splitlines()]
    done = [line["event"] for line in lines if line["event"]["kind"] == "deploy.done"]
    assert done
    for member in done[0]["members"]:
        member["executable"] = builtins(facts)
    return {**evidence, JOURNAL: b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    with opened(tmp_path / "history") as history:
        history.add(written(deployed_with(MESH), tmp_path / "out"))
    return tmp_path / "history"


def built(folder: Path, facts: BinaryFacts) -> Path:
    report = BuildReport(
        environment="mesh", environment_digest="d", platform="linux-x64", tool="0", ok=True,
        binaries=(BuiltBinary(name="mesh", ok=True, problems=(), facts=facts),),
    )  # fmt: skip
    file = folder / "native-build.json"
    file.write_bytes(encode(report))
    return file


def test_what_was_found_out_about_a_binary_is_kept_once_with_its_run(kept: Path) -> None:
    """Size, class, libraries and digest come back as they were recorded, however many members ran the binary."""
    with opened(kept) as history:
        assert [one.executables for past in everything(history) for one in past.runs] == [(MESH,)]


def test_a_build_is_compared_with_the_last_release(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The binaries of a subject come from history; growth and new libraries against them are told, and can be too much."""
    now = built(tmp_path, structs.replace(MESH, digest="b" * 64, size=1500, linked=("libc.so.6", "libssl.so.3")))
    command = ["native", "compare", "version=1", str(now), "--history", str(kept)]
    assert run(command) == 0
    told = capsys.readouterr().out
    assert "+50.0%" in told
    assert "needs libssl.so.3 now" in told
    assert run([*command, "--max-growth", "10%"]) == 1


def test_a_subject_without_binaries_is_no_comparison(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A subject that history does not know is an error that says so, never "nothing got worse"."""
    assert run(["native", "compare", "version=0.9", str(built(tmp_path, MESH)), "--history", str(kept)]) == 4
    assert "history knows 0 results of version=0.9" in capsys.readouterr().err
