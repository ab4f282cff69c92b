"""Marks: bytes that a toolchain, a runtime or a packer leaves in what it makes, and what each of them shows.

Each was seen in real files or stands in the public sources of the tool that writes it (``docs/concepts/native.md`` says which).
A mark is long enough not to be met by chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

BUNDLE: Final = hashlib.sha256(b".net core bundle\n").digest()
"""Stands in every host of .NET; the eight bytes before it say where a bundle begins, and are zero where none does."""
APP_PLACE: Final = hashlib.sha256(b"foobar").hexdigest().encode()
"""Where the name of the ``.dll`` goes in a host that no project has been bound to yet."""
METADATA: Final = b"BSJB\x01\x00\x01\x00\x00\x00\x00\x00"
"""The root of IL metadata: signature, version 1.1, reserved zero (ECMA-335, II.24.2.1)."""
GO: Final = b"\xff Go buildinf:"
RUSTC: Final = b"/rustc/"

MARKS: Final[Mapping[str, bytes]] = MappingProxyType(
    {
        "bundle": BUNDLE,
        "app-place": APP_PLACE,
        "metadata": METADATA,
        "hostfxr": b"hostfxr_main",
        "coreclr": b"coreclr_initialize",
        "clrjit": b"jitStartup",
        "mono": b"mono_jit_init",
        "jvm": b"JNI_CreateJavaVM",
        "go": GO,
        "rust": RUSTC,
        "pyinstaller": b"_MEIPASS",
        "python": b"Py_InitializeFromConfig",
        "python-loop": b"_PyEval_EvalFrameDefault",
        "nuitka": b"NUITKA_ONEFILE",
        "node": b"NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2",
        "perl": b"perl_construct\x00",
        "ruby": b"ruby_init_stack\x00",
        "lua": b"$LuaVersion: Lua ",
    }
)

JIT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hostfxr": "it is a host that loads the .NET runtime (`hostfxr_main`)",
        "coreclr": "it is, or loads, the .NET runtime with its compiler (`coreclr_initialize`)",
        "clrjit": "it is the just-in-time compiler of .NET (`jitStartup`)",
        "mono": "it is, or loads, the Mono runtime (`mono_jit_init`)",
        "jvm": "it is, or starts, a Java virtual machine (`JNI_CreateJavaVM`)",
    }
)
INTERPRETERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pyinstaller": "a PyInstaller bootloader: Python and its bytecode (`_MEIPASS`)",
        "nuitka": "a Nuitka one-file program: an unpacked payload with Python (`NUITKA_ONEFILE`)",
        "python": "CPython (`Py_InitializeFromConfig`)",
        "python-loop": "CPython (`_PyEval_EvalFrameDefault`)",
        "node": "Node.js, which compiles JavaScript as it runs (`NODE_SEA_FUSE`)",
        "perl": "Perl (`perl_construct`)",
        "ruby": "Ruby (`ruby_init_stack`)",
        "lua": "Lua (`$LuaVersion`)",
    }
)
LIBRARIES: Final[tuple[tuple[str, str, str], ...]] = (
    ("libpython", "embeds-interpreter", "CPython"),
    ("libperl", "embeds-interpreter", "Perl"),
    ("libruby", "embeds-interpreter", "Ruby"),
    ("liblua", "embeds-interpreter", "Lua"),
    ("libnode", "embeds-interpreter", "Node.js"),
    ("libphp", "embeds-interpreter", "PHP"),
    ("libjli", "jit", "a Java virtual machine"),
    ("libjvm", "jit", "a Java virtual machine"),
    ("libmono", "jit", "the Mono runtime"),
    ("libcoreclr", "jit", "the .NET runtime"),
    ("libhostfxr", "jit", "the .NET runtime"),
    ("libnethost", "jit", "the .NET runtime"),
)
"""The beginning of a linked library's name, the class of a program that needs it, and what it brings."""

DOTNET_SECTIONS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("__managedcode", frozenset({"__unbox", "__modules", ".hydrated", "__hydrated", ".dotnet_eh_table"})),
    (".managed", frozenset({"hydrated", ".unbox", ".hydrated"})),
)
"""The section that holds the compiled code, and those of which at least one more must be there."""
PYTHON_SECTION: Final = ".PyRuntime"
PYINSTALLER_SECTION: Final = "pydata"
GO_SECTION: Final = ".go.buildinfo"
JAVA_IMAGE_SECTION: Final = ".svm_heap"
"""A GraalVM native image: compiled ahead of time, though it can be asked for a virtual machine by the same name."""
UPX: Final = b"UPX!"
