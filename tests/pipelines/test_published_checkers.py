"""What the platforms' own checkers say of every shipped definition: ours, and those that users get."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from shipped import own_files, users_files

pytestmark = pytest.mark.slow
CHECKERS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "actionlint": ("actionlint", (), ".github/workflows"),
    "zizmor": ("zizmor", ("--offline", "--no-progress", "--quiet", "--persona=regular"), ".github/workflows"),
    "GitHub schema": ("check-jsonschema", ("--builtin-schema", "vendor.github-workflows"), ".github/workflows"),
    "zizmor of the action": ("zizmor", ("--offline", "--no-progress", "--quiet"), "action.yml"),
    "GitHub schema of the action": ("check-jsonschema", ("--builtin-schema", "vendor.github-actions"), "action.yml"),
    "Azure schema": (
        "check-jsonschema",
        ("--builtin-schema", "vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"),
        "azure-pipelines",
    ),
}


def checked(name: str, files: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a checker over those of the files that it is for."""
    program, words, place = CHECKERS[name]
    path = Path(sys.executable).parent / program
    if not path.is_file():
        pytest.skip(f"needs {program}: make .venv/.ci")
    written = []
    for file in sorted(file for file in files if file.startswith(place)):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(files[file], encoding="utf-8")
        written.append(file)
    assert written
    return subprocess.run([str(path), *words, *written], cwd=folder, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("name", CHECKERS)
def test_our_own_definitions_pass(name: str, tmp_path: Path) -> None:
    """Of this repository, with nothing suppressed in the files."""
    done = checked(name, own_files(), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [name for name in CHECKERS if "action" not in name.split()])
def test_what_users_get_passes(name: str, tmp_path: Path) -> None:
    """With several environments, shards, tags and native builds."""
    done = checked(name, users_files(), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


BROKEN = {
    "actionlint": ("needs: chaos\n", "needs: nobody\n"),
    "zizmor": ("@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5"),
    "GitHub schema": ("runs-on: ubuntu-24.04", "runs-upon: ubuntu-24.04"),
    "zizmor of the action": ('<<< "$SCENARIOS"', '<<< "${{ inputs.scenarios }}"'),
    "GitHub schema of the action": ("using: composite", "using: composition"),
    "Azure schema": ("testResultsFormat: JUnit", "testResultFormat: JUnit"),
}


@pytest.mark.parametrize("name", CHECKERS)
def test_each_checker_sees_a_mistake(name: str, tmp_path: Path) -> None:
    """A checker that finds nothing in a broken file would prove nothing."""
    old, new = BROKEN[name]
    files = own_files()
    assert any(old in text for text in files.values())
    assert checked(name, {file: text.replace(old, new) for file, text in files.items()}, tmp_path).returncode != 0
