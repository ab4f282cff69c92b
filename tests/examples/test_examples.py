"""Every example is whole: its documents lint clean, its tests come out as they say, its README tells each scenario."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.cli.app import run
from meshkit_chaos.journal import events as ev

pytestmark = pytest.mark.slow  # whole examples are run

ROOT = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path.parent for path in ROOT.glob("*/chaos-scenarios.yaml"))
TESTS = sorted(ROOT.glob("*/*.test.yaml"))
TESTED = sorted({path.parent for path in TESTS})


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_documents_lint_clean(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither an error nor a warning in any of its documents."""
    assert run(["lint", *map(str, sorted(folder.glob("*.yaml")))]) == 0
    assert "0 errors, 0 warnings" in "".join(capsys.readouterr())


@pytest.mark.parametrize("file", TESTS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_the_tests_come_out_as_they_say(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All tests are as expected, and every key objective was seen failing."""
    code = run(["test", str(file), "--strict"])
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("folder", TESTED, ids=lambda folder: folder.name)
def test_the_readme_has_a_verdict_for_each_scenario(folder: Path) -> None:
    """Its tables have every scenario of its files, and no other."""
    files = [file for file in folder.glob("chaos-scenarios*.yaml") if not file.name.endswith(".test.yaml")]
    written = [name for file in files for name in re.findall(r"^  - id: (\S+)$", file.read_text("utf-8"), re.MULTILINE)]
    told = re.findall(r"^\| `([a-z0-9-]+)` \| (?:pass|fail) \| ", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(written)


def test_the_etcd_pack_keeps_the_rules_of_a_run_on_a_simulated_mesh(tmp_path: Path) -> None:
    """Every scenario is planned and run to its end; each fault bites, each is undone once, and nothing is left broken."""
    folder = ROOT / "etcd"
    file, environment, out = folder / "chaos-scenarios.yaml", folder / "simulated.yaml", tmp_path / "out"
    assert run(["run", "--file", str(file), "--env", str(environment), "--out", str(out), "--seed", "7"]) in {0, 1, 2}
    results = read_results(out)
    assert len(results.verdict.runs) == len(json.loads((out / "verdict.json").read_bytes())["scenarios"]) == 19
    for verdict, record in zip(results.verdict.runs, results.records, strict=True):
        assert record is not None
        assert (verdict.outcome, verdict.environment) == ("completed", "clean"), verdict.scenario
        effects = [event for _, event in record.of(ev.EffectObserved)]
        assert effects
        assert all(effect.bit for effect in effects), verdict.scenario
        assert len(list(record.of(ev.RevertDone))) == len(list(record.of(ev.FaultIntended)))
