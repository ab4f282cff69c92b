"""Where each page is. The same for the server and for exported files, and all links are relative: both can be moved. Pure."""

from __future__ import annotations

from typing import Final

from meshkit_chaos.dashboard.quoting import link, plain, unquoted

READINESS: Final = "index.html"
BY_VERSION: Final = "by-version.html"
BY_BRANCH: Final = "by-branch.html"
GRID: Final = "grid.html"
COVERAGE: Final = "coverage.html"
COMPARE: Final = "compare.html"
GATE: Final = "gate.html"
DELIVERIES: Final = "deliveries.html"
BINARIES: Final = "binaries.html"
SEARCH: Final = "search.html"
LIVE: Final = "live.html"
LIVE_STREAM: Final = "live/stream"
LAST: Final = 2**63 - 1
"""The last instant there is, in nanoseconds: a database takes no larger number."""


def grid(before: int | None = None, part: int = 1) -> str:
    """The nights before an instant, or the newest ones; of many scenarios so many as one page holds."""
    if before is None:
        return GRID if part == 1 else f"grid/newest-{part}.html"
    return f"grid/before-{before}.html" if part == 1 else f"grid/before-{before}-{part}.html"


def part_of_grid(file: str) -> tuple[int | None, int] | None:
    """The instant and the part that ``grid`` wrote into a name; None where it did not write it."""
    place, dash, rest = file.partition("-")
    before, _, part = rest.partition("-") if place == "before" else ("", "", rest)
    if place not in ("newest", "before") or not dash or not all(map(_small_number, filter(None, (before, part)))):
        return None
    made = (int(before) if before else None, int(part or 1))
    return made if max(made[0] or 0, made[1]) <= LAST and grid(*made) == f"grid/{file}.html" else None


def _small_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(LAST))


def deliveries(part: int = 1) -> str:
    """What needs somebody and the newest ones, or a later part."""
    return DELIVERIES if part == 1 else f"deliveries/{part}.html"


def part_of_deliveries(file: str) -> int | None:
    """The part that ``deliveries`` wrote into a name; None where it did not write it."""
    part = int(file) if _small_number(file) else 1
    return part if part > 1 and deliveries(part) == f"deliveries/{file}.html" else None


def scenario(name: str) -> str:
    return f"scenario/{plain(name)}.html"


def older(scenario_name: str, before: int) -> str:
    """The results of a scenario before an instant."""
    return f"older/{plain(scenario_name)}.{before}.html"


def named_older(file: str) -> tuple[str, int] | None:
    """The scenario and the instant of a name that ``older`` wrote and ``named`` read; None where it is no such name."""
    name, dot, before = file.rpartition(".")
    if not (name and dot and _small_number(before) and int(before) <= LAST):
        return None
    return name, int(before)


def run(name: str) -> str:
    return f"run/{plain(name)}.html"


def invocation(name: str) -> str:
    return f"invocation/{plain(name)}.html"


def what_if(run_name: str, *, here: str) -> str:
    """Where a server judges a run again; only for names that need no quoting there."""
    plain_name = run_name.isascii() and run_name.isalnum()
    return "../" * here.count("/") + f"api/v1/runs/{run_name}/what-if" if plain_name else ""


def evidence(invocation_name: str, *, here: str) -> str:
    """Where a server gives the bundle of an invocation; only for names that need no quoting there."""
    plain_name = invocation_name.isascii() and invocation_name.isalnum()
    return "../" * here.count("/") + f"evidence/{invocation_name}.tar.gz" if plain_name else ""


def logs(invocation_name: str, *, here: str) -> str:
    """Where a server gives what the members of an invocation said; only for names that need no quoting there."""
    return evidence(invocation_name, here=here).replace(".tar.gz", "/logs.tar.gz")


def relative(there: str, *, here: str) -> str:
    """The link from one page to another."""
    return "../" * here.count("/") + link(there)


def anchor(scenario_name: str) -> str:
    """The place of a scenario on the page of an invocation."""
    return "scenario-" + plain(scenario_name)


def override_anchor(digest: str) -> str:
    """The place of an override on the page of the gate."""
    return f"override-{digest[:12]}"


def entry_anchor(seq: int) -> str:
    """The place of a line of the gate's log there."""
    return f"entry-{seq}"


def named(file: str) -> str:
    """The name that ``plain`` wrote; what it cannot have written comes back as something that nothing is called."""
    return unquoted(file)
