"""`pipelines check`: what looks green is found at its place, and what is shipped has nothing of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from shipped import own_files, users_files

from meshkit_chaos.errors import DocumentError
from meshkit_chaos.pipelines.definition import read_definition
from meshkit_chaos.pipelines.false_greens import false_greens, runs_chaos
from meshkit_chaos.pipelines.rules import RULES

NIGHTLY = ".github/workflows/chaos-nightly.yml"
RELEASE = ".github/workflows/chaos-release-gate.yml"
ON_DEMAND = ".github/workflows/chaos-on-demand.yml"
TELL = ".github/workflows/chaos-tell.yml"
WATCH = ".github/workflows/chaos-watch.yml"
AZURE_TELL = "azure-pipelines/chaos-tell.yml"
AZURE_NIGHTLY = "azure-pipelines/chaos-nightly.yml"
AZURE_RELEASE = "azure-pipelines/chaos-release-gate.yml"
AZURE_STEPS = "azure-pipelines/chaos-run-steps.yml"


def found(text: str, path: str = "pipeline.yml") -> list[tuple[int, int, str]]:
    problems = false_greens(read_definition(text.encode(), path=path))
    return [(problem.line, problem.column, problem.rule.partition(" ")[2]) for problem in problems]


@pytest.mark.parametrize("place", users_files())
def test_nothing_is_found_in_what_is_written_for_users(place: str) -> None:
    """Every shipped definition passes its own check."""
    assert found(users_files()[place], place) == []


@pytest.mark.parametrize("place", own_files())
def test_nothing_is_found_in_our_own(place: str) -> None:
    """And so does every definition of this repository."""
    assert found(own_files()[place], place) == []


def replaced(old: str, new: str, *, last: bool = False) -> Callable[[str], str]:
    """An edit that a user could make. The text must be there."""

    def edit(text: str) -> str:
        assert old in text
        before, _, after = text.rpartition(old) if last else text.partition(old)
        return before + new + after

    return edit


EDITS: dict[str, tuple[str, Callable[[str], str], str]] = {
    "run || true": (NIGHTLY, replaced("--out chaos-results\n", "--out chaos-results || true\n"), "failure-tolerated"),
    "continue-on-error": (NIGHTLY, replaced("    timeout-minutes: 60\n", "    continue-on-error: true\n"), "failure-tolerated"),
    "a step may fail": (
        NIGHTLY,
        replaced("      - name: Run the scenarios\n", "      - name: Run the scenarios\n        continue-on-error: true\n"),
        "failure-tolerated",
    ),
    "a pipe without pipefail": (
        NIGHTLY,
        replaced("      - name: Would a release be let through?\n        shell: bash\n", "      - name: Would it?\n"),
        "failure-tolerated",
    ),
    "no files, no matter": (NIGHTLY, replaced("          if-no-files-found: error\n", ""), "missing-results-tolerated"),
    "only a warning": (
        NIGHTLY,
        replaced("if-no-files-found: error", "if-no-files-found: warn"),
        "missing-results-tolerated",
    ),
    "the gate waits for green": (
        NIGHTLY,
        replaced("    needs: [chaos, history]\n    if: always()\n", "    needs: [chaos, history]\n"),
        "gate-skipped",
    ),
    "the gate has a condition": (
        NIGHTLY,
        replaced(
            "    needs: [chaos, history]\n    if: always()\n",
            "    needs: [chaos, history]\n    if: github.ref == 'refs/heads/main'\n",
        ),
        "gate-skipped",
    ),
    "always, and": (
        NIGHTLY,
        replaced(
            "    needs: [chaos, history]\n    if: always()\n",
            "    needs: [chaos, history]\n    if: always() && needs.chaos.result == 'success'\n",
        ),
        "gate-skipped",
    ),
    "a release whatever the gate said": (
        NIGHTLY,
        lambda text: (
            text + "\n  release:\n    needs: gate\n    if: always()\n    runs-on: ubuntu-24.04\n    steps: [{run: ./release}]\n"
        ),
        "gate-ignored",
    ),
    "no recovery": (NIGHTLY, replaced("exec meshkit-chaos recover chaos-results", "echo recovered"), "not-always"),
    "recovery after success only": (
        NIGHTLY,
        replaced("      - name: Undo what a killed run left behind\n        if: always()\n", "      - name: Undo\n"),
        "not-always",
    ),
    "records of good nights only": (
        NIGHTLY,
        replaced("      - name: Keep the records\n        if: always()\n", "      - name: Keep the records\n"),
        "not-always",
    ),
    "a tag": (NIGHTLY, replaced("@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5"), "unpinned-action"),
    "an input in a script": (ON_DEMAND, replaced('<<< "$SCENARIOS"', '<<< "${{ inputs.scenarios }}"'), "script-injection"),
    "a delivery that fails is green": (
        TELL,
        replaced("--history chaos-history\n      - name: Keep", "--history chaos-history || true\n      - name: Keep"),
        "failure-tolerated",
    ),
    "nobody minds whether people were told": (
        TELL,
        replaced("      - name: Tell people\n", "      - name: Tell people\n        continue-on-error: true\n"),
        "failure-tolerated",
    ),
    "a watch that cannot be red": (
        WATCH,
        replaced("exec meshkit-chaos notify watch", "! meshkit-chaos notify watch"),
        "failure-tolerated",
    ),
    "people are told of good nights only": (
        NIGHTLY,
        replaced("    needs: [chaos, history, gate]\n    if: always()\n", "    needs: [chaos, history, gate]\n"),
        "not-told",
    ),
    "people are told when it went well": (
        NIGHTLY,
        replaced(
            "    needs: [chaos, history, gate]\n    if: always()\n", "    needs: [chaos, history, gate]\n    if: success()\n"
        ),
        "not-told",
    ),
    "only good nights are shown": (
        NIGHTLY,
        replaced("    if: always() # a page that only good nights write stays green\n", ""),
        "not-shown",
    ),
    "only good nights are public": (
        NIGHTLY,
        replaced("    if: always() && needs.dashboard.result", "    if: needs.dashboard.result"),
        "not-shown",
    ),
    "Azure: only good nights are shown": (
        AZURE_NIGHTLY,
        replaced("      - chaos_tell\n    condition: always()\n", "      - chaos_tell\n"),
        "not-shown",
    ),
    "Azure: people are told of good nights only": (AZURE_TELL, replaced("    condition: always()\n", ""), "not-told"),
    "Azure: a step may fail": (
        AZURE_STEPS,
        replaced("    displayName: Run the scenarios\n", "    displayName: Run the scenarios\n    continueOnError: true\n"),
        "failure-tolerated",
    ),
    "Azure: no set -e": (
        AZURE_NIGHTLY,
        lambda text: replaced("          set -euo pipefail\n          # the token", "          # the token", last=True)(
            text.partition("  - job: dashboard\n")[0]
        ),
        "failure-tolerated",
    ),
    "Azure: no results, no matter": (
        AZURE_STEPS,
        replaced("      failTaskOnMissingResultsFile: true\n", ""),
        "missing-results-tolerated",
    ),
    "Azure: failed tests, no matter": (
        AZURE_STEPS,
        replaced("      failTaskOnFailedTests: true\n", "      failTaskOnFailedTests: false\n"),
        "missing-results-tolerated",
    ),
    "Azure: the gate waits for green": (
        AZURE_NIGHTLY,
        replaced("    dependsOn: history\n    condition: always()\n", "    dependsOn: history\n"),
        "gate-skipped",
    ),
    "Azure: the gate waits for an override that was approved": (
        AZURE_RELEASE,
        replaced("    condition: always()\n    pool:", "    pool:"),
        "gate-skipped",
    ),
    "Azure: results of good nights only": (
        AZURE_STEPS,
        replaced("  - task: PublishTestResults@2\n    condition: always()\n", "  - task: PublishTestResults@2\n"),
        "not-always",
    ),
    "Azure: a parameter in a script": (
        AZURE_STEPS,
        replaced('<<< "$SCENARIOS"', '<<< "${{ parameters.scenarios }}"'),
        "script-injection",
    ),
    "Azure: a branch name in a script": (
        AZURE_STEPS,
        replaced("${BUILD_SOURCEBRANCH#refs/heads/}", "$(Build.SourceBranchName)"),
        "script-injection",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_each_edit_that_looks_green_is_found(name: str) -> None:
    """One edit of a shipped file gives one rule, and the place is on a line that is there."""
    place, edit, rule = EDITS[name]
    text = edit(users_files()[place])
    problems = found(text, place)
    assert {what for _, _, what in problems} == {rule}
    lines = text.split("\n")
    assert all(0 < line <= len(lines) and 0 < column <= len(lines[line - 1]) for line, column, _ in problems)


def test_every_rule_is_tried() -> None:
    """No rule is there that no edit shows."""
    assert {rule for _, _, rule in EDITS.values()} == set(RULES)


def test_a_place_inside_a_script_is_exact() -> None:
    """Line and column of the call itself, not of the step."""
    text = "on: push\njobs:\n  a:\n    steps:\n      - run: |\n          ls\n          cd x; meshkit-chaos judge out || true\n"
    assert found(text) == [(7, 17, "failure-tolerated")]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("jobs: [", "MC001"),
        ("on: push\non: push\njobs: {}", "MC002"),
        ("just: a mapping\n", "MP001"),
        ("- a\n- list\n", "MP001"),
        ("", "MC001"),
    ],
)
def test_what_is_no_definition_is_refused_with_its_place(text: str, rule: str) -> None:
    """Nothing that cannot be read counts as checked."""
    with pytest.raises(DocumentError) as caught:
        read_definition(text.encode(), path="x.yml")
    assert [problem.rule for problem in caught.value.problems] == [rule]
    assert caught.value.problems[0].line > 0


def test_keys_without_a_value_and_repeated_expressions_are_fine() -> None:
    """Both are ordinary there: an event without options, and Azure's conditional keys."""
    read_definition(b"on:\n  workflow_dispatch:\njobs: {}\n", path="x.yml")
    read_definition(b"steps:\n- bash: ls\n  env:\n    ${{ if a }}:\n      B: c\n    ${{ if a }}:\n      D: e\n", path="x.yml")


def test_steps_inside_of_azure_conditions_and_deployments_are_seen() -> None:
    """A false green does not hide below ``${{ if }}``, in a stage, or in a deployment's life cycle."""
    script = "meshkit-chaos gate check || true"
    wrapped = f"stages:\n- stage: a\n  jobs:\n  - job: b\n    steps:\n    - ${{{{ if c }}}}:\n      - bash: {script}\n"
    assert [what for _, _, what in found(wrapped)] == ["failure-tolerated"]
    deployment = f"jobs:\n- deployment: a\n  strategy:\n    runOnce:\n      deploy:\n        steps:\n        - bash: {script}\n"
    assert [what for _, _, what in found(deployment)] == ["failure-tolerated"]


def test_telling_in_the_job_of_the_run_needs_always() -> None:
    """The steps behind a failed one are skipped, so a step that tells what it was must say that it runs always."""
    job = "on: push\njobs:\n  a:\n    steps:\n    - run: meshkit-chaos gate check\n    - run: meshkit-chaos notify send out\n"
    assert found(job) == [(6, 7, "not-told")]
    assert found(job + "      if: always()\n") == []
    assert found(job + "      if: success()\n") == [(7, 11, "not-told")]


def test_a_job_that_tells_may_run_whatever_the_gate_said_and_no_release_hides_in_it() -> None:
    """What was blocked is told, too; a script beside it that is none of ours might release."""
    gate = "jobs:\n  gate:\n    steps:\n    - run: meshkit-chaos gate check\n"
    steps = "    - run: pip install x\n    - run: meshkit-chaos notify send out\n"
    tell = f"  tell:\n    needs: gate\n    if: always()\n    steps:\n{steps}"
    assert found(gate + tell) == []
    assert [what for _, _, what in found(gate + tell + "    - run: ./release.sh\n")] == ["gate-ignored"]


def test_a_job_that_writes_the_dashboard_may_fail_and_nothing_that_judges_hides_in_it() -> None:
    """A page that could not be written makes no night red; a gate, a run or a release beside it would."""
    job = "jobs:\n  gate:\n    steps:\n    - run: meshkit-chaos gate check\n  shown:\n    needs: gate\n    if: always()\n"
    job += "    continue-on-error: true\n    steps:\n    - run: meshkit-chaos history pull x\n"
    assert found(job + "    - run: meshkit-chaos dashboard export site\n") == []
    judging = "    - run: meshkit-chaos dashboard export site; meshkit-chaos judge x\n"
    assert {what for _, _, what in found(job + judging)} == {"failure-tolerated", "gate-ignored"}
    released = "    - run: meshkit-chaos dashboard export site\n    - run: ./release.sh\n"
    assert {what for _, _, what in found(job + released)} == {"failure-tolerated", "gate-ignored"}


def test_a_job_with_conditional_keys_is_seen() -> None:
    """An ``${{ if }}`` among the keys of a job or a step does not hide it, and what it needs then is needed."""
    wrapped = "    ${{ if c }}:\n      dependsOn: b\n"
    gate = f"jobs:\n- job: a\n{wrapped}  steps:\n  - bash: exec meshkit-chaos gate check\n".replace("    $", "  $", 1)
    assert [what for _, _, what in found(gate)] == ["gate-skipped"]
    assert found(gate.replace("  steps:", "  condition: always()\n  steps:")) == []
    step = "steps:\n- bash: meshkit-chaos gate check || true\n  ${{ if c }}:\n    displayName: d\n"
    assert [what for _, _, what in found(step)] == ["failure-tolerated"]


def test_a_definition_without_us_is_told_from_one_that_has_us() -> None:
    """So that a check of nothing is not taken for a good one."""
    assert not runs_chaos(read_definition(b"jobs:\n  a:\n    steps:\n    - run: make\n", path="x.yml"))
    assert runs_chaos(read_definition(b"jobs:\n  a:\n    uses: ./.github/workflows/chaos-release-gate.yml\n", path="x.yml"))
