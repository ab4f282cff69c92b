"""What the grammar refused, as problems at the place where it is written.

Takes pydantic's errors and the tree of nodes; gives Problems with the nearest valid name for misspelt keys and values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from meshkit_chaos.errors import Problem
from meshkit_chaos.scenario.grammar_shape import Place, fields_by_key, model_at
from meshkit_chaos.scenario.grammar_values import TAG_MARK, close_names, flow, told
from meshkit_chaos.scenario.yaml_positions import Node

_MOST_TOLD: Final = 200
"""So many problems help an author; finding the nearest name for each of 100,000 takes seconds."""
_EXPECTED: Final = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
}
_RULES: Final = {
    "extra_forbidden": "MC011",
    "missing": "MC012",
    "missing_one": "MC012",
    "text": "MC013",
    "union": "MC013",
    "quantity": "MC015",
    "name": "MC016",
    "secret": "MC405",
}


def position(root: Node, place: Place, *, of_key: bool = False) -> tuple[int, int]:
    """Where something is written: its value, or its key. Of what is not there, the mapping or list that lacks it."""
    node, key_place = root, (root.line, root.column)
    for part in place:
        if part == "[key]":
            return key_place
        if isinstance(part, str) and part.startswith(TAG_MARK):
            continue
        key_place = (node.keys or {}).get(part, key_place) if isinstance(part, str) else key_place
        below = node.child(part)
        if below is not None:
            node = below
            key_place = key_place if isinstance(part, str) else (node.line, node.column)
    return key_place if of_key else (node.line, node.column)


def refusals(error: ValidationError) -> list[ErrorDetails]:
    """All that pydantic found. Making this list takes longer than finding it: it is made once."""
    return error.errors(include_url=False)


def grammar_problems(every: Sequence[ErrorDetails], *, model: type[BaseModel], root: Node, path: str) -> list[Problem]:
    """One Problem a refusal. A key that is missing because it is misspelt is told once, as misspelt."""
    errors = every[:_MOST_TOLD]
    nearest = {found["loc"]: _nearest_key(model, found["loc"]) for found in errors if found["type"] == "extra_forbidden"}
    misspelt = {(*place[:-1], near) for place, near in nearest.items() if near is not None}
    problems: list[Problem] = []
    for found in errors:
        kind, place = found["type"], found["loc"]
        if kind == "missing" and place in misspelt:
            continue
        line, column = position(root, place, of_key=kind == "extra_forbidden")
        message, hint = _said(found, model=model, near=nearest.get(place))
        rule = _RULES.get(kind) or ("MC013" if kind in _EXPECTED else "MC014")
        problems.append(Problem(path=path, line=line, column=column, rule=rule, message=message, hint=hint))
    if len(every) > len(errors):
        more = f"{len(every) - len(errors)} more problems of the grammar are not told"
        problems.append(Problem(path=path, line=root.line, column=root.column, rule="MC004", message=more))
    return problems


def _nearest_key(model: type[BaseModel], place: Place) -> str | None:
    there = model_at(model, place[:-1])
    found = close_names(str(place[-1]), list(fields_by_key(there))) if there is not None else []
    return found[0] if found else None


def _said(found: Mapping[str, Any], *, model: type[BaseModel], near: str | None) -> tuple[str, str]:
    kind, place, context, value = found["type"], found["loc"], found.get("ctx", {}), found.get("input")
    match kind:
        case "extra_forbidden":
            there = model_at(model, place[:-1])
            keys = ", ".join(fields_by_key(there)) if there is not None else ""
            return f"unknown key {told(place[-1])}", f"did you mean {near!r}?" if near else f"known here: {keys}"
        case "missing":
            return f"the key {_last_key(place)!r} is missing", _example(model, place)
        case "literal_error":
            return _not_one_of(value, re.findall(r"'([^']*)'", str(context.get("expected", ""))))
        case "union":
            keys = f" with {', '.join(told(name) for name in list(value)[:5])}" if isinstance(value, dict) and value else ""
            return f"{found['msg']}; got {told(value)}{keys}", ""
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {told(value)}", _instead(kind, value)
    if "said" in context:
        return str(context["said"]), str(context.get("hint", ""))
    return _beyond(kind, _last_key(place), context, value) or (str(found["msg"]), "")


def _beyond(kind: str, name: str, context: Mapping[str, Any], value: object) -> tuple[str, str] | None:
    """A limit of the grammar that was passed."""
    match kind:
        case "too_short":
            return f"{name!r} is empty", "write at least one"
        case "too_long":
            return f"{name!r} has more than {context.get('max_length')} items", ""
        case "greater_than_equal":
            return f"{name!r} is {value}; expected at least {context.get('ge')}", ""
        case "less_than_equal":
            return f"{name!r} is {value}; expected at most {context.get('le')}", ""
    return None


def _instead(kind: str, value: object) -> str:
    if kind == "list_type" and isinstance(value, str | int | float):
        return f"write [{value}]"
    return f'quote it: "{value}"' if kind == "string_type" and isinstance(value, int | float) else ""


def _not_one_of(value: object, expected: Iterable[str]) -> tuple[str, str]:
    names = list(expected)
    near = close_names(value, names) if isinstance(value, str) else []
    hint = f"did you mean {near[0]!r}?" if near else ""
    return f"{told(value)} is not one of {', '.join(names)}", hint


def _last_key(place: Place) -> str:
    return next((part for part in reversed(place) if isinstance(part, str) and not part.startswith(TAG_MARK)), "document")


def _example(model: type[BaseModel], place: Place) -> str:
    there = model_at(model, place[:-1])
    field = fields_by_key(there).get(str(place[-1])) if there is not None else None
    if field is None:
        return ""
    if field.examples:
        return f"write {place[-1]}: {flow(field.examples[0])}"
    return (field.description or "").replace("`", "")
