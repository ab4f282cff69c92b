"""What other programs read: metrics, badges, alert rules. Green needs evidence, and no text of others becomes markup."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from gate_worlds import HOUR, NOW, history, invocation, one_run, policy, result
from test_dashboard_pages import HOSTILE, NIGHTLY

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.export import export
from meshkit_chaos.dashboard.feeds import Feeds
from meshkit_chaos.dashboard.grafana import ALERTS, DASHBOARD, dashboard, files
from meshkit_chaos.dashboard.quoting import plain
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.history.memory import MemoryHistory


def feeds(held: MemoryHistory, *, nightly: bool = False, now: int = NOW) -> Feeds:
    settings = Settings(project="mesh", policy=policy(NIGHTLY) if nightly else None)
    clock = ManualClock(wall_ns=now)
    return Feeds(Sources(reader=held, settings=settings, clock=clock))


def samples(text: str) -> dict[str, float]:
    """Each sample by its name and labels."""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}


def verdict_of(text: str, scenario: str) -> list[str]:
    pattern = rf'meshkit_chaos_scenario_verdict{{scenario="{scenario}",[^}}]*verdict="([^"]+)"}} 1$'
    return re.findall(pattern, text, re.MULTILINE)


def test_each_scenario_has_one_verdict() -> None:
    """The newest result that counts gives it; one that people set aside does not count."""
    held = history(
        result("pass", invocation="I2", hours=2, runs=(one_run("pass", invalidated="wrong build"),)),
        result("fail", invocation="I1", hours=26),
        result("pass", scenario="other", invocation="I1", hours=26),
    )
    text = feeds(held).metrics()
    assert verdict_of(text, "leader-killed") == ["fail"]
    assert verdict_of(text, "other") == ["pass"]


def test_what_was_announced_and_left_nothing_is_missing() -> None:
    """An older pass does not stand in for it."""
    held = history(result("pass", scenario="other", invocation="I2", hours=2), result("pass", invocation="I1", hours=26))
    newer = result("pass", scenario="other", invocation="I2", hours=2)
    held.add(invocation([newer], "leader-killed"), [newer])
    text = feeds(held).metrics()
    assert verdict_of(text, "leader-killed") == ["missing"]
    assert "missing" in (feeds(held).badge("scenario/leader-killed.svg") or "")


def test_a_refused_run_leaves_the_dirt_there() -> None:
    """An environment stays dirty until a run that touched it left it clean."""
    dirty = result("fail", invocation="I1", hours=26, environment="dirty")
    refused = result("not-run", invocation="I2", hours=2, environment="untouched", runs=())
    state = 'meshkit_chaos_environment_state{environment_class="lab-1",state="dirty"}'
    assert samples(feeds(history(dirty, refused)).metrics())[state] == 1
    assert samples(feeds(history(dirty, refused, result("pass", hours=1, invocation="I3"))).metrics())[state] == 0


def test_a_missed_night_is_told_and_no_schedule_tells_nothing() -> None:
    """Overdue is the newest night that was due; without a schedule nothing claims that none is."""
    late = history(result("pass", hours=54, invocation="I1"))
    told = samples(feeds(late, nightly=True).metrics())
    assert told["meshkit_chaos_night_overdue"] == 1
    assert told["meshkit_chaos_nights_missed"] == 2
    assert "night_overdue" not in feeds(late).metrics()
    assert samples(feeds(MemoryHistory(), nightly=True).metrics())["meshkit_chaos_night_overdue"] == 1


def test_times_are_intervals_and_an_open_end_is_infinite() -> None:
    """The slowest run counts; what had no end is more than any limit."""
    held = history(result("fail", runs=(one_run("pass", 1), one_run("fail", 2, time=(8 * 10**9, None)))))
    told = samples(feeds(held).metrics())
    labels = 'scenario="leader-killed",objective="converge-one-leader"'
    assert told[f'meshkit_chaos_objective_seconds{{{labels},bound="hi"}}'] == float("inf")
    assert told[f'meshkit_chaos_objective_seconds{{{labels},bound="lo"}}'] == 8
    assert told[f"meshkit_chaos_objective_limit_seconds{{{labels}}}"] == 5


def test_an_empty_history_tells_nothing_good() -> None:
    """No verdict, no instant, no release: only that somebody tells."""
    assert [name for name in samples(feeds(MemoryHistory()).metrics()) if not name.startswith("meshkit_chaos_build_info")] == []


@pytest.mark.parametrize(
    ("verdict", "hours", "said"),
    [("pass", 2, "pass"), ("pass", 100, "stale"), ("fail", 2, "fail"), ("invalid", 2, "invalid"), ("inconclusive", 2, "?")],
)
def test_a_badge_is_green_only_for_a_fresh_pass(verdict: str, hours: int, said: str) -> None:
    """Everything else has another word, sign and colour."""
    held = feeds(history(result(verdict, hours=hours)))  # type: ignore[arg-type]  # one of the verdicts
    drawn = held.badge("scenario/leader-killed.svg") or ""
    assert said in drawn
    assert ("✓" in drawn) == ("#1a6b34" in drawn) == ((verdict, hours) == ("pass", 2))


@pytest.mark.parametrize("path", ["scenario/nobody.svg", "module/nobody.svg", "release/nobody.svg", "release.svg"])
def test_a_badge_of_what_is_not_known_says_so(path: str) -> None:
    """It is a picture all the same, and not a green one."""
    drawn = feeds(MemoryHistory()).badge(path) or ""
    assert "unknown" in drawn
    assert "✓" not in drawn


@pytest.mark.parametrize("path", ["", "x", ".svg", "scenario/x.png", "other/x.svg", "../release.svg", "scenario/a/b.svg"])
def test_what_is_no_badge_is_none(path: str) -> None:
    """No picture is made up for another path."""
    assert feeds(history(result("pass"))).badge(path) is None


def test_hostile_names_stay_text() -> None:
    """In a badge they are characters, in a metric one label value on one line."""
    bad = result("fail", scenario=HOSTILE, subject={"version": HOSTILE}, modules=(HOSTILE, 'x"} 1\nup 1\\'), severity=HOSTILE)
    held = feeds(history(bad))
    for path, drawn in held.badges():
        tree = ET.fromstring(drawn)
        assert {one.tag.rpartition("}")[2] for one in tree.iter()} == {"svg", "title", "rect", "g", "text"}, path
        assert "\x1b" not in drawn
        assert "\u202e" not in drawn
    for line in held.metrics().splitlines():
        assert line.startswith(("# HELP meshkit_chaos_", "# TYPE meshkit_chaos_", "meshkit_chaos_")), line


def test_an_export_has_the_badges_and_takes_old_ones_away(tmp_path: Path) -> None:
    """A page elsewhere can show them from a static site, too."""
    held = history(result("pass", scenario="old", modules=("m",)))
    for scenario in ("old", "new"):
        held = history(result("pass", scenario=scenario, modules=("m",)))
        settings, clock = Settings(project="mesh"), ManualClock(wall_ns=NOW)
        export(
            Site(Sources(reader=held, settings=settings, clock=clock)),
            tmp_path / "site",
            progress=lambda count: None,
            more=feeds(held).badges(),
        )
    found = {file.relative_to(tmp_path / "site").as_posix() for file in (tmp_path / "site").rglob("*.svg")}
    release = plain("1.4.2")
    assert found == {f"badge/{name}.svg" for name in ("release", f"release/{release}", "module/m", "scenario/new")}


def test_the_badge_of_a_release_is_green_only_over_an_open_gate() -> None:
    """Every scenario passed, and a night that was due did not come: the gate is closed, and the badge says so."""
    good = result("pass", modules=("m",), hours=2, subject={"version": "1", "branch": "main", "commit": "c0ffee"})
    assert ": ready" not in (feeds(history(good), nightly=True, now=NOW + 30 * HOUR).badge("release.svg") or "")
    late = history(result("pass", modules=("m",), hours=30, subject={"version": "1", "branch": "main", "commit": "c0ffee"}))
    closed = feeds(late, nightly=True)
    for path in ("release.svg", "release/1.svg"):
        assert "the gate is not open" in (closed.badge(path) or "")
    assert "the gate is not open" in dict(closed.badges())["badge/release.svg"]
    assert "ready" in (feeds(history(good)).badge("release.svg") or "")


def test_the_dashboard_of_grafana_is_whole() -> None:
    """Panels lie beside each other; each has a query and a source asked for at import; none is green without data."""
    assert json.loads(files()[DASHBOARD]) == dashboard()
    assert files()[ALERTS].count("- alert:") == 6
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not mine & taken, panel["title"]
        assert max(x for x, _ in mine) < 24
        taken |= mine
        assert panel["datasource"]["uid"] in ("${prometheus}", "${postgres}")
        assert all(target.get("expr") or target.get("rawSql") for target in panel["targets"])
        if panel["type"] == "stat":
            assert panel["fieldConfig"]["defaults"]["noValue"] == "no data"


def test_a_pass_turns_stale_by_itself() -> None:
    """Nothing has to be imported for a badge to stop being green."""
    held = history(result("pass", hours=1))
    assert "stale" in (feeds(held, now=NOW + 40 * HOUR).badge("scenario/leader-killed.svg") or "")
