"""Real files: what lies beside them, what is no file, and the command that verifies them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from native_files import elf, pe

from meshkit_chaos.cli.app import run
from meshkit_chaos.native import marks
from meshkit_chaos.native.verify import NotReadable, host_platform, verify

pytestmark = pytest.mark.skipif(host_platform() != "linux-x64", reason="needs Linux on x86-64: the programs are made for it")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A native program, alone in its folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / "mesh"
    file.write_bytes(elf())
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("mesh.dll", pe(assembly=True), "mesh.dll lies beside it: an assembly"),
        ("Other.dll", pe(assembly=True), "Other.dll lies beside it: an assembly"),
        ("mesh.deps.json", b"{}", "mesh.deps.json lies beside it: a list for the .NET runtime"),
        ("mesh.runtimeconfig.json", b"{}", "a list for the .NET runtime"),
        ("libcoreclr.so", b"", "a part of the .NET runtime"),
        ("libclrjit.so", b"", "a part of the .NET runtime"),
    ],
)
def test_a_jit_layout_is_refused(program: Path, name: str, data: bytes, reason: str) -> None:
    """A program beside the files of a .NET application that is compiled as it runs is refused, and the file is named."""
    (program.parent / name).write_bytes(data)
    facts = verify(program)
    assert facts.binary_class == "jit"
    assert reason in facts.refusals[0]


def test_what_is_no_part_of_a_runtime_may_lie_beside(program: Path) -> None:
    """A native library for Windows, another program's list and a readme change nothing."""
    (program.parent / "native.dll").write_bytes(pe())
    (program.parent / "other.deps.json").write_bytes(b"{}")
    (program.parent / "README.md").write_bytes(b"")
    assert verify(program).binary_class == "native"


def test_an_apphost_is_refused_with_and_without_its_libraries(program: Path) -> None:
    """A host of .NET is refused for what it is, and what lies beside it is told too."""
    program.write_bytes(elf(body=bytes(8) + marks.BUNDLE + b"hostfxr_main"))
    alone = verify(program)
    assert alone.binary_class == "jit"
    (program.parent / "mesh.dll").write_bytes(pe(assembly=True))
    assert len(verify(program).refusals) == len(alone.refusals) + 1


def test_a_link_is_followed_to_what_lies_beside_the_file_itself(program: Path, tmp_path: Path) -> None:
    """A symbolic link elsewhere hides no runtime."""
    (program.parent / "mesh.dll").write_bytes(pe(assembly=True))
    link = tmp_path / "mesh"
    link.symlink_to(program)
    assert verify(link).binary_class == "jit"


def test_a_pipe_a_folder_and_a_terabyte_are_no_programs(tmp_path: Path) -> None:
    """What is no regular file, or claims an absurd size, is refused at once; a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing", tmp_path / "sparse"):
        with pytest.raises(NotReadable):
            verify(path)


def test_verify_says_what_it_is_and_ends_with_0(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An accepted file: exit 0, and its class, digest and evidence as data."""
    assert run(["native", "verify", str(program), "--format", "json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["accepted"] is True
    assert told["class"] == "native"
    assert told["digest"] == hashlib.sha256(program.read_bytes()).hexdigest()


def test_verify_ends_with_1_where_one_is_refused(program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One refused file among accepted ones: exit 1, with its reason."""
    script = tmp_path / "mesh.sh"
    script.write_bytes(b"#!/bin/sh\n")
    assert run(["native", "verify", str(program), str(script)]) == 1
    out = capsys.readouterr().out
    assert "mesh: accepted: native" in out
    assert "mesh.sh: REFUSED: script" in out
    assert "a script, run by /bin/sh" in out


def test_hostile_paths_and_texts_reach_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters in a file's name or in its first line are shown as text, on lines of their own."""
    file = tmp_path / "a\x1b[31m\nb"
    file.write_bytes(b"#!/bin/sh \x1b[2J\n")
    assert run(["native", "verify", str(file)]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 4


@pytest.mark.parametrize(
    "more",
    [["--runtime", "linux-arm64"], ["--digest", "0" * 64]],
    ids=["platform", "digest"],
)
def test_verify_holds_a_file_against_what_is_asked(program: Path, more: list[str]) -> None:
    """Another platform or digest than the one asked for: exit 1."""
    assert run(["native", "verify", str(program), *more]) == 1


def test_verify_ends_with_4_where_there_is_no_file(tmp_path: Path) -> None:
    """What cannot be read is a mistake of whoever asked, not an answer about a binary."""
    assert run(["native", "verify", str(tmp_path / "missing")]) == 4
    assert run(["native", "verify"]) == 4
