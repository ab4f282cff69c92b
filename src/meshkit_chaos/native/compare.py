"""Two binaries side by side: what changed in size, kind, platform and in the libraries they need. Pure.

Takes the facts of both; gives the differences as values. What is the same is not told.
"""

from __future__ import annotations

from msgspec import Struct

from meshkit_chaos.journal.binaries import BinaryFacts


class Difference(Struct, frozen=True, kw_only=True):
    """One binary, then and now. ``growth``: share of the earlier size, 0.1 for a tenth more; None where that was nothing.

    ``worse``: it was native and is not any more.
    """

    name: str
    then: BinaryFacts | None
    now: BinaryFacts | None
    growth: float | None = None
    worse: bool = False
    changes: tuple[str, ...] = ()


def compare(name: str, then: BinaryFacts | None, now: BinaryFacts | None) -> Difference:
    """A binary that is gone, or was not there, is a change too."""
    if then is None or now is None:
        said = "it is new" if then is None else "it is gone"
        return Difference(name=name, then=then, now=now, changes=(said,), worse=now is None)
    if then.digest == now.digest and then.digest:
        return Difference(name=name, then=then, now=now, growth=0.0)
    growth = (now.size - then.size) / then.size if then.size else None
    share = f" ({growth:+.1%})" if growth is not None else ""
    changes = [f"size {then.size} → {now.size} bytes{share}"] if then.size != now.size else ["other bytes, the same size"]
    for what in ("binary_class", "toolchain", "platforms", "static", "stripped"):
        was, is_now = getattr(then, what), getattr(now, what)
        if was != is_now:
            changes.append(f"{what.removeprefix('binary_')} {_told(was)} → {_told(is_now)}")
    changes += [f"needs {library} now" for library in now.linked if library not in then.linked]
    changes += [f"needs {library} no more" for library in then.linked if library not in now.linked]
    if then.sbom and not now.sbom:
        changes.append("came with a bill of materials, and does no more")
    worse = then.binary_class == "native" and now.binary_class != "native"
    return Difference(name=name, then=then, now=now, growth=growth, worse=worse, changes=tuple(changes))


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value) or "unknown"
