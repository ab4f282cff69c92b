"""The example with the load generator: built from source, verified, deployed with real etcd, and seen by its own client."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from lab_runs import Corner, LabRun

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
EXAMPLE = Path(__file__).parents[2] / "examples" / "etcd-load"
_WITHIN_S = 300.0


@pytest.fixture
def example(corner: Corner) -> Path:
    """The example's documents and sources, in the corner."""
    if shutil.which("cargo") is None:
        pytest.skip("needs cargo: .ci/run installs it")
    folder = corner.folder / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("target"))
    return folder


def build(corner: Corner, example: Path) -> tuple[int, Path]:
    out = example / "native-build"
    junit = str(example / "native.xml")
    words = ("native", "build", "--env", str(example / "etcd-load.yaml"), "--out", str(out), "--junit", junit)
    code, _, _ = corner.command(*words, "--allow-commands", within=_WITHIN_S)
    return code, out


def run(corner: Corner, example: Path, built: Path) -> tuple[int, LabRun]:
    out = corner.folder / "out"
    file = str(example / "chaos-scenarios.yaml")
    words = ("run", "leader-killed-under-load", "--file", file, "--built", str(built), "--out", str(out), "--seed", "7")
    started = corner.start(*words, scenario="leader-killed-under-load", out=out)
    return started.ended(within=_WITHIN_S), started


def test_availability_as_a_client_sees_it_is_judged(corner: Corner, example: Path) -> None:
    """The client is a native binary with the digest that was built; it notices the leader's death, and the report plots it."""
    code, built = build(corner, example)
    assert code == 0
    (binary,) = json.loads((built / "native-build.json").read_bytes())["binaries"]
    code, done = run(corner, example, built)
    assert code in (0, 2), done.said()  # a busy machine may leave it open, never refute it
    (deployed,) = done.events(ev.DeployDone)
    client = next(member for member in deployed.members if member.name == "load")
    assert client.executable is not None
    assert (client.executable.binary_class, client.executable.toolchain) == ("native", "rust")
    assert client.binary_digest == client.executable.digest == binary["facts"]["digest"]
    assert done.verdict().binaries["load"] == client.binary_digest
    changes = [event.state for event in done.events(ev.IndicatorChanged) if event.indicator == "availability"]
    assert "bad" in changes
    assert changes[-1] == "good"
    assert all("load" not in event.members for event in done.events(ev.TargetResolved))
    report = (corner.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "availability, good in the band" in report
    assert f"{client.binary_digest}, native, rust, linux-x64" in report
    assert not corner.left()


def test_a_broken_build_is_red_and_named_in_every_result(corner: Corner, example: Path) -> None:
    """An error in the source: the build ends with 1 and says so in JUnit; a run after it deploys nothing and says why."""
    source = example / "mesh-load" / "src" / "main.rs"
    source.write_text(source.read_text(encoding="utf-8") + "\nfn broken( {\n", encoding="utf-8")
    code, built = build(corner, example)
    assert code == 1
    assert 'failures="1"' in (example / "native.xml").read_text(encoding="utf-8")
    code, done = run(corner, example, built)
    assert code == 2
    verdict = json.loads((corner.folder / "out" / "verdict.json").read_bytes())
    assert [scenario["verdict"] for scenario in verdict["scenarios"]] == ["not-run"]
    for name in ("verdict.json", "junit.xml", "summary.md"):
        assert "the native build failed, so nothing is deployed: mesh-load" in (corner.folder / "out" / name).read_text("utf-8")
    assert not (done.folder / "journal.jsonl").exists()
    assert not corner.left()


def test_a_binary_swapped_after_the_build_is_not_run(corner: Corner, example: Path) -> None:
    """Another native program where the built one was: deployment is refused with both digests, and nothing is left."""
    code, built = build(corner, example)
    assert code == 0
    target = example / "mesh-load" / "target" / "release" / "mesh-load"
    target.unlink()
    shutil.copy(shutil.which("sleep") or "", target)
    code, done = run(corner, example, built)
    assert code == 2
    (failed,) = [event for _, event in read_record(done.folder).of(ev.DeployFailed)]
    assert "binary mesh-load is not run: its SHA-256 is" in failed.reason
    assert not done.events(ev.FaultIntended)
    assert not corner.left()


def test_the_load_generators_own_tests(example: Path) -> None:
    """Its unit tests pass: schedule, failover, histogram, windows, answers that are cut off."""
    words = ["cargo", "test", "--locked", "--offline", "--manifest-path", "mesh-load/Cargo.toml"]
    done = subprocess.run(words, cwd=example, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 passed" in done.stdout
