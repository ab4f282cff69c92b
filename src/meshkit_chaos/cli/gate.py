"""``gate check | override | backtest | self-test | log``: whether a release may go out."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.gate_reading import read_file, read_policy
from meshkit_chaos.cli.gate_writing import override_command
from meshkit_chaos.cli.groups import Group
from meshkit_chaos.cli.histories import HISTORY, open_history
from meshkit_chaos.cli.options import FORMAT, duration, json_text, pairs
from meshkit_chaos.cli.reading import POLICY
from meshkit_chaos.clock import SystemClock, iso
from meshkit_chaos.errors import UsageError
from meshkit_chaos.slo.codec import builtins

if TYPE_CHECKING:
    from meshkit_chaos.gate.decision import Decision
    from meshkit_chaos.gate.policy import Policy
    from meshkit_chaos.gate.subject import Subject

UNDECIDED = 2
POLICY_OPTION = click.option(
    "--policy", "policy", type=click.Path(path_type=Path), default=Path(POLICY), show_default=True, help="The policy."
)
POLICY_REF = click.option(
    "--policy-ref", metavar="REF", help="Read the policy as it is at this ref of git, such as origin/main."
)
LOG_OPTION = click.option(
    "--log", "log", type=click.Path(path_type=Path), envvar="MESHKIT_CHAOS_GATE_LOG", show_envvar=True, help="The gate's log."
)


@click.group("gate", cls=Group, epilog="Example: meshkit-chaos gate check --subject commit=9fceb02d --digest ./meshd")
def gate_command() -> None:
    """Decide whether a release may go out, by a policy and what history knows of it. Only evidence of a pass opens."""


gate_command.add_command(override_command)


@gate_command.command(
    "check",
    epilog="Example: meshkit-chaos gate check --subject version=1.4.2 --subject commit=9fceb02d --digest ./meshd "
    "--overrides-ref origin/main --log chaos-gate.log.jsonl",
)
@POLICY_OPTION
@POLICY_REF
@click.option(
    "--overrides", type=click.Path(path_type=Path), help="The overrides.  [default: chaos-overrides.yaml, where there is one]"
)
@click.option(
    "--overrides-ref",
    metavar="REF",
    help="Read the overrides as they are at this ref of git: the protected branch. Without it they are refused.",
)
@click.option(
    "--allowed-signers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Check SSH signatures of overrides against this file, as ssh-keygen has it.",
)
@HISTORY
@click.option("--subject", "stated", metavar="KEY=VALUE", multiple=True, help="What is to be released; repeatable.")
@click.option(
    "--digest",
    "digests",
    metavar="FILE|MEMBER=SHA256",
    multiple=True,
    help="A binary that is to be released, or the SHA-256 of one member's; repeatable.",
)
@LOG_OPTION
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown", "junit"]), default="text", show_default=True,
    help="How to print.",
)  # fmt: skip
def check_command(
    policy: Path,
    policy_ref: str | None,
    overrides: Path | None,
    overrides_ref: str | None,
    allowed_signers: Path | None,
    history: str,
    stated: tuple[str, ...],
    digests: tuple[str, ...],
    log: Path | None,
    form: str,
) -> int:
    """Say whether a subject may be released: open or blocked, why, since when, and what would open it.

    Ends with 0 where it is open, with 1 where evidence blocks it, with 2 where required evidence is missing, stale or of
    another subject, or nothing is required, with 4 where there is no policy or a bad one.
    """
    from meshkit_chaos.gate.decide import decide  # noqa: PLC0415  # start-up time
    from meshkit_chaos.gate.evidence import gather  # noqa: PLC0415  # start-up time
    from meshkit_chaos.gate.signatures import check_signatures  # noqa: PLC0415  # start-up time

    rules = read_policy(policy, policy_ref)
    file = read_file(overrides, overrides_ref)
    subject = subject_of(stated, digests, rules)
    now = SystemClock().wall_ns()
    with open_history(history) as reader:
        evidence = gather(reader, rules, subject, now=now)
    checked = check_signatures(file.entries, allowed_signers) if allowed_signers else ()
    decision = decide(rules, evidence, subject=subject, now=now, overrides=file, checked=checked)
    if policy_ref is None:
        note = "the policy is that of the working tree: give --policy-ref, so that no commit brings its own"
        decision = structs.replace(decision, notes=(*decision.notes, note))
    decision = _logged(decision, log)
    _print(decision, form)
    if form != "text":
        from meshkit_chaos.report.gate_words import headline  # noqa: PLC0415  # start-up time

        say(headline(decision))
    return decision.exit_code


def subject_of(stated: tuple[str, ...], digests: tuple[str, ...], policy: Policy) -> Subject:
    """The subject of a command line. Raises UsageError where it lacks what the policy tells results apart by."""
    from meshkit_chaos.gate.subject import Subject  # noqa: PLC0415  # start-up time

    members: dict[str, str] = {}
    files: list[str] = []
    for given in digests:
        if Path(given).is_file():
            files.append(_sha256(Path(given)))
        elif "=" in given:
            members |= pairs([given], option="--digest")
        else:
            raise UsageError(f"--digest {given!r} is neither a file nor MEMBER=SHA256", hint="such as --digest ./meshd")
    subject = Subject(pairs=pairs(stated, option="--subject"), members=members, digests=tuple(files))
    if not subject.known(policy.match):
        option = "--subject commit=…" if policy.match == "commit" else "--digest FILE"
        raise UsageError(f"the policy says `match: {policy.match}`, and there is no {option}", hint=f"give {option}")
    return subject


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _logged(decision: Decision, log: Path | None) -> Decision:
    if log is None:
        return decision
    from meshkit_chaos.gate.log import GateLog  # noqa: PLC0415  # start-up time

    entry = GateLog(log).append("decision", builtins(decision), at=decision.at)
    return structs.replace(decision, log_head=entry.hash)


def _print(decision: Decision, form: str) -> None:
    match form:
        case "json":
            from meshkit_chaos.report.gate_json import decision_json  # noqa: PLC0415  # only the one asked for

            click.echo(decision_json(decision), nl=False)
        case "markdown":
            from meshkit_chaos.report.gate_markdown import decision_markdown  # noqa: PLC0415  # only the one asked for

            click.echo(decision_markdown(decision), nl=False)
        case "junit":
            from meshkit_chaos.report.gate_junit import decision_junit  # noqa: PLC0415  # only the one asked for

            click.echo(decision_junit(decision), nl=False)
        case _:
            from meshkit_chaos.report.gate_text import decision_text  # noqa: PLC0415  # only the one asked for

            click.echo(decision_text(decision, colour=sys.stdout.isatty() and not _no_colour()), nl=False)


def _no_colour() -> bool:
    import os  # noqa: PLC0415  # one variable

    return bool(os.environ.get("NO_COLOR"))


@gate_command.command("backtest", epilog="Example: meshkit-chaos gate backtest --history chaos-history --last 90d")
@POLICY_OPTION
@HISTORY
@click.option("--last", metavar="DURATION", help="Only invocations this young.  [default: all]")
@FORMAT
def backtest_command(policy: Path, history: str, last: str | None, form: str) -> int:
    """Replay the policy over history, without overrides: which invocations would have been blocked, and why.

    Ends with 0, or with 2 where there was nothing to decide about.
    """
    from meshkit_chaos.gate.backtest import backtest  # noqa: PLC0415  # start-up time
    from meshkit_chaos.report.escape import one_line  # noqa: PLC0415  # start-up time

    rules = read_policy(policy, None)
    since = SystemClock().wall_ns() - duration(last, option="--last").ns if last else None
    with open_history(history) as reader:
        found = backtest(reader, rules, since=since, before=None)
    if form == "json":
        blocked = [builtins(one) for one in found.blocked]
        click.echo(json_text({"sentence": found.sentence, "replayed": len(found.replayed), "blocked": blocked}))
    else:
        click.echo(found.sentence)
        for one in found.blocked:
            subject = ", ".join(f"{key}={value}" for key, value in one.subject.items())
            click.echo(one_line(f"{iso(one.at)} exit {one.decision.exit_code}: {one.decision.sentence} ({subject})"))
    return 0 if found.replayed else UNDECIDED


@gate_command.command("self-test", epilog="Example: meshkit-chaos gate self-test --policy chaos-gate.yaml")
@POLICY_OPTION
@FORMAT
def self_test_command(policy: Path, form: str) -> int:
    """Plant bad evidence of every kind in a made-up history in which the policy opens: none of it may open the gate.

    Ends with 0 where all of it blocked, with 1 where any opened, with 2 where the policy opens for nothing at all.
    """
    from meshkit_chaos.gate.planting import self_test  # noqa: PLC0415  # start-up time
    from meshkit_chaos.report.escape import one_line  # noqa: PLC0415  # start-up time

    test = self_test(read_policy(policy, None), now=SystemClock().wall_ns())
    if form == "json":
        click.echo(json_text(builtins(test)))
    else:
        for one in test.planted:
            about = f" ({one.scenario})" if one.scenario else ""
            click.echo(f"{'OPENED' if one.opened else 'blocked'}  {one_line(one.situation + about)}")
    if not test.control.open:
        say(f"this policy opens for nothing, so staying closed proves nothing: {test.control.sentence}")
        return UNDECIDED
    say(f"{len(test.planted) - len(test.opened)} of {len(test.planted)} planted situations were blocked")
    return 1 if test.opened else 0


@gate_command.command("log", epilog="Example: meshkit-chaos gate log --log chaos-gate.log.jsonl --verify")
@LOG_OPTION
@click.option("--verify", "verifying", is_flag=True, help="Check every link of the chain.")
@click.option("--head", metavar="HASH", default="", help="A head that was kept: it must be in the chain. Implies --verify.")
@FORMAT
def log_command(log: Path | None, verifying: bool, head: str, form: str) -> int:
    """Show the decisions and overrides of the log, oldest first, and its head.

    With --verify it ends with 1 where anything before the head was changed.
    """
    from meshkit_chaos.gate.log import GateLog, verify  # noqa: PLC0415  # start-up time
    from meshkit_chaos.report.escape import one_line  # noqa: PLC0415  # start-up time

    if log is None:
        raise UsageError("which log?", hint="name it with --log")
    chain = verify(GateLog(log).read(), head=head)
    problems = chain.problems if verifying or head else ()
    if form == "json":
        click.echo(json_text({"head": chain.head, "problems": list(problems), "entries": builtins(chain.entries)}))
    else:
        for entry in chain.entries:
            told = one_line(f"{entry.kind} {entry.body.get('sentence', '')}")
            click.echo(f"{entry.seq:>5}  {iso(entry.at)}  {told}")
        click.echo(f"head {chain.head}")
    for problem in problems:
        say(f"error (operator must act): {log}: {problem}")
    if not problems and (verifying or head):
        anchored = "up to the head that was given, and since" if head else "but no head was given: see --head"
        count = len(chain.entries)
        say(f"{count} {'entry' if count == 1 else 'entries'}, each follows on the one before it, {anchored}")
    return 1 if problems else 0
