"""What a file is, from its headers and the marks in it: a class, the evidence for it, and why it is not native where it is not.

Takes a source, and what lies beside the file; gives ``BinaryFacts``. Knows no path and opens nothing. Nothing is native for
want of a reason against it: there must be machine code at the entry point, and headers that hold for the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.journal.binaries import BinaryClass, BinaryFacts
from meshkit_chaos.native import elf, macho, marks, pe
from meshkit_chaos.native.image import Image
from meshkit_chaos.native.source import Malformed, NoProgram, Source, Swept, printable, sweep

MOST_BEHIND: Final = 4096
"""So many bytes behind the program are padding or a signature's; more of them, or an archive, are something that it carries."""
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_TAIL: Final = 65_557
_ARCHIVES: Final = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"(\xb5/\xfd", "zstd data"),
    (b"!<arch>\n", "a static library"),
    (marks.METADATA[:4], "bare IL metadata"),
    (b"\0asm", "WebAssembly"),
    (b"BC\xc0\xde", "LLVM bitcode"),
)
_LOADER: Final = re.compile(r"/(?:.*/)?(?:ld[\w.-]*so[\d.]*|linker(?:64)?(?:_asan)?)")
"""Names of dynamic linkers: of glibc, musl, uClibc, Android and the BSDs."""
_RUST_COMMIT: Final = re.compile(rb"/rustc/([0-9a-f]{40})/")


@dataclass(frozen=True, slots=True)
class _Sorted:
    """A class and what speaks for it; ``refusals`` are empty for native code only."""

    binary_class: BinaryClass
    toolchain: str = ""
    evidence: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


def classify(source: Source, *, path: str, beside: tuple[str, ...] = ()) -> BinaryFacts:
    """Look at every byte once and at the headers. ``beside``: what lies in the file's folder and speaks against it, in words.

    Never raises for what the bytes are; raises Malformed only where the file changes while it is read.
    """
    swept = sweep(source, marks.MARKS)
    start = source.read(0, 512)
    reader = _reader(source, start)
    if reader is None:
        found = _no_program(source, start)
        return _facts(
            path, source, swept, found.binary_class if found.binary_class in ("script", "archive") else "other", found
        )
    form, read = reader
    try:
        image = read(source)
    except Malformed as error:
        found = _Sorted("unknown" if isinstance(error, NoProgram) else "damaged", refusals=(str(error),))
        return _facts(path, source, swept, form, found)
    return _facts(path, source, swept, form, _sorted(source, image, swept, beside), image)


def _reader(source: Source, start: bytes) -> tuple[str, Callable[[Source], Image]] | None:
    """The format that the first bytes announce, and what reads it; None for what is no program."""
    if start.startswith(elf.MAGIC):
        return "elf", elf.read_elf
    if start.startswith(macho.MAGICS) or macho.is_universal(source):
        return "mach-o", macho.read_macho
    return ("pe", pe.read_pe) if start.startswith(pe.MAGIC) else None


def _facts(path: str, source: Source, swept: Swept, form: str, found: _Sorted, image: Image | None = None) -> BinaryFacts:
    return BinaryFacts(
        path=path,
        digest=swept.digest,
        size=source.size,
        format=form,
        binary_class=found.binary_class,
        toolchain=found.toolchain,
        evidence=found.evidence,
        refusals=found.refusals,
        platforms=image.platforms if image else (),
        executable=image.executable if image else False,
        static=image.static if image else False,
        stripped=image.stripped if image else False,
        build_id=image.build_id if image else "",
        linked=image.linked if image else (),
    )


def _no_program(source: Source, start: bytes) -> _Sorted:
    """A script, an archive, or what nobody can say."""
    if not source.size:
        return _Sorted("damaged", refusals=("the file is empty",))
    if start.startswith(b"#!"):
        line = printable(start.partition(b"\n")[0][2:].strip())[:200]
        if _ends_as_zip(source):
            return _Sorted(
                "script", evidence=(f"#! {line}", "a zip archive behind it"), refusals=(f"a zip app, run by {line}",)
            )
        return _Sorted("script", evidence=(f"#! {line}",), refusals=(f"a script, run by {line}",))
    if start.startswith(macho.UNIVERSAL):
        return _Sorted("jit", refusals=("Java bytecode (a class file): a virtual machine runs it",))
    for magic, what in _ARCHIVES:
        if start.startswith(magic):
            return _Sorted("archive", evidence=(what,), refusals=(f"{what}, not a program",))
    shown = printable(start[:8])
    return _Sorted("unknown", refusals=(f"it starts with {shown!r}: neither ELF, nor Mach-O, nor PE, nor a script",))


def _ends_as_zip(source: Source) -> bool:
    tail = min(source.size, _ZIP_TAIL)
    return _ZIP_END in source.read(source.size - tail, tail)


def _sorted(source: Source, image: Image, swept: Swept, beside: tuple[str, ...]) -> _Sorted:
    """Whatever speaks against native code is told; what is told first gives the class."""
    against: list[tuple[BinaryClass, str]] = [
        *(("jit", reason) for reason in _runtimes(source, image, swept)),
        *(("jit", reason) for reason in beside),
        *(("embeds-interpreter", reason) for reason in _interpreters(image, swept.marks)),
        *(("packed", reason) for reason in _hidden(source, image)),
    ]
    toolchain, evidence = _toolchain(source, image, swept.marks)
    if against:
        return _Sorted(against[0][0], toolchain, evidence, tuple(reason for _, reason in against))
    if image.executable and not image.entry:
        return _Sorted("unknown", toolchain, evidence, ("there is no machine code at its entry point",))
    if not image.code:
        return _Sorted("unknown", toolchain, evidence, ("it holds no machine code",))
    if image.loader and not _LOADER.fullmatch(image.loader):
        why = f"it is started by {image.loader}, which is no dynamic linker by its name: that program decides what runs"
        return _Sorted("unknown", toolchain, evidence, (why,))
    return _Sorted("native", toolchain, evidence)


def _runtimes(source: Source, image: Image, swept: Swept) -> Iterator[str]:
    """What shows that its code is compiled, or interpreted, when it runs."""
    found = swept.marks
    if image.managed:
        yield "it is an assembly: it has the header of the .NET runtime"
    if "metadata" in found:
        yield f"IL metadata inside (BSJB at byte {found['metadata']})"
    if "bundle" in found:
        begins = int.from_bytes(source.read(max(0, found["bundle"] - 8), 8), "little")
        if begins:
            yield f"a .NET single-file bundle: it begins at byte {begins}, as the host says"
        else:
            yield "a .NET host (apphost): it loads a runtime and a .dll"
    elif "app-place" in found:
        yield "a .NET host (apphost) that is not bound to its .dll yet"
    for name, reason in marks.JIT.items():
        if name in found and not (name == "jvm" and marks.JAVA_IMAGE_SECTION in image.sections):
            yield reason
    yield from _needs(image, "jit")


def _interpreters(image: Image, found: Mapping[str, int]) -> Iterator[str]:
    if marks.PYTHON_SECTION in image.sections:
        yield f"CPython is inside (section {marks.PYTHON_SECTION})"
    if marks.PYINSTALLER_SECTION in image.sections:
        yield f"a PyInstaller archive is inside (section {marks.PYINSTALLER_SECTION})"
    for name, what in marks.INTERPRETERS.items():
        if name in found:
            yield f"inside is {what}"
    yield from _needs(image, "embeds-interpreter")


def _needs(image: Image, binary_class: str) -> Iterator[str]:
    for library in image.linked:
        name = library.rpartition("/")[2].lower()
        for begin, of_class, what in marks.LIBRARIES:
            own = begin.removeprefix("lib") if name.endswith(".dll") else begin
            if of_class == binary_class and name.startswith(own):
                yield f"it is linked with {library}: {what}"


def _hidden(source: Source, image: Image) -> Iterator[str]:
    """What cannot be looked into."""
    if marks.UPX in source.read(0, 4096) or any(name.startswith("UPX") for name in image.sections):
        yield "packed with UPX: what it unpacks and runs cannot be seen"
    behind = source.size - image.end
    zipped = behind > 0 and _ZIP_END in source.read(max(image.end, source.size - _ZIP_TAIL), _ZIP_TAIL)
    if behind > MOST_BEHIND or zipped:
        what = "a zip archive" if zipped else "data that no header accounts for"
        yield f"{behind} bytes stand behind the program: {what}; what it does with them cannot be told"


def _toolchain(source: Source, image: Image, found: Mapping[str, int]) -> tuple[str, tuple[str, ...]]:
    """Who made it, and everything that says so."""
    evidence = [image.entry] if image.entry else []
    sections = set(image.sections)
    for code, others in marks.DOTNET_SECTIONS:
        if code in sections and (more := sorted(others & sections)):
            return "dotnet", (*evidence, f"sections {code}, {', '.join(more)}: code compiled by .NET Native AOT")
    if marks.GO_SECTION in sections or "go" in found:
        return "go", (*evidence, f"build information of Go{_go_version(source, found)}")
    if compiler := next((text for text in image.comments if text.startswith("rustc ")), ""):
        return "rust", (*evidence, f"the section .comment names {compiler}")
    if "rust" in found and (commit := _RUST_COMMIT.match(source.read(found["rust"], 48))):
        return "rust", (*evidence, f"paths of the Rust library: /rustc/{commit[1][:12].decode()}")
    if marks.JAVA_IMAGE_SECTION in sections:
        return "graalvm", (*evidence, f"section {marks.JAVA_IMAGE_SECTION}: a GraalVM native image")
    if compiler := next(
        (text for text in image.comments if text.startswith(("GCC:", "clang", "Debian clang", "Ubuntu clang"))), ""
    ):
        return "c or c++", (*evidence, f"the section .comment names {compiler}")
    return "", tuple(evidence)


def _go_version(source: Source, found: Mapping[str, int]) -> str:
    """The version of Go where it stands in the file itself (1.18 and later)."""
    if "go" not in found:
        return ""
    head = source.read(found["go"], 128)
    if len(head) < 34 or not head[15] & 2:
        return ""
    return f" ({printable(head[33 : 33 + min(head[32], 64)])})"
