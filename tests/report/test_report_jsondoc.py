"""verdict.json and its schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import report_builder as build
from hypothesis import given, settings
from report_golden import check
from report_strategies import invocations

from meshkit_chaos.judge.verdict import InvocationVerdict, Verdict
from meshkit_chaos.report.jsondoc import verdict_json, verdict_schema, verdict_schema_json
from meshkit_chaos.slo.codec import decode

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_published_schema_is_current() -> None:
    """The schema in the documentation is the one of this code (``UPDATE_GOLDEN=1`` writes it)."""
    check("verdict.schema.json", verdict_schema_json(), folder=REFERENCE)


def test_the_schema_is_itself_valid() -> None:
    """A validator of the stated draft accepts the schema."""
    jsonschema.Draft202012Validator.check_schema(verdict_schema())


def test_both_documents_are_written_as_in_the_golden_files() -> None:
    """A run's and an invocation's verdict give the bytes that were reviewed."""
    report = build.mixed()
    check("verdict.json", verdict_json(report.invocation))
    check("run.verdict.json", verdict_json(report.runs[1].verdict))


def test_a_document_of_another_version_is_refused_by_the_schema() -> None:
    """The schema number is part of the schema."""
    document = {**json.loads(verdict_json(build.passing().verdict)), "schema": 2}
    assert not jsonschema.Draft202012Validator(verdict_schema()).is_valid(document)


def test_documents_read_back_equal() -> None:
    """What is written can be read back as the same value."""
    report = build.mixed()
    assert decode(verdict_json(report.invocation), InvocationVerdict) == report.invocation
    assert decode(verdict_json(report.runs[0].verdict), Verdict) == report.runs[0].verdict


@settings(deadline=None, max_examples=80)
@given(invocations())
def test_every_document_keeps_to_the_schema(invocation: InvocationVerdict) -> None:
    """Whatever text is in a verdict, the document is UTF-8 JSON that the schema accepts, and the same each time."""
    validator = jsonschema.Draft202012Validator(verdict_schema())
    documents: tuple[Verdict | InvocationVerdict, ...] = (invocation, *invocation.runs)
    for value in documents:
        document = verdict_json(value)
        validator.validate(json.loads(document))
        assert document == verdict_json(value)
