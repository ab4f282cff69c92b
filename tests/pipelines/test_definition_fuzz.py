"""Whatever shape a pipeline file has: it is checked or refused, never a traceback."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.errors import DocumentError
from meshkit_chaos.pipelines.definition import read_definition
from meshkit_chaos.pipelines.false_greens import false_greens, runs_chaos

KEYS = st.sampled_from(
    [
        "jobs",
        "steps",
        "stages",
        "runs",
        "on",
        "job",
        "deployment",
        "strategy",
        "runOnce",
        "deploy",
        "needs",
        "dependsOn",
        "if",
        "condition",
        "run",
        "bash",
        "script",
        "uses",
        "with",
        "task",
        "inputs",
        "env",
        "continue-on-error",
        "${{ if x }}",
        "shell",
    ]
)
TEXTS = st.sampled_from(
    [
        "meshkit-chaos run | tee",
        "meshkit-chaos gate check || true",
        "always()",
        "a@b",
        "${{ inputs.x }}",
        "actions/upload-artifact@v4",
        "PublishTestResults@2",
        "if meshkit-chaos run; then",
        "\\",
        "||",
        "meshkit-chaos",
        "",
    ]
) | st.text(max_size=8)
SHAPES = st.recursive(
    TEXTS | st.booleans() | st.integers(-3, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYS, SHAPES, max_size=4))
def test_any_shape_is_checked_or_refused(shape: dict[str, object]) -> None:
    """JSON is YAML, so every shape can be written; each problem has a place in the file."""
    text = json.dumps(shape, indent=1, ensure_ascii=False)
    with contextlib.suppress(DocumentError):
        definition = read_definition(text.encode("utf-8", "replace"), path="x.yml")
        runs_chaos(definition)
        lines = text.count("\n") + 1
        assert all(0 < problem.line <= lines and problem.column > 0 for problem in false_greens(definition))
