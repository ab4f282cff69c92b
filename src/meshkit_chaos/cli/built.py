"""``--built``: run exactly the bytes that a build gave, by their digests, and nothing where that build was not all right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

from meshkit_chaos.errors import CannotRun, UsageError

if TYPE_CHECKING:
    from meshkit_chaos.scenario.environment import EnvironmentDescription

BUILT = click.option(
    "--built",
    type=click.Path(path_type=Path),
    help="A result of `native build`: only the binaries listed there, with their digests, are run.",
)


def as_built(described: EnvironmentDescription, built: Path | None) -> EnvironmentDescription:
    """The environment, with the digest of every binary demanded. Raises CannotRun for a build that failed or is of another."""
    if built is None:
        return described
    from meshkit_chaos.cli.native import read_built  # noqa: PLC0415  # only where it is asked for

    report = read_built(built)
    if not described.binaries:
        raise UsageError(f"environment {described.name} names no binaries", hint="leave out --built")
    if not report.ok:
        failed = "; ".join(
            f"{one.name}: {(one.problems or ('it is not all right',))[0]}" for one in report.binaries if not one.ok
        )
        raise CannotRun(
            f"the native build failed, so nothing is deployed: {failed or 'nothing was built'}", hint=f"see {built}"
        )
    digests = {one.name: one.facts.digest for one in report.binaries if one.facts is not None}
    missing = [name for name in described.binaries if name not in digests]
    if missing:
        hint = "build without naming binaries"
        raise CannotRun(f"{built} has no binary {missing[0]!r} of environment {described.name}", hint=hint)
    for name, binary in described.binaries.items():
        if binary.digest and binary.digest != digests[name]:
            said = f"binary {name}: the environment demands SHA-256 {binary.digest}, and {digests[name]} was built"
            raise CannotRun(said, hint="build the one that is demanded")
    demanded = {name: structs.replace(one, digest=digests[name]) for name, one in described.binaries.items()}
    return structs.replace(described, binaries=demanded)
