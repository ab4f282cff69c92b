"""The grammar of an environment's binaries: where each lies, how it is built, and what it must be.

Takes plain values; gives models that mirror the document. Refuses what is not in the grammar.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.grammar_checks import ArgumentList
from meshkit_chaos.scenario.grammar_values import Line, Looks, Span, Strict, VariableName, key, needed, told

MOST_FORBIDDEN: Final = 50
_DIGEST: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_RUNTIME: Final = re.compile(r"(linux|linux-musl|osx|win|freebsd)-[a-z0-9-]{2,20}")


def _digest(value: Any) -> str:
    found = _DIGEST.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        said = f"{told(value)} is no SHA-256; expected 64 hexadecimal digits"
        raise PydanticCustomError("text", "{said}", {"said": said, "hint": "sha256sum prints them"})
    return found[1]


def _runtime(value: Any) -> str:
    if not isinstance(value, str) or not _RUNTIME.fullmatch(value):
        said = f"{told(value)} is no runtime identifier; expected a system and an architecture"
        raise PydanticCustomError("text", "{said}", {"said": said, "hint": "write linux-x64, linux-arm64 or osx-arm64"})
    return value


Sha256 = Annotated[str, PlainValidator(_digest), Looks("SHA-256", type="string", pattern=f"^{_DIGEST.pattern}$")]
RuntimeId = Annotated[
    str, PlainValidator(_runtime), Looks("runtime identifier", type="string", pattern=f"^{_RUNTIME.pattern}$")
]


class BinaryText(Strict):
    """An executable that members are. Each run copies it, verifies the copy, and executes exactly that copy."""

    path: Line = needed(
        "Where it lies once it is built, relative to this document. May hold `${var.NAME}`.", examples=["out/meshkit"]
    )
    build: ArgumentList | None = key(
        "What `native build` runs: an argument list, never a shell. Without it, the file is only verified.",
        examples=[["dotnet", "publish", "-c", "Release", "-r", "linux-x64", "-p:PublishAot=true", "-o", "out"]],
    )
    folder: Line | None = key("Where the build runs, relative to this document.", default=".")
    timeout: Span | None = key("When the build is hung and is killed.", default=defaults.BUILD_TIMEOUT)
    pass_on: list[VariableName] | None = key(
        "Environment variables of the operator that the build sees, besides those that compilers usually need.",
        examples=[["NUGET_TOKEN"]],
    )
    forbid_output: Annotated[list[Line], Field(max_length=MOST_FORBIDDEN)] | None = key(
        "Texts that no line of the build's output may hold: the build has failed then, whatever its status.",
        examples=[["warning IL"]],
    )
    runtime: RuntimeId | None = key(
        "The runtime identifier that it must be for. By default that of the machine.", examples=["linux-x64"]
    )
    native: Literal["required", "embeds-interpreter", "any"] | None = key(
        "`required`: native code, compiled ahead of time. `embeds-interpreter`: or a program that brings its interpreter "
        "along. `any`: whatever it is; what it is is still recorded.",
        default="required",
    )
    digest: Sha256 | None = key("The SHA-256 that it must have. Any other file is not run.")
    sbom: Line | None = key("Its software bill of materials, relative to this document.", examples=["out/meshkit.cdx.json"])
