"""What a file is said to be, on what evidence, and why it is refused: over executables made by hand."""

from __future__ import annotations

import struct

import pytest
from native_files import elf, macho, pe, universal

from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.native import marks
from meshkit_chaos.native.classify import classify
from meshkit_chaos.native.source import CHUNK, Memory, sweep
from meshkit_chaos.native.verify import objections

DOTNET = {"__managedcode": b"\xc3", "__modules": b"\0", ".hydrated": b"\0", ".dotnet_eh_table": b"\0"}
GO_INFO = marks.GO + b"\x08\x02" + bytes(16) + b"\x08go1.27.3"
BUNDLED = struct.pack("<Q", 4711) + marks.BUNDLE
UNBUNDLED = bytes(8) + marks.BUNDLE


def facts_of(data: bytes, beside: tuple[str, ...] = ()) -> BinaryFacts:
    return classify(Memory(data), path="x", beside=beside)


@pytest.mark.parametrize(
    ("data", "toolchain", "evidence"),
    [
        (elf(sections=DOTNET), "dotnet", "code compiled by .NET Native AOT"),
        (elf(sections={".go.buildinfo": GO_INFO}), "go", "build information of Go (go1.27.3)"),
        (elf(body=GO_INFO), "go", "build information of Go"),
        (elf(sections={".comment": b"rustc version 1.95.0\0"}), "rust", "rustc version 1.95.0"),
        (elf(body=b"/rustc/" + b"a" * 40 + b"/library/core"), "rust", "/rustc/aaaaaaaaaaaa"),
        (elf(sections={".comment": b"GCC: (Debian 12.2.0-14) 12.2.0\0"}), "c or c++", "GCC: (Debian"),
        (elf(), "", "entry point 0x4000"),
        (macho(sections=("__text", "__managedcode", "__modules")), "dotnet", "Native AOT"),
        (pe(sections=(".text", ".managed", "hydrated")), "dotnet", "Native AOT"),
    ],
    ids=["dotnet", "go", "go-without-sections", "rust", "rust-paths", "c", "nobody-says", "dotnet-macos", "dotnet-windows"],
)
def test_native_code_is_known_by_who_made_it(data: bytes, toolchain: str, evidence: str) -> None:
    """A program compiled ahead of time is native, with the evidence for its toolchain named."""
    facts = facts_of(data)
    assert (facts.binary_class, facts.toolchain, facts.refusals) == ("native", toolchain, ())
    assert any(evidence in told for told in facts.evidence), facts.evidence


@pytest.mark.parametrize(
    ("data", "binary_class", "reason"),
    [
        (elf(body=marks.METADATA), "jit", "IL metadata inside (BSJB at byte"),
        (elf(body=BUNDLED), "jit", "single-file bundle: it begins at byte 4711"),
        (elf(body=UNBUNDLED), "jit", "a .NET host (apphost): it loads a runtime and a .dll"),
        (elf(body=marks.APP_PLACE), "jit", "not bound to its .dll yet"),
        (elf(body=b"hostfxr_main"), "jit", "a host that loads the .NET runtime"),
        (elf(body=b"coreclr_initialize"), "jit", "the .NET runtime with its compiler"),
        (elf(body=b"JNI_CreateJavaVM"), "jit", "a Java virtual machine"),
        (elf(linked=("libjli.so",), loader="/lib64/ld-linux-x86-64.so.2"), "jit", "linked with libjli.so"),
        (pe(assembly=True), "jit", "it has the header of the .NET runtime"),
        (elf(sections={".PyRuntime": b"\0"}), "embeds-interpreter", "CPython is inside (section .PyRuntime)"),
        (elf(sections={"pydata": b"\0"}), "embeds-interpreter", "a PyInstaller archive"),
        (elf(linked=("libpython3.11.so.1.0",)), "embeds-interpreter", "linked with libpython3.11.so.1.0"),
        (pe(imports=("python311.dll",)), "embeds-interpreter", "linked with python311.dll"),
        (elf(body=b"NUITKA_ONEFILE_PARENT"), "embeds-interpreter", "a Nuitka one-file program"),
        (elf(body=b"UPX!"), "packed", "packed with UPX"),
        (elf(behind=bytes(5000)), "packed", "5000 bytes stand behind the program: data that no header accounts for"),
        (elf(behind=b"PK\3\4" + bytes(5000) + b"PK\5\6" + bytes(18)), "packed", "a zip archive"),
        (
            elf(behind=b"PK\3\4" + bytes(50) + b"PK\5\6" + bytes(18)),
            "packed",
            "76 bytes stand behind the program: a zip",
        ),
        (elf(loader="/usr/bin/lua"), "unknown", "started by /usr/bin/lua, which is no dynamic linker"),
        (elf(loader="ld-linux-x86-64.so.2"), "unknown", "started by ld-linux-x86-64.so.2"),  # of wherever it is started from
        (elf(entry=False), "unknown", "no machine code at its entry point"),
        (b"#!/usr/bin/env python3\nprint()\n", "script", "a script, run by /usr/bin/env python3"),
        (b"#!/usr/bin/env python3\nPK\3\4" + b"PK\5\6" + bytes(18), "script", "a zip app, run by /usr/bin/env python3"),
        (b"PK\3\4" + bytes(30), "archive", "a zip archive, not a program"),
        (b"\xca\xfe\xba\xbe\0\0\0\x41" + bytes(30), "jit", "Java bytecode"),
        (b"BSJB\1\0\1\0" + bytes(30), "archive", "bare IL metadata"),
        (b"", "damaged", "the file is empty"),
        (b"hello", "unknown", "neither ELF, nor Mach-O, nor PE, nor a script"),
        (elf(kind=1), "unknown", "neither a program nor a shared library"),
        (elf()[:-40], "damaged", "cut off or damaged"),
        (macho()[:-4], "damaged", "cut off or damaged"),
        (pe()[:-4], "damaged", "cut off"),
        (b"MZ" + bytes(200), "damaged", "no PE header"),
        (universal(macho(), macho())[:-4], "damaged", "cut off"),
    ],
)
def test_what_is_not_native_is_refused_with_the_reason(data: bytes, binary_class: str, reason: str) -> None:
    """Everything else has a class of its own and a reason that names what was found."""
    facts = facts_of(data)
    assert facts.binary_class == binary_class
    assert any(reason in told for told in facts.refusals), facts.refusals
    assert objections(facts, demand="required")


def test_a_mark_is_stronger_than_a_toolchain() -> None:
    """Code compiled ahead of time with IL metadata inside is refused all the same."""
    facts = facts_of(elf(sections=DOTNET, body=marks.METADATA))
    assert (facts.binary_class, facts.toolchain) == ("jit", "dotnet")


def test_four_letters_by_chance_are_no_metadata() -> None:
    """Machine code that happens to hold the letters BSJB is not taken for an assembly."""
    assert facts_of(elf(body=b"BSJBcode")).binary_class == "native"


def test_a_mark_across_two_chunks_is_found() -> None:
    """Where a file is read in pieces, a mark on the border is seen, at its true place."""
    place = CHUNK - 5
    data = bytes(place) + marks.METADATA + bytes(100)
    assert sweep(Memory(data), marks.MARKS).marks == {"metadata": place}


def test_what_lies_beside_speaks_against_it() -> None:
    """A program with an assembly beside it needs a runtime, whatever its own bytes look like."""
    facts = facts_of(elf(), ("app.dll lies beside it: an assembly for the .NET runtime",))
    assert facts.binary_class == "jit"


@pytest.mark.parametrize(
    ("data", "platforms"),
    [
        (elf(), ("linux-x64",)),
        (elf(machine=183), ("linux-arm64",)),
        (elf(loader="/lib/ld-musl-x86_64.so.1", linked=("libc.musl-x86_64.so.1",)), ("linux-musl-x64",)),
        (elf(system=9), ("freebsd-x64",)),
        (elf(machine=999), ("linux-machine-999",)),
        (macho(), ("osx-arm64",)),
        (universal(macho(), macho(processor=0x01000007)), ("osx-arm64", "osx-x64")),
        (pe(), ("win-x64",)),
        (pe(machine=0xAA64), ("win-arm64",)),
    ],
)
def test_the_platform_is_read_from_the_headers(data: bytes, platforms: tuple[str, ...]) -> None:
    """A runtime identifier is told for each architecture that is inside."""
    assert facts_of(data).platforms == platforms


def test_another_platform_is_refused() -> None:
    """A native program for another platform is no program here, and the reason names both."""
    told = objections(facts_of(elf(machine=183)), demand="required", wanted="linux-x64")
    assert told == ("it is for linux-arm64, expected linux-x64",)


def test_a_static_program_fits_both_kinds_of_linux() -> None:
    """What needs no C library runs with either; what needs musl does not run on glibc."""
    static, musl = elf(), elf(loader="/lib/ld-musl-x86_64.so.1", linked=("libc.so",))
    assert objections(facts_of(static), demand="required", wanted="linux-musl-x64") == ()
    assert objections(facts_of(musl), demand="required", wanted="linux-x64")


@pytest.mark.parametrize(
    "loader",
    [
        "/lib64/ld-linux-x86-64.so.2",
        "/lib/ld-musl-aarch64.so.1",
        "/lib64/ld64.so.2",
        "/lib/ld-uClibc.so.0",
        "/lib/ld.so.1",
        "/libexec/ld-elf.so.1",
        "/usr/libexec/ld.elf_so",
        "/system/bin/linker64",
        "/nix/store/0123456789-glibc-2.40/lib/ld-linux-x86-64.so.2",
    ],
)
def test_dynamic_linkers_are_known_by_their_names(loader: str) -> None:
    """Those of the systems that programs are built for, wherever they lie."""
    assert facts_of(elf(loader=loader)).binary_class == "native"


def test_a_shared_library_is_native_and_no_program() -> None:
    """A library is recognised and not accepted as something to execute."""
    facts = facts_of(elf(kind=3, linked=("libc.so.6",), sections=DOTNET))
    assert (facts.binary_class, facts.executable) == ("native", False)
    assert objections(facts, demand="required") == ("it is a shared library, not a program",)


def test_an_interpreter_inside_is_accepted_only_where_it_is_said() -> None:
    """The class embeds-interpreter passes the demand of that name, and not the stricter one; a script passes neither."""
    frozen, script = facts_of(elf(sections={".PyRuntime": b"\0"})), facts_of(b"#!/bin/sh\n")
    assert objections(frozen, demand="embeds-interpreter") == ()
    assert objections(frozen, demand="required")
    assert objections(script, demand="embeds-interpreter")


def test_a_digest_is_demanded_whatever_else_is() -> None:
    """Another digest is refused, also of a binary that may be anything."""
    facts = facts_of(elf())
    assert objections(facts, demand="any", digest=facts.digest) == ()
    assert objections(facts, demand="any", digest="0" * 64)


def test_what_could_not_be_read_to_its_end_is_never_accepted() -> None:
    """Without a digest there is nothing to run exactly as it was verified, also where any class will do."""
    unread = BinaryFacts(path="x", digest="", size=1, format="other", binary_class="damaged", refusals=("it changed",))
    assert objections(unread, demand="any") == ("it could not be read to its end",)


def test_linked_libraries_and_identity_are_told() -> None:
    """Needed libraries, and that a file names none, are read from the headers."""
    facts = facts_of(elf(linked=("libc.so.6", "libm.so.6"), loader="/lib64/ld-linux-x86-64.so.2"))
    assert facts.linked == ("libc.so.6", "libm.so.6")
    assert not facts.static
    assert facts_of(elf()).static
    assert facts_of(pe()).linked == ("KERNEL32.dll",)
    assert facts_of(macho()).linked == ("/usr/lib/libSystem.B.dylib",)
    assert facts_of(macho()).build_id == bytes(range(16)).hex()


def test_hostile_names_are_shown_as_text() -> None:
    """Control characters of a hostile file never reach a terminal."""
    facts = facts_of(b"#!/bin/sh \x1b[31m\n")
    assert "\x1b" not in "".join((*facts.evidence, *facts.refusals))
    linked = facts_of(elf(linked=("lib\x1b]0;x.so",))).linked
    assert linked == ("lib\\x1b]0;x.so",)
