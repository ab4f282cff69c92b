"""What other programs read: metrics and badges, made of the same values as the pages. Nothing here writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from meshkit_chaos import __version__
from meshkit_chaos.dashboard.badges import module_badge, release_badge, scenario_badge
from meshkit_chaos.dashboard.latest import Latest, latest
from meshkit_chaos.dashboard.metrics import Known, exposition
from meshkit_chaos.dashboard.quoting import plain, unquoted
from meshkit_chaos.dashboard.sources import COLUMNS, DELIVERIES, Sources

METRICS: Final = "metrics.prom"


class Feeds:
    """One history for other programs."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def standings(self) -> tuple[Latest, ...]:
        """How each scenario stands."""
        return latest(self._sources.reader, self._sources.reader.newest(COLUMNS))

    def metrics(self) -> str:
        """Everything that is known, as Prometheus reads it."""
        held = self._sources.reader.newest(COLUMNS)
        policy, decision = self._sources.settings.policy, self._sources.decision()
        return exposition(
            Known(
                version=__version__,
                newest=held[0].at if held else None,
                scenarios=latest(self._sources.reader, held),
                environments=self._sources.left(),
                readiness=self._sources.ready(),
                nights=self._sources.nights(held) if policy is not None and policy.nightly is not None else None,
                gate_open=decision.open if decision is not None else None,
                deliveries=dict(Counter(one.became for one in self._sources.told(DELIVERIES))),
            )
        )

    def badge(self, path: str) -> str | None:
        """``scenario/NAME.svg``, ``module/NAME.svg``, ``release/NAME.svg`` or ``release.svg``; None for any other path."""
        folder, _, file = path.rpartition("/")
        name, dot, kind = file.rpartition(".")
        if not dot or kind != "svg" or not name:
            return None
        match folder:
            case "":
                return release_badge(self._sources.ready(), closed=self._closed()) if name == "release" else None
            case "release":
                return release_badge(self._sources.ready(), unquoted(name), closed=self._closed())
            case "module":
                return module_badge(self._sources.ready(), unquoted(name))
            case "scenario":
                return self._scenario_badge(unquoted(name))
            case _:
                return None

    def _closed(self) -> bool:
        """Where there is a policy, only a decision opens."""
        decision = self._sources.decision()
        return self._sources.settings.policy is not None and (decision is None or not decision.open)

    def _scenario_badge(self, name: str) -> str:
        one = next((one for one in self.standings() if one.scenario == name), None)
        return scenario_badge(one, name=name, now=self._sources.clock.wall_ns(), fresh=self._sources.fresh())

    def badges(self) -> Iterator[tuple[str, str]]:
        """The path and the text of every badge there is, for files."""
        ready, now, fresh = self._sources.ready(), self._sources.clock.wall_ns(), self._sources.fresh()
        closed = self._closed()
        yield "badge/release.svg", release_badge(ready, closed=closed)
        for release, _ in ready.releases:
            yield f"badge/release/{plain(release)}.svg", release_badge(ready, release, closed=closed)
        for row in ready.rows:
            yield f"badge/module/{plain(row.module)}.svg", module_badge(ready, row.module)
        for one in self.standings():
            text = scenario_badge(one, name=one.scenario, now=now, fresh=fresh)
            yield f"badge/scenario/{plain(one.scenario)}.svg", text
