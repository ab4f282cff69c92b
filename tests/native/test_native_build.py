"""Builds: what a command leaves is verified, and everything that can go wrong with it turns the pipeline red."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml
from native_files import elf

from meshkit_chaos.cli.app import run
from meshkit_chaos.native.build import build_variables
from meshkit_chaos.native.results import read_report
from meshkit_chaos.native.verify import host_platform

pytestmark = pytest.mark.skipif(host_platform() != "linux-x64", reason="needs Linux on x86-64: the programs are made for it")

GOOD = "import shutil; shutil.copy('made', 'mesh')"


class Project:
    """A folder with an environment document, and what its build makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "made").write_bytes(elf())

    def write(self, script: str, more: str = "") -> Path:
        file = self.folder / "mesh.yaml"
        build = json.dumps([sys.executable, "-c", script])
        file.write_text(
            textwrap.dedent("""\
            version: 1
            name: mesh
            kind: process
            members: {count: 1, name: "mesh-${index}"}
            command: ["${binary.mesh}"]
            binaries:
              mesh:
                path: mesh
            """)
            + f"    build: {build}\n"
            + textwrap.indent(more, "    ")
        )
        return file

    def build(self, script: str, more: str = "", *, allow: bool = True) -> tuple[int, dict[str, Any]]:
        file = self.write(script, more)
        out = self.folder / "built"
        command = ["native", "build", "--env", str(file), "--out", str(out), "--junit", str(self.folder / "junit.xml")]
        code = run([*command, *(["--allow-commands"] if allow else [])])
        result = out / "native-build.json"
        return code, json.loads(result.read_bytes()) if result.exists() else {}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_build_is_run_verified_and_recorded(project: Project) -> None:
    """A good build: exit 0, a result with the facts of what was made, its log, and a passing JUnit case."""
    code, result = project.build("print('compiling'); " + GOOD)
    assert code == 0
    (binary,) = result["binaries"]
    assert (result["ok"], binary["ok"], binary["facts"]["class"], binary["unchanged"]) == (True, True, "native", False)
    assert (project.folder / "built" / "mesh.log").read_text() == "compiling\n"
    suite = next(iter(JUnitXml.fromfile(str(project.folder / "junit.xml"))))
    assert (suite.tests, suite.failures, suite.errors) == (1, 0, 0)


@pytest.mark.parametrize(
    ("script", "more", "problem"),
    [
        ("import sys; print('undefined symbol'); sys.exit(3)", "", "ended with status 3; its last words: undefined symbol"),
        ("import os; os.kill(os.getpid(), 9)", "", "killed by signal 9"),
        ("pass", "", "what it should give is not there"),
        ("open('mesh', 'w').write('#!/bin/sh')", "", "a script, run by /bin/sh"),
        (GOOD, "digest: sha256:" + "0" * 64, "expected 0000"),
        (GOOD, "runtime: linux-arm64", "it is for linux-x64, expected linux-arm64"),
        (GOOD, "folder: nowhere", "the build cannot be run"),
        ("print('x.cs: warning IL2026: trimmed'); " + GOOD, "forbid_output: [warning IL]", "warning IL2026"),
        ("import time; time.sleep(60)", "timeout: 300ms", "did not end within 300ms and was killed"),
        (
            r"print('\x1b[1m\x1b[33mwarning\x1b[0m\x1b[1m: unused variable'); " + GOOD,
            'forbid_output: ["warning:"]',
            "what is forbidden: warning: unused variable",
        ),
        ("print('x' * 65_530 + 'warning: unused'); " + GOOD, 'forbid_output: ["warning:"]', "what is forbidden: xxx"),
        (GOOD, "sbom: missing.json", "what it should give is not there"),
    ],
)
def test_whatever_is_wrong_with_a_build_is_red(project: Project, script: str, more: str, problem: str) -> None:
    """Exit 1, a result that says which binary and why, and a failing JUnit case with the same words."""
    code, result = project.build(script, more)
    (binary,) = result["binaries"]
    assert (code, result["ok"], binary["ok"]) == (1, False, False)
    assert any(problem in told for told in binary["problems"]), binary["problems"]
    suite = next(iter(JUnitXml.fromfile(str(project.folder / "junit.xml"))))
    assert suite.failures == 1
    assert problem in next(iter(suite)).result[0].text


def test_one_binary_is_told_as_one(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """What a person reads of a build: the platform, and one binary in the singular."""
    assert project.build(GOOD)[0] == 0
    told = capsys.readouterr().out
    assert re.search(r"^  native, linux-x64, \d+ bytes, SHA-256 [0-9a-f]{64}$", told, re.MULTILINE), told
    assert told.rstrip().endswith("1 of 1 binary is what environment mesh demands")
    assert project.build(GOOD, allow=False)[0] == 2
    assert "the documents hold 1 command, which runs only where you allow it" in capsys.readouterr().err


def test_a_build_runs_only_where_commands_are_allowed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Without leave the command is shown and nothing is run or written."""
    code, result = project.build(GOOD, allow=False)
    assert (code, result) == (2, {})
    assert not (project.folder / "mesh").exists()
    assert "build of mesh" in capsys.readouterr().err


def test_an_old_result_is_not_taken_for_a_new_one(project: Project) -> None:
    """The result of an earlier build is gone before the next begins; bytes that the build left as they were are told."""
    project.build(GOOD)
    assert project.build(GOOD)[1]["binaries"][0]["unchanged"] is True
    assert project.build("raise SystemExit(1)")[1]["ok"] is False


def test_nothing_of_a_build_goes_on_behind_it(project: Project) -> None:
    """A child that the build leaves running is ended with it."""
    script = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid); " + GOOD
    )
    assert project.build(script)[0] == 0
    assert is_gone(int((project.folder / "built" / "mesh.log").read_text()))


def test_a_signal_ends_the_build_and_leaves_no_result(project: Project) -> None:
    """SIGTERM in the middle of a build: the build is killed, the exit code is 2, and no result can be mistaken for one."""
    file = project.write("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    log = project.folder / "built" / "mesh.log"
    words = ["native", "build", "--env", str(file), "--out", str(log.parent), "--allow-commands"]
    with subprocess.Popen([sys.executable, "-P", "-m", "meshkit_chaos", *words], stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 30
        while not (log.exists() and log.read_text().endswith("\n")):
            assert time.monotonic() < until, "the build did not begin"
            time.sleep(0.01)
        process.terminate()
        assert process.wait(timeout=30) == 2
    assert is_gone(int(log.read_text()))
    assert not (log.parent / "native-build.json").exists()


def is_gone(pid: int) -> bool:
    """Whether a process has ended, within two seconds."""
    for _ in range(200):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_build_sees_what_compilers_need_and_no_tokens() -> None:
    """The operator's tokens reach a build only where the document names them."""
    seen = {"PATH": "/bin", "CARGO_HOME": "/c", "GITHUB_TOKEN": "t", "NUGET_TOKEN": "n"}
    assert build_variables(seen, ("NUGET_TOKEN",)) == {"PATH": "/bin", "CARGO_HOME": "/c", "NUGET_TOKEN": "n"}
    assert build_variables({}, ()) == {"PATH": os.defpath}


@pytest.mark.parametrize(
    "damage",
    [lambda text: "", lambda text: text[: len(text) // 2], lambda text: text.replace('"problems": []', '"problems": ["x"]')],
    ids=["empty", "cut", "contradicting"],
)
def test_a_damaged_result_is_no_pass(project: Project, damage: Any) -> None:
    """A result that is empty, cut, or says ok of what it lists as failed is refused as a document."""
    project.build(GOOD)
    file = project.folder / "built" / "native-build.json"
    file.write_text(damage(file.read_text()))
    assert run(["native", "compare", str(file), str(file)]) == 4


def test_compare_tells_growth_and_what_is_needed_now(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A binary that grew, and needs another library, is told with both; over the limit, the exit code is 1."""
    then, now = project.folder / "then", project.folder / "now"
    then.write_bytes(elf())
    now.write_bytes(elf(linked=("libssl.so.3",), loader="/lib64/ld-linux-x86-64.so.2", body=bytes(1000)))
    assert run(["native", "compare", str(then), str(now)]) == 0
    out = capsys.readouterr().out
    assert "needs libssl.so.3 now" in out
    assert "static yes → no" in out
    assert run(["native", "compare", str(then), str(now), "--max-growth", "5%"]) == 1
    assert run(["native", "compare", str(then), str(then)]) == 0


def test_compare_is_red_where_native_code_is_lost(project: Project) -> None:
    """A program that was native and now brings an interpreter is worse, whatever its size."""
    then, now = project.folder / "then", project.folder / "now"
    then.write_bytes(elf())
    now.write_bytes(elf(sections={".PyRuntime": b"\0"}))
    assert run(["native", "compare", str(then), str(now)]) == 1


def test_an_environment_without_binaries_has_nothing_to_build(tmp_path: Path) -> None:
    """Nothing to build is a mistake in the command line, never a green build."""
    file = tmp_path / "mesh.yaml"
    file.write_text('version: 1\nname: mesh\nkind: process\nmembers: {count: 1, name: "m-${index}"}\ncommand: [sleep, "9"]\n')
    assert run(["native", "build", "--env", str(file), "--allow-commands"]) == 4


def test_a_report_is_ok_only_with_something_in_it() -> None:
    """A result without any binary that says ok is refused."""
    with pytest.raises(Exception, match="what it lists says otherwise"):
        read_report(
            b'{"document":"native-build","schema":1,"environment":"e","environment_digest":"","platform":"linux-x64","tool":"0",'
            b'"ok":true,"binaries":[]}',
            path="x",
        )
