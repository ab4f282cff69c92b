"""Which keys a document may have at a place: the grammar, walked along the place of an error.

Takes a model and a place as pydantic gives it; gives the model that stands there, or nothing.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from meshkit_chaos.scenario.grammar_values import TAG_MARK

Place = tuple[str | int, ...]


def model_at(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """The model whose keys stand at ``place``."""
    annotation: Any = model
    for part in place:
        annotation = _below(annotation, part)
        if annotation is None:
            return None
    return next((found for found in _alternatives(annotation) if _is_model(found)), None)


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the key that a document uses."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _below(annotation: Any, part: str | int) -> Any:
    if isinstance(part, str) and part.startswith(TAG_MARK):
        return _tagged(annotation, part)
    for form in _alternatives(annotation):
        if _is_model(form):
            if isinstance(part, str) and part in (fields := fields_by_key(form)):
                return fields[part].annotation
        elif get_origin(form) is list and isinstance(part, int):
            return get_args(form)[0]
        elif get_origin(form) is dict and isinstance(part, str):
            return get_args(form)[1]
    return None


def _alternatives(annotation: Any) -> Iterator[Any]:
    """All that an annotation may be, without what only decorates it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for form in get_args(annotation):
            yield from _alternatives(form)
    else:
        yield annotation


def _tagged(annotation: Any, tag: str) -> Any:
    origin = get_origin(annotation)
    if origin is Annotated:
        if any(isinstance(mark, Tag) and mark.tag == tag for mark in annotation.__metadata__):
            return annotation
        return _tagged(get_args(annotation)[0], tag)
    if origin in {Union, types.UnionType}:
        return next((found for form in get_args(annotation) if (found := _tagged(form, tag)) is not None), None)
    return None


def _is_model(form: Any) -> bool:
    return isinstance(form, type) and issubclass(form, BaseModel)
