"""What a script does with the exit code of meshkit-chaos: a table of ways to lose it, and of ways that keep it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from meshkit_chaos.pipelines.scripts import calls, swallowed

LOST = {
    "or true": "meshkit-chaos run || true",
    "or colon": "meshkit-chaos run --out x || :",
    "or echo": "meshkit-chaos run || echo 'chaos failed'",
    "or exit 0": "meshkit-chaos gate check || exit 0",
    "or, on the next line": "meshkit-chaos run --out x \\\n  --seed 1 || true",
    "kept and forgotten": "code=0\nmeshkit-chaos run || code=$?\necho $code",
    "errexit off": "set +e\nmeshkit-chaos run\nls",
    "semicolon true with errexit off": "set +e\nmeshkit-chaos run; true",
    "background": "meshkit-chaos run &\nsleep 1",
    "a condition without a failing branch": "if meshkit-chaos run; then echo good; fi",
    "a condition with an else that only talks": "if meshkit-chaos run; then echo good; else echo bad; fi",
    "negated": "! meshkit-chaos run",
    "and, not on the last line": "meshkit-chaos run && echo good\necho done",
    "module": "python -m meshkit_chaos run || true",
    "printed": 'echo "$(meshkit-chaos gate check)"',
    "exported": 'export OUT="$(meshkit-chaos gate check)"',
    "a local variable": "f() { local out=$(meshkit-chaos run); }\nf",
    "read from": "cat < <(meshkit-chaos run)",
    "a trap": "trap 'exit 0' EXIT\nmeshkit-chaos run",
    "another shell": "bash -c 'meshkit-chaos run; true'",
    "behind quotes": 'meshkit-chaos run --subject commit="$SHA" || true',
}
KEPT = {
    "plain": "meshkit-chaos run",
    "not the last, with errexit": "meshkit-chaos run\necho done",
    "exec": "set +e\nexec meshkit-chaos run",
    "kept and taken over": "code=0\nmeshkit-chaos run || code=$?\ncat summary\nexit $code",
    "kept with errexit off": 'set +e\nmeshkit-chaos run\ncode=$?\nls\nexit "$code"',
    "or a failure": "meshkit-chaos run || exit 1",
    "or a failure with words": "meshkit-chaos run || { echo bad; exit 1; }",
    "a condition with a failing branch": "if ! meshkit-chaos run; then\n  echo bad\n  exit 1\nfi",
    "an assignment": 'out="$(meshkit-chaos gate check)"\necho "$out"',
    "an assignment behind another": "n=$(date); out=$(meshkit-chaos run --seed $(date +%N))\necho $out",
    "in a subshell": "(cd . && meshkit-chaos run)",
    "an argument of its own": 'meshkit-chaos run --seed "$(date +%N)"',
    "a harmless trap": "trap 'ls' EXIT\nmeshkit-chaos run",
    "in a branch": "if [ -e x ]; then exec meshkit-chaos recover x; fi",
    "an operator inside of quotes": "meshkit-chaos run --subject 'note=a || true'",
    "commented out": "# meshkit-chaos run || true\nmeshkit-chaos run",
    "and, on the last line": "ls && meshkit-chaos run",
    "what does not judge": "meshkit-chaos --version || true",
}


@pytest.mark.parametrize("script", LOST.values(), ids=LOST.keys())
def test_a_lost_exit_code_is_found(script: str) -> None:
    """Each of these scripts can end with 0 although meshkit-chaos failed."""
    found = list(swallowed(script, errexit=True, pipefail=True))
    assert len(found) == 1
    assert found[0].how
    assert found[0].instead


@pytest.mark.parametrize("script", KEPT.values(), ids=KEPT.keys())
def test_a_kept_exit_code_is_left_alone(script: str) -> None:
    """Each of these scripts ends with a failure when meshkit-chaos does."""
    assert list(swallowed(script, errexit=True, pipefail=True)) == []


@pytest.mark.parametrize(("table", "green"), [(LOST, True), (KEPT, False)], ids=["lost", "kept"])
def test_the_tables_are_what_bash_says(table: dict[str, str], green: bool, tmp_path: Path) -> None:
    """Where meshkit-chaos always fails, every script of the first table is green in a real shell, and none of the second."""
    for name in ("meshkit-chaos", "python"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "summary").touch()
    (tmp_path / "x").touch()
    for name, script in table.items():
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SHA": "4f1c9e2"},
            capture_output=True,
            check=False,
        )
        if name != "what does not judge":
            assert (done.returncode == 0) is green, f"{name}: {done}"


def test_a_pipe_keeps_the_exit_code_only_with_pipefail() -> None:
    """`| tee` is the commonest of them: GitHub's default shell has no pipefail, `shell: bash` has it."""
    script = "meshkit-chaos gate check | tee out.txt"
    assert [found.instead for found in swallowed(script, errexit=True, pipefail=False)] == ["write `set -o pipefail` before it"]
    assert list(swallowed(script, errexit=True, pipefail=True)) == []
    assert list(swallowed(f"set -euo pipefail\n{script}", errexit=False, pipefail=False)) == []


def test_without_errexit_only_the_last_command_counts() -> None:
    """An Azure script goes on after a failure, unless it says otherwise."""
    script = "meshkit-chaos run\necho done"
    assert [found.instead for found in swallowed(script, errexit=False, pipefail=False)] == ["begin with `set -e`"]
    assert list(swallowed(f"set -e\n{script}", errexit=False, pipefail=False)) == []
    assert list(swallowed("echo begin\nmeshkit-chaos run", errexit=False, pipefail=False)) == []


def test_calls_are_seen_with_their_words() -> None:
    """Every call on a line, and the line of the script that it stands on."""
    found = list(calls("echo a\nmeshkit-chaos lint x.yaml && meshkit-chaos run --out y\n"))
    assert [(call.line.number, call.words) for call in found] == [(1, "lint x.yaml"), (1, "run --out y")]
    assert found[0].does("lint")
    assert not found[1].does("lint")
