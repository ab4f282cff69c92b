"""What is known of an executable file: facts that a run records beside its members, and that ``native`` finds out.

Nothing here reads a file. Facts are what the bytes show; whether that is good enough is decided by what an environment demands.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

BinaryClass = Literal["native", "embeds-interpreter", "jit", "script", "archive", "packed", "damaged", "unknown"]


class BinaryFacts(Struct, frozen=True, kw_only=True):
    """One executable file, as its bytes show it.

    ``class``: what kind of program it is, on the ``evidence`` listed; ``refusals`` says why it is not native, and is empty
    exactly where it is. ``toolchain``: ``dotnet``, ``go``, ``rust``, ``graalvm``, ``c or c++``, or empty where nothing tells.
    ``platforms``: runtime identifiers such as ``linux-x64``. ``linked``: the libraries it names. ``digest``: SHA-256 of the
    whole file; ``sbom``: that of the software bill of materials that came with it. ``path`` is as it was given;
    ``name``: what the environment calls it, if one does.
    """

    path: str
    digest: str
    size: int
    format: str
    binary_class: BinaryClass = field(name="class")
    toolchain: str = ""
    evidence: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    executable: bool = False
    static: bool = False
    stripped: bool = False
    build_id: str = ""
    linked: tuple[str, ...] = ()
    sbom: str = ""
    name: str = ""
