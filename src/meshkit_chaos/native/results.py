"""What a build of binaries gave, as a document that pipelines, gates and later runs read: schema 1, JSON.

A binary is all right only with facts and without a problem. A document that cannot be read is an error, never a pass.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from meshkit_chaos.errors import UsageError
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.slo.codec import decode


class BuiltBinary(Struct, frozen=True, kw_only=True):
    """One binary. ``command`` is empty where nothing was to be built and the file was only verified.

    ``log`` is relative to the document; ``unchanged``: the same bytes lay there before the build.
    """

    name: str
    ok: bool
    problems: tuple[str, ...]
    command: tuple[str, ...] = ()
    seconds: float = 0.0
    log: str = ""
    unchanged: bool = False
    facts: BinaryFacts | None = None


class BuildReport(Struct, frozen=True, kw_only=True, tag_field="document", tag="native-build"):
    """All of them. ``ok`` only where there is at least one and every one is all right."""

    schema: Literal[1] = 1
    environment: str
    environment_digest: str
    platform: str
    tool: str
    ok: bool
    binaries: tuple[BuiltBinary, ...]


def read_report(data: bytes, *, path: str) -> BuildReport:
    """Raises UsageError for anything that is no such document, or contradicts itself."""
    try:
        report = decode(data, BuildReport)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(
            f"{path} is no result of `native build`: {error}", hint="write one with `native build --out`"
        ) from error
    sound = bool(report.binaries) and all(one.ok and one.facts is not None and not one.problems for one in report.binaries)
    if report.ok and not sound:
        raise UsageError(f"{path} says that all is well, and what it lists says otherwise", hint="build again")
    return report
