"""Every example is whole: its documents lint clean, its tests come out as they say, its README tells each scenario."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshkit_chaos.cli.app import run

EXAMPLES = sorted(path.parent for path in (Path(__file__).parents[2] / "examples").glob("*/chaos-scenarios.yaml"))
TESTED = [folder for folder in EXAMPLES if (folder / "chaos-scenarios.test.yaml").exists()]


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_documents_lint_clean(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither an error nor a warning in any of its documents."""
    assert run(["lint", *map(str, sorted(folder.glob("*.yaml")))]) == 0
    assert "0 errors, 0 warnings" in "".join(capsys.readouterr())


@pytest.mark.parametrize("folder", TESTED, ids=lambda folder: folder.name)
def test_the_tests_come_out_as_they_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All tests are as expected, and every key objective was seen failing."""
    code = run(["test", str(folder / "chaos-scenarios.test.yaml"), "--strict"])
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("folder", TESTED, ids=lambda folder: folder.name)
def test_the_readme_has_a_verdict_for_each_scenario(folder: Path) -> None:
    """Its table has every scenario of the file, and no other."""
    written = re.findall(r"^  - id: (\S+)$", (folder / "chaos-scenarios.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    told = re.findall(r"^\| `([a-z0-9-]+)` \| (?:pass|fail) \| ", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(written)
