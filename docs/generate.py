"""Write the reference pages and pictures that are made from the code, or say which are stale.

Takes the commands, event types, catalogue and tables of the package; gives Markdown and JSON below ``docs/reference``, and
drawings of simulated runs below ``docs/pictures``. With ``--check`` it writes nothing and ends with 1 if a page differs from
what would be written. A test calls ``stale``.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from meshkit_chaos import errors
from meshkit_chaos.campaign import log as invocation_log
from meshkit_chaos.cli.app import cli
from meshkit_chaos.deliver.schema import notify_reference
from meshkit_chaos.deliver.webhook import webhook_schema_json
from meshkit_chaos.faults import CATALOGUE, Fault, LinkPolicy, PacketCounts, levers
from meshkit_chaos.gate.schema import gate_reference
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.promql import subset
from meshkit_chaos.promql.syntax import ARITHMETIC, COMPARISONS, SET_OPERATORS
from meshkit_chaos.report.gate_json import decision_schema_json
from meshkit_chaos.report.jsondoc import verdict_schema_json
from meshkit_chaos.scenario.reference import grammar_reference, rules_reference

DOCS: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))
from noise_page import noise_page  # noqa: E402  # a script beside this one, wherever this one is loaded from
from pictures import PICTURES  # noqa: E402  # a script beside this one, wherever this one is loaded from

_MADE: Final = "<!-- Made from the code by docs/generate.py; a test holds it current. -->"


def _table(head: str, rows: Iterator[str] | list[str]) -> str:
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *rows]) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _prose(docstring: str) -> str:
    """A docstring as Markdown: its literals in single backquotes."""
    return inspect.cleandoc(docstring).replace("``", "`")


def cli_page() -> str:
    """Every command with its arguments, options, defaults and an example."""
    parts = [_MADE, "# Commands\n", _CLI_OPENING]
    for path, command in commands():
        parts.extend(_command(path, command))
    return "\n".join(parts).rstrip("\n") + "\n"


_CLI_OPENING: Final = """Data goes to standard output, talk to standard error. `--format json` gives the data as JSON.
Colour is only used on a terminal, and never where `NO_COLOR` is set. Every command answers `--help`.
What the exit codes mean: [exit-codes](exit-codes.md).

| environment variable | meaning |
|---|---|
| `NO_COLOR` | No colour. |
| `MESHKIT_CHAOS_STATE` | Where environments that outlive a run are kept, instead of the user's state folder. |
| `MESHKIT_CHAOS_HISTORY` | Where history is kept, for every command that takes `--history`. |
| `MESHKIT_CHAOS_ARTIFACTS` | Where its bundles lie, for every command that takes `--artifacts`. |
| `AWS_ENDPOINT`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, … | How `s3://` is reached; `AWS_ALLOW_HTTP=true` for one without TLS. |
| `MESHKIT_CHAOS_TRACEBACK` | Print the traceback of an error of our own. |
"""


def commands(path: str = "meshkit-chaos", command: click.Command = cli) -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it, groups before their members."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, name
            yield from commands(f"{path} {name}", inner)


def _command(path: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=path, help_option_names=cli.context_settings["help_option_names"])
    yield f"## {path}\n"
    yield f"{_paragraphs(command.help or '')}\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    rows = [_option(parameter, context) for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    yield _table("| option | meaning | default |", rows)
    example = (command.epilog or "").removeprefix("Example: ")
    if command.epilog and example != command.epilog:
        yield f"Example:\n\n```shell\n{example}\n```\n"


def _paragraphs(text: str) -> str:
    """Click's help as Markdown; an indented line is a command to type."""
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n")]
    return "\n\n".join(re.sub(r"^(Start with:) (.*)$", r"\1 `\2`", part) for part in paragraphs)


def _option(option: click.Option, context: click.Context) -> str:
    found = option.get_help_record(context)
    assert found is not None, option.name
    names, text = found
    meaning, _, default = text.partition("[default: ")
    shown = ", ".join(f"`{name}`" for name in names.split(", "))
    given = default.partition("]")[0]
    if not given and isinstance(option.default, str) and option.default:
        given = option.default
    return f"| {shown.replace('|', chr(92) + '|')} | {_cell(meaning)} | {f'`{given}`' if given else ''} |"


def journal_page() -> str:
    """Every kind of event: what it says and its fields."""
    parts = [_MADE, "# The journal\n", _JOURNAL_OPENING, "## Events of a run\n"]
    for event in event_types(ev.AnyEvent):
        parts.append(_event(event))
    parts.append("## Lines of an invocation\n\n`invocation.jsonl`, in the results folder, has no `seq` and no `t`.\n")
    for line in event_types(invocation_log.Line):
        parts.append(_event(line))
    parts.append("## Values inside events\n")
    for value in (ev.MemberUp, BinaryFacts, levers.MemberState, LinkPolicy, PacketCounts, invocation_log.AnnouncedScenario):
        parts.append(_value(value))
    parts.append("### lever call\n\nOne of these, told apart by `lever`. Every lever call is idempotent.\n")
    calls = [
        f"| `{call.__struct_config__.tag}` | {_field_names(call)} | {_cell(_prose(_own(call)))} |"
        for call in event_types(levers.LeverCall)
    ]
    parts.append(_table("| lever | fields | meaning |", calls))
    return "\n".join(parts).rstrip("\n") + "\n"


_JOURNAL_OPENING: Final = """`journal.jsonl` is the record of one run: one JSON object a line, appended, never changed.
A verdict is derived from it and from the sample blocks beside it, and from nothing else.

```json
{"seq":17,"t":2771988479026,"event":{"kind":"fault.injected","node":"leader-dies"}}
```

* `seq` counts from 0 without a gap. Findings name these numbers as their evidence.
* `t` is monotonic nanoseconds of one boot of one machine. `run.started` maps its own `t` to wall time.
* `event.kind` is one of the kinds below. A kind that a reader does not know is kept as it is.
* An *intent* (`deploy.intended`, `fault.intended`, `revert.intended`, `teardown.intended`) is on disk before the act that it
  announces. `fault.intended` holds the lever calls that undo it. Where an intent to inject or to deploy cannot be written,
  nothing is done; an undo goes on all the same.
* A run whose last line is not `run.finished` has crashed.
* Sample blocks lie in `samples/`. A block is named by the first 32 hex digits of its SHA-256, which `samples.flushed` repeats.
"""


def event_types(union: Any) -> tuple[Any, ...]:
    """The members of a closed set of types."""
    return typing.get_args(union)


def _own(struct: Any) -> str:
    """A type's own docstring; empty where it has none."""
    return str(struct.__dict__.get("__doc__") or "")


def _event(event: Any) -> str:
    return f"### {event.__struct_config__.tag}\n\n{_prose(_own(event))}\n\n".replace("\n\n\n\n", "\n\n") + _fields(event)


def _field_names(struct: Any) -> str:
    return ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(struct))


def _value(value: Any) -> str:
    return f"### {_words(value.__name__)}\n\n{_prose(_own(value))}\n\n".replace("\n\n\n\n", "\n\n") + _fields(value)


def _fields(struct: Any) -> str:
    hints = typing.get_type_hints(struct)
    rows = [f"| `{field.encode_name}` | {_type(hints[field.name])} |" for field in msgspec.structs.fields(struct)]
    return _table("| field | type |", rows) if rows else "No fields.\n"


_NAMED: Final = {type(None): "`null`", str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}


def _type(hint: Any) -> str:
    if hint in _NAMED:
        return _NAMED[hint]
    if hint == levers.LeverCall:
        return "[lever call](#lever-call)"
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin is tuple:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return f"mapping: text to {_type(args[1])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(arg) for arg in args)
    words = _words(hint.__name__)
    return f"[{words}](#{words.replace(' ', '-')})" if words in _LINKED else words


_LINKED: Final = {"member up", "binary facts", "member state", "link policy", "packet counts", "announced scenario"}


def _words(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def faults_page() -> str:
    """The catalogue: what each fault does, how it is undone, what proves it."""
    parts = [_MADE, "# Faults\n", _FAULTS_OPENING]
    parts.extend(_fault(fault) for fault in CATALOGUE.values())
    parts.append(
        "## Levers\n\nWhat an environment can do to a member. A plan refuses a fault whose levers an environment lacks.\n"
    )
    rows = [f"| `{call.__struct_config__.tag}` | {_cell(_prose(_own(call)))} |" for call in event_types(levers.LeverCall)]
    parts.append(_table("| lever | meaning |", rows))
    return "\n".join(parts).rstrip("\n") + "\n"


_FAULTS_OPENING: Final = """A fault is described once, in terms of levers.
It says which levers inject it, which undo it, and which effect proves that it bit.
A fault that did not bite makes its run `invalid`: nothing was tested.
"""


_BESIDE: Final = {
    True: "its members are its own: no other fault takes them away meanwhile",
    False: "may be laid over other faults on the same member",
}


def _fault(fault: Fault) -> str:
    inject = ", then ".join(f"`{name}`" for name in fault.pulls)
    revert = ", then ".join(f"`{name}`" for name in fault.undone_by)
    rows = [
        f"| inject | {inject} |",
        f"| undo | {revert} |",
        f"| it bit when | {fault.effect_doc}{'; and before it is undone: ' + fault.toll_doc if fault.toll else ''} |",
        f"| can be held | {'no: it is over once injected' if fault.momentary else 'yes'} |",
        f"| beside others | {_BESIDE[fault.silences]} |",
    ]
    parameters = [_parameter(parameter) for parameter in fault.parameters]
    told = _table("| parameter | type | default | limits | meaning |", parameters) if parameters else "No parameters.\n"
    about = _table("| | |", rows)
    return f"## {fault.kind}\n\n{fault.summary}\n\n{about}\n{told}\n```yaml\n{fault.example}\n```\n"


def _parameter(parameter: Any) -> str:
    default = "**needed**" if parameter.default is None else f"`{_shown(parameter.default)}`"
    return f"| `{parameter.name}` | {parameter.type} | {default} | {parameter.limits} | {_cell(parameter.doc)} |"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def promql_page() -> str:
    """The subset of PromQL by name, and what to use instead of the rest."""
    instead = _instead()
    return "\n".join(
        [
            _MADE,
            "# PromQL\n",
            _PROMQL_OPENING,
            _names(
                "## Operators",
                {"arithmetic": ARITHMETIC, "comparison, with and without `bool`": COMPARISONS, "sets": SET_OPERATORS},
            ),
            _names("## Aggregations", {"with `by` or `without`": subset.AGGREGATIONS}),
            _names(
                "## Functions",
                {
                    "over a range": subset.RANGE_FUNCTIONS,
                    "of one number": subset.MATHS_FUNCTIONS,
                    "others": subset.OTHER_FUNCTIONS,
                },
            ),
            "## Outside the subset\n\nLint refuses these by name (MC103) and says what to use instead.\n",
            _table("| name | instead |", [f"| `{name}` | {_cell(hint)} |" for name, hint in instead]),
        ]
    )


_PROMQL_OPENING: Final = """Indicators are PromQL. The same text is evaluated over the samples that a run recorded, while it
runs and whenever it is judged again. What is below is the whole subset. Anything else is refused when the document is
read; nothing is approximated.

Also there: selectors with `=`, `!=`, `=~` and `!~`; `offset`; range selectors; subqueries; `on` and `ignoring`;
`group_left` and `group_right`; unary minus; numbers and texts. Not there: native histograms and `count_values`.

Semantics are those of Prometheus: staleness markers, a lookback of five minutes, extrapolation. A range leaves out a sample
exactly at its start, as Prometheus 3 does. The evaluator is compared with Prometheus 2.42 on generated queries in
`tests/promql`, with the older rule for ranges. Two series that become alike inside a subquery, if only at different steps,
are refused where Prometheus refuses them.

An indicator is one number. A query that gives no series, several series, or NaN at some instant is *unknown* there, and unknown
is never good. So is one that skips a series that is NaN or gone: see
[one bad member among good ones](../concepts/convergence-time.md#one-bad-member-among-good-ones).
"""


def _names(heading: str, groups: dict[str, Any]) -> str:
    rows = [f"| {what} | {' '.join(f'`{name}`' for name in sorted(names))} |" for what, names in groups.items()]
    return f"{heading}\n\n" + _table("| | |", rows)


def _instead() -> list[tuple[str, str]]:
    """Every function of Prometheus that the subset knows to refuse, with its hint: read from the tables' own source."""
    tree = ast.parse(inspect.getsource(subset))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    native = {f"histogram_{text}" for text in texts}
    known = sorted(name for name in texts | native if name not in subset.FUNCTIONS and subset.function_hint(name))
    return [*((name, subset.function_hint(name)) for name in known), ("count_values", subset.aggregation_hint("count_values"))]


def exit_codes_page() -> str:
    """The codes, and which error ends with which."""
    rows = [_error(kind) for kind in _descendants(errors.ChaosError)]
    return "\n".join([_MADE, _EXIT_CODES, _table("| error | who must act | exit code |", rows)])


def _descendants(kind: type[errors.ChaosError]) -> Iterator[type[errors.ChaosError]]:
    yield kind
    for inner in kind.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield from _descendants(inner)


def _error(kind: type[errors.ChaosError]) -> str:
    return f"| `{kind.__name__}` | {kind.who} | {kind.exit_code} |"


_EXIT_CODES: Final = """# Exit codes

| code | meaning | what to do |
|---|---|---|
| 0 | Everything that was required passed. | Go on. |
| 1 | There is evidence that an objective was missed. | Look at the report. |
| 2 | Inconclusive, invalid, not run, or nothing was judged. | Not a pass. The sentence says what is missing. |
| 3 | An environment was left dirty. | Run `meshkit-chaos recover`, as the message says. |
| 4 | The command line or a document is wrong. Nothing was started. | Correct it. |
| 5 | An error of our own. | Set `MESHKIT_CHAOS_TRACEBACK=1` and report it. |

Code 4 ends a command before anything starts. Of the others, 3 goes before 5, 5 before 1, 1 before 2, 2 before 0. Code 3 hides
a failure and an error of our own, because an environment that is not as it was must be dealt with first; the failure is in
the documents. An error of our own that breaks one document leaves the others and the printed verdict whole.

A CI job that treats anything but 0 as red is right. One that wants to tell a regression (1) from a run that proved nothing (2)
can do so.

By command:

| command | 0 | other codes |
|---|---|---|
| `run`, `judge`, `report` | every scenario passed | 1, 2, 3 as above |
| `demo` | all four scenarios came out as expected, the one that is meant to fail included | 1 if one did not; 3 if dirty |
| `lint` | no error; warnings are allowed | 4 |
| `plan` | everything selected can run | 2 if something cannot, or nothing was selected |
| `recover` | nothing is left to undo | 3 |
| `native verify` | every file is accepted | 1 if one is not; 4 if one cannot be read |
| `native build` | every binary is what the environment demands | 1 if one is not; 2 if its command was not allowed |
| `native compare` | nothing got worse | 1 if native code was lost, or it grew too much; 2 if there was nothing to compare |
| `env up` | it is up | 2 if it cannot start or is up already |
| `env down` | nothing of it is left | 3 |
| `env status` | no environment is dirty | 3 |
| `doctor` | nothing essential is missing | 2 |
| `schema`, `rule` | printed | 4 |
| `history …` | done | 2 if something was refused, lost, altered or held by somebody else; 4 |
| `pipelines check` | nothing looks green that is not | 1 if something does; 2 if no file calls `meshkit-chaos`; 4 |
| `pipelines publish` | every scenario passed | 1, 2, 3 as above |
| `pipelines approver` | somebody else approved | 2 if nobody did, or it was rejected; 4 |
| `pipelines approval-id` | one approval was asked for | 2 if none was, or several; 4 |
| `init`, `new`, `pipelines init` | written | 4 if something is in the way or wrong: then nothing was written |
| `test` | all came out as expected (`--strict`: and every key objective was seen failing) | 1 if not; 4 |
| `gate check` | the gate is open | 1 if evidence blocks; 2 if evidence is missing; 4 without a policy |
| `gate override` | appended | 4 if it is not well-formed: then nothing was written |
| `gate self-test` | all planted evidence blocked | 1 if any opened the gate; 2 if the policy opens for nothing |
| `gate backtest` | replayed | 2 if there was nothing to decide about |
| `gate log` | printed; with `--verify`, unbroken | 1 if it was changed; 2 if it cannot be read |
| `notify send`, `flush`, `watch` | what was due arrived, whatever the verdict was | 2 if not, or results were refused; 4 |
| `notify status` | nothing is overdue, ambiguous or dead | 2 |
| `notify test` | the channel took the message | 2 |
| `notify preview`, `notify lint`, `notify resolve` | shown; no error; settled | 4 |
| `mutate` | every key objective that passed noticed every distortion | 1 if one stayed green; 2 if none had passed |

In the library, each error class carries its exit code and who must act:
"""

PAGES: Final[dict[str, Callable[[], str | bytes]]] = {
    "concepts/notification-noise.md": noise_page,
    "reference/cli.md": cli_page,
    "reference/decision.schema.json": decision_schema_json,
    "reference/exit-codes.md": exit_codes_page,
    "reference/faults.md": faults_page,
    "reference/gate.md": gate_reference,
    "reference/grammar.md": grammar_reference,
    "reference/journal.md": journal_page,
    "reference/notify.md": notify_reference,
    "reference/promql.md": promql_page,
    "reference/rules.md": rules_reference,
    "reference/verdict.schema.json": verdict_schema_json,
    "reference/webhook.schema.json": webhook_schema_json,
    **PICTURES,
}


def stale() -> list[str]:
    """The names of pages that differ from what would be written now."""
    return [name for name, make in PAGES.items() if not (DOCS / name).is_file() or (DOCS / name).read_bytes() != _bytes(make())]


def _bytes(made: str | bytes) -> bytes:
    return made if isinstance(made, bytes) else made.encode("utf-8")


def main(arguments: list[str]) -> int:
    """Write what is stale, or with ``--check`` only say so."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/generate.py [--check]\n")
        return 4
    old = stale()
    for name in old:
        sys.stdout.write(f"docs/{name} {'is stale: run python docs/generate.py' if arguments else 'written'}\n")
        if not arguments:
            (DOCS / name).write_bytes(_bytes(PAGES[name]()))
    return 1 if old and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
