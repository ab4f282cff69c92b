"""The documentation agrees with the program: generated pages are current and whole, links lead somewhere."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import pytest
from documentation import DOCS, ROOT, Page, generator, pages

import meshkit_chaos.faults
import meshkit_chaos.plan
import meshkit_chaos.slo
from meshkit_chaos.cli.app import USAGE
from meshkit_chaos.deliver.load import load_routing
from meshkit_chaos.errors import ChaosError
from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.gate.load import load_policy
from meshkit_chaos.journal import events as ev
from meshkit_chaos.judge import verdict
from meshkit_chaos.judge.exit_code import DIRTY, FAIL, PASS, UNDECIDED
from meshkit_chaos.pipelines.definition import read_definition
from meshkit_chaos.promql.subset import AGGREGATIONS, FUNCTIONS
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load import Loaded, load_environment, load_scenarios
from meshkit_chaos.scenario.load_tests import load_tests

PAGES = {page.name: page for page in pages()}
REGISTRY_OR_MACHINE = re.compile(r"localhost|files\.pythonhosted|pypi\.org|simple/|index-url|artifactory", re.IGNORECASE)
ABSOLUTE = re.compile(r"(?<![\w.$}/:])/(?:home|root|Users|work|tmp|opt|srv|mnt)/")
FAR = re.compile(r"^[a-z]+:")


def reference(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


def test_generated_pages_are_current() -> None:
    """Every reference page is what the code says now."""
    assert generator().stale() == [], "run: python docs/generate.py"


def test_the_generator_says_what_is_stale_without_writing() -> None:
    """With ``--check`` the script ends with 0 as long as nothing differs."""
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_every_command_and_option_is_documented() -> None:
    """Each command has its section, each option its row in it, and each command that does something an example."""
    page = reference("cli.md")
    for path, command in generator().commands():
        section = page.partition(f"## {path}\n")[2].partition("\n## ")[0]
        assert section, path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert all(f"`{name}" in section for name in (*parameter.opts, *parameter.secondary_opts)), (
                    f"{path} {parameter.opts}"
                )
        assert "Example:" in section or isinstance(command, click.Group), path


def test_every_event_kind_is_documented() -> None:
    """The page of the journal has a section for each kind of event."""
    page = Page(DOCS / "reference" / "journal.md")
    kinds = {kind.__struct_config__.tag for kind in ev.AnyEvent.__args__}
    assert {kind.replace(".", "") for kind in kinds} <= page.anchors()


def test_every_fault_and_function_is_documented() -> None:
    """The catalogue and the subset of PromQL are there by name."""
    assert set(CATALOGUE) <= Page(DOCS / "reference" / "faults.md").anchors()
    page = reference("promql.md").partition("## Outside the subset")[0]
    assert [name for name in AGGREGATIONS | FUNCTIONS if f"`{name}`" not in page] == []


def domain_names() -> set[str]:
    """Public names of what is measured, done, recorded (events have their own page) and judged."""
    exported = {*meshkit_chaos.slo.__all__, *meshkit_chaos.faults.__all__, *meshkit_chaos.plan.__all__}
    for module in (verdict, ev):
        exported |= {name for name, value in vars(module).items() if not name.startswith("_") and declared(module, name, value)}
    return {name for name in exported if name[0].isupper() and not name.isupper()} - set(ev_names())


def declared(module: object, name: str, value: object) -> bool:
    """Whether a module itself declares the name: a class of its own, or an alias written there."""
    if inspect.isclass(value):
        return value.__module__ == getattr(module, "__name__", "")
    return re.search(rf"^{name} = ", inspect.getsource(sys.modules[getattr(module, "__name__", "")]), re.MULTILINE) is not None


def ev_names() -> list[str]:
    return [kind.__name__ for kind in ev.AnyEvent.__args__]


def test_every_domain_word_is_in_the_glossary() -> None:
    """Each public name of the domain is told once, in the glossary."""
    glossary = (DOCS / "concepts" / "glossary.md").read_text(encoding="utf-8")
    names = domain_names()
    assert {"Indicator", "Band", "Kill", "Plan", "Finding", "Verdict", "Outcome", "MemberUp"} <= names
    assert sorted(name for name in names if f"`{name}`" not in glossary) == []


def test_the_glossary_tells_each_word_once() -> None:
    """No word stands in two rows: one meaning each."""
    words = re.findall(r"^\| ([^|]+) \| ", (DOCS / "concepts" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    told = [word for word in words if word != "word"]
    assert len(told) == len(set(told))


def test_exit_codes_agree_with_the_program() -> None:
    """The codes told in the README and the reference are those that the program has."""
    told = re.findall(r"^\| (\d) \|", PAGES["README.md"].text, re.MULTILINE)
    used = {PASS, FAIL, UNDECIDED, DIRTY, USAGE, ChaosError.exit_code}
    assert sorted(map(int, told)) == sorted(used)
    assert [str(code) for code in sorted(used)] == re.findall(r"^\| (\d) \|", reference("exit-codes.md"), re.MULTILINE)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_links_lead_somewhere(name: str) -> None:
    """Every link to a file or a heading of the project has something at its end."""
    page = PAGES[name]
    for link in page.links():
        if FAR.match(link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.path.parent / place).resolve() if place else page.path
        assert target.exists(), f"{name}: {link}"
        assert target.is_relative_to(ROOT), f"{name}: {link}"
        assert not anchor or anchor in Page(target).anchors(), f"{name}: {link}"


PLACE = re.compile(r"`((?:src|tests|docs|decisions|bench)/[\w./-]*|(?:[a-z]+/)+[a-z_]+\.py)`")


@pytest.mark.parametrize("name", sorted(PAGES))
def test_places_in_the_project_exist(name: str) -> None:
    """Every file or folder of the project that a page names is there; modules may be named from inside the package."""
    for place in PLACE.findall(PAGES[name].text):
        assert (ROOT / place).exists() or (ROOT / "src" / "meshkit_chaos" / place).exists(), f"{name}: {place}"


def test_make_knows_what_the_pages_ask_of_it() -> None:
    """Every ``make`` target that a page tells a reader to type is in the Makefile."""
    asked = {target for page in PAGES.values() for target in re.findall(r"(?:^|`)make ([a-z]+)", page.text, re.MULTILINE)}
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "docs"} <= asked <= known


def test_every_page_can_be_reached_from_the_front() -> None:
    """Whoever starts at the README finds every page by links."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".md":
            continue
        seen.add(path)
        waiting += [(path.parent / link.partition("#")[0]).resolve() for link in Page(path).links() if not FAR.match(link)]
    lost = {page.path for page in PAGES.values()} - seen
    assert sorted(path.name for path in lost) in ([], ["CHANGELOG.md"])


@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_name_no_machine_and_no_registry(name: str) -> None:
    """No page holds an absolute path of somebody's machine or the address of a package registry."""
    text = PAGES[name].text
    found = ABSOLUTE.search(text)
    assert found is None, found
    if not name.endswith("rules.md"):  # its examples are addresses that a scenario must not have
        hosts = REGISTRY_OR_MACHINE.search(text)
        assert hosts is None, hosts


def test_decisions_are_numbered_densely_and_listed_in_order() -> None:
    """Records are 0001, 0002, …; each says its number first, and the list names each once, in order, by its title."""
    records = [page for name, page in PAGES.items() if name.startswith("decisions/0")]
    assert [page.path.name[:4] for page in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    titles = [page.text.partition("\n")[0].removeprefix(f"# {page.path.name[:4]}: ") for page in records]
    wanted = [f"| [{page.path.name[:4]}]({page.path.name}) | {title} |" for page, title in zip(records, titles, strict=True)]
    assert [line for line in PAGES["decisions/README.md"].text.splitlines() if line.startswith("| [")] == wanted


def test_the_architecture_tells_each_room_once_in_the_order_of_imports() -> None:
    """The table of rooms has the rows of the import contract, from the last layer to the first."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(one for one in contract if one["type"] == "layers")["layers"]
    wanted = [set(re.findall(r"\w+", layer)) for layer in reversed(layers)]
    table = PAGES["ARCHITECTURE.md"].text.partition("| room |")[2].partition("\n\n")[0]
    told = [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table.splitlines() if row.startswith("| `")]
    assert told == wanted


def test_the_scenario_of_the_readme_lints_clean() -> None:
    """What the README shows works as it stands with the environment that it names, and is short."""
    block = next(block for block in PAGES["README.md"].blocks() if block.language == "yaml")
    described = load_environment((ROOT / "src/meshkit_chaos/demo/etcd-lab.yaml").read_bytes(), path="etcd-lab.yaml")
    loaded = load_scenarios(block.text.encode(), path="README.md", environment=described.value)
    assert (described.problems, loaded.problems) == ((), ())
    assert block.text.count("\n") <= 12


def test_the_readme_says_where_things_stand() -> None:
    """Every kind of environment and of fault that the grammar knows is named in the README's status."""
    status = PAGES["README.md"].text.partition("## Where it stands")[2].partition("\n## ")[0]
    kinds = get_args(get_type_hints(EnvironmentDescription)["kind"])
    assert [name for name in (*kinds, *CATALOGUE) if f"`{name}`" not in status] == []


def loader(text: str) -> Callable[..., Loaded[Any]]:
    """What reads a document with these keys."""
    kinds = {"tests:": load_tests, "requirements:": load_policy, "routes:": load_routing, "scenarios:": load_scenarios}
    return next((load for key, load in kinds.items() if re.search(rf"^{key}", text, re.MULTILINE)), load_environment)


def test_yaml_that_is_a_whole_document_lints_clean() -> None:
    """Every YAML block of the how-tos and the tutorial that a reader saves has no problem of its own."""
    saved = [
        (page.name, block) for page in PAGES.values() for block in page.blocks() if block.language == "yaml" and block.file
    ]
    assert saved
    for name, block in saved:
        if "\njobs:" in block.text:  # a pipeline, shown for what is wrong with it: it must be readable
            read_definition(block.text.encode(), path=name)
            continue
        load = loader(block.text)
        assert load(block.text.encode(), path=f"{name}:{block.line}").problems == ()


def test_the_parts_of_the_how_to_make_one_environment() -> None:
    """The answers to all questions of *describe your own mesh*, put together, are a document without problems."""
    blocks = PAGES["docs/howto/describe-your-mesh.md"].blocks()
    text = "\n".join(block.text for block in blocks if block.language == "yaml" and "other" not in block.words)
    assert load_environment(text.encode(), path="my-mesh.yaml").problems == ()


@pytest.mark.parametrize("path", sorted((DOCS / "pictures").glob("*.svg")), ids=lambda path: path.name)
def test_drawings_can_be_read_in_light_and_dark_and_by_those_who_cannot_see(path: Path) -> None:
    """Each drawing is well-formed, has a title and a description, and colours for a dark page."""
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    assert {"title", "desc"} <= {child.tag.rpartition("}")[2] for child in root}
    assert "prefers-color-scheme: dark" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((DOCS / "pictures").glob("*.png")), ids=lambda path: path.name)
def test_screenshots_are_small(path: Path) -> None:
    """A picture of the report weighs less than 300 kB."""
    assert path.stat().st_size < 300_000
