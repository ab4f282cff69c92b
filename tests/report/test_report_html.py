"""report.html: self-contained, safe, whole."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import pytest
import report_builder as build
from hypothesis import given, settings
from jinja2 import UndefinedError
from msgspec import structs
from report_strategies import HOSTILE, invocations

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.verdict import InvocationVerdict
from meshkit_chaos.report import html as html_module
from meshkit_chaos.report.html import html_report
from meshkit_chaos.report.model import InvocationReport, run_report

_VOID = frozenset({"meta", "br", "img", "input", "link", "hr"})


@dataclass
class Page(HTMLParser):
    """What a page is made of: its elements with their attributes, in order, and what did not close."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(document: str) -> Page:
    page = Page()
    page.feed(document)
    page.close()
    return page


def shape(page: Page) -> list[str]:
    return [tag for tag, _ in page.elements]


def test_every_element_is_closed_and_every_link_leads_somewhere() -> None:
    """Ids are unique and each reference within the page has its target."""
    page = read(html_report(build.mixed()))
    assert page.unclosed == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for _, attributes in page.elements if "href" in attributes]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_nothing_is_loaded_from_anywhere() -> None:
    """No element has a source or an address outside the page, and the styles load nothing."""
    document = html_report(build.mixed())
    for tag, attributes in read(document).elements:
        assert "src" not in attributes
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    assert not re.search(r"@import|url\((?!#)", document)


def test_the_policy_allows_exactly_what_is_inside() -> None:
    """The digests in the Content-Security-Policy are those of the page's own style and script."""
    document = html_report(build.mixed())
    policy = next(a["content"] for _, a in read(document).elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", document, re.DOTALL)
        assert len(inside) == 1
        digest = base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


def test_the_page_says_what_one_needs_to_know() -> None:
    """Verdict, subject, class, seed, digests, queries, the command to repeat it, and the command that cleans up."""
    document = " ".join(" ".join(read(html_report(build.mixed())).words).split())
    for expected in (
        "1 of 4 scenarios failed",
        "The environment is dirty.",
        "meshkit-chaos recover out",
        "9f2c1e7a",
        "etcd-3",
        "4711",
        "9b1e" * 16,
        "sum(etcd_server_is_leader)",
        "meshkit-chaos run leader-killed-under-load --file chaos-scenarios.yaml --seed 4711",
        "6.93–7.19 s",
        "2026-11-23 17:23:13 UTC",
        "kill etcd-2 (leader)",
    ):
        assert expected in document, expected


def test_verdicts_are_told_by_word_and_form() -> None:
    """Each verdict that is shown has its word and its own sign."""
    document = html_report(build.mixed())
    for verdict, word in (("pass", "Pass"), ("fail", "Fail"), ("inconclusive", "Inconclusive"), ("not-run", "Not run")):
        assert f'href="#sign-{verdict}"/></svg>{word}</span>' in document


def test_nothing_judged_is_said_and_is_not_a_pass() -> None:
    """An invocation without scenarios is a page that says so."""
    empty = InvocationVerdict(
        invocation="x",
        verdict="inconclusive",
        environment="untouched",
        sentence="nothing was judged",
        subject={},
        scenarios=(),
        runs=(),
    )
    assert "Nothing was judged. That is not a pass." in html_report(InvocationReport(invocation=empty))


def test_a_run_without_its_record_is_told_in_words() -> None:
    """A verdict whose record is not at hand is still shown, without drawings."""
    report = replace(build.mixed(), runs=())
    document = html_report(report)
    assert "The record of this run is not at hand" in document
    assert 'class="plot"' not in document


@pytest.mark.parametrize("length", range(1, 28))
def test_a_record_cut_anywhere_gives_a_page(length: int) -> None:
    """A crashed run's record, cut after any event, can be shown."""
    report = build.all_passed()
    run = report.runs[0]
    cut = replace(run, record=Record(entries=run.record.entries[:length], damage=("the last line is torn",)))
    assert "the last line is torn" in html_report(replace(report, runs=(cut,)))


def test_a_recovery_that_would_be_a_speck_is_drawn_again_larger() -> None:
    """In a long run, each short convergence has a close-up; in a short run none is needed."""
    report = build.all_passed()
    run = report.runs[0]
    last = run.record.entries[-1]
    settle = ev.Entry(seq=last.seq, t=build.at(300), event=ev.PhaseEntered(phase="teardown"))
    longer = (
        *(e for e in run.record.entries[:-1] if not isinstance(e.event, ev.PhaseEntered) or e.event.phase != "teardown"),
        settle,
    )
    stretched = replace(run, record=replace(run.record, entries=longer))
    assert html_report(replace(report, runs=(stretched,))).count("plot close-up") == 2
    assert "plot close-up" not in html_report(report)


def test_an_event_of_a_newer_version_is_shown_as_it_is() -> None:
    """Unknown event kinds are listed, not dropped."""
    report = build.all_passed()
    run = report.runs[0]
    newer = ev.Entry(seq=len(run.record.entries), t=run.record.entries[-1].t, event=ev.Unknown(kind="moon.phase", data={}))
    told = replace(run, record=replace(run.record, entries=(*run.record.entries, newer)))
    assert "moon.phase" in html_report(replace(report, runs=(told,)))


def test_a_record_and_a_verdict_make_a_report_with_every_indicator() -> None:
    """The series come from the judge; without samples each plot is there and says that it has no data."""
    run = build.passing()
    made = run_report(run.record, run.verdict)
    assert [plot.indicator for plot in made.plots] == ["leaders", "failed-proposals", "probe-latency"]
    assert "no data in this time" in html_report(replace(build.all_passed(), runs=(made,)))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_text_adds_no_element(hostile: str) -> None:
    """Wherever a text from a document stands, the page keeps its shape."""

    def with_text(content: str) -> InvocationReport:
        report = build.all_passed()
        invocation, run = report.invocation, report.runs[0]
        finding = structs.replace(run.verdict.findings[0], sentence=content, hint=content, id=content)
        verdict = structs.replace(
            run.verdict,
            title=content,
            owner=content,
            findings=(finding,),
            subject={content: content},
            binaries={content: content},
        )
        plots = tuple(replace(plot, indicator=content, query=content, description=content) for plot in run.plots)
        entries = tuple(
            structs.replace(entry, event=ev.ProblemNoted(where=content, message=content)) if index == 4 else entry
            for index, entry in enumerate(run.record.entries)
        )
        changed = replace(run, verdict=verdict, plots=plots, record=replace(run.record, entries=entries, damage=(content,)))
        scenario = structs.replace(invocation.scenarios[0], title=content, sentence=content, owner=content)
        return replace(
            report,
            invocation=structs.replace(
                invocation, sentence=content, subject={content: content}, scenarios=(scenario,), runs=(verdict,)
            ),
            runs=(changed,),
            file=content,
            recover=content,
        )

    document = html_report(with_text(hostile))
    assert shape(read(document)) == shape(read(html_report(with_text("plain"))))
    document.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", document)


@settings(deadline=None, max_examples=40)
@given(invocations())
def test_any_invocation_gives_a_whole_page(invocation: InvocationVerdict) -> None:
    """Whatever the verdicts and texts are, the page is well-formed and can be written as UTF-8."""
    document = html_report(InvocationReport(invocation=invocation))
    document.encode()
    assert read(document).unclosed == []


def test_an_undefined_name_in_the_template_is_an_error() -> None:
    """The template engine refuses what it was not given."""
    with pytest.raises(UndefinedError):
        html_module._environment().from_string("{{ nobody_gave_this }}").render()
