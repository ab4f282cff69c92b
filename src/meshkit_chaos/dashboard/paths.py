"""Where each page is. The same for the server and for exported files, and all links are relative: both can be moved. Pure."""

from __future__ import annotations

from typing import Final

from meshkit_chaos.dashboard.quoting import link, plain, unquoted

READINESS: Final = "index.html"
GRID: Final = "grid.html"
COVERAGE: Final = "coverage.html"
COMPARE: Final = "compare.html"
GATE: Final = "gate.html"
DELIVERIES: Final = "deliveries.html"
BINARIES: Final = "binaries.html"
LIVE: Final = "live.html"
LIVE_STREAM: Final = "live/stream"


def scenario(name: str) -> str:
    return f"scenario/{plain(name)}.html"


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


def named(file: str) -> str:
    """The name that ``plain`` wrote; what it cannot have written comes back as something that nothing is called."""
    return unquoted(file)
