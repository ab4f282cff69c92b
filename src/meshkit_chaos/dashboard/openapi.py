"""The description of the API as OpenAPI 3.1, made from the list of endpoints and the types of their answers. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from meshkit_chaos import __version__
from meshkit_chaos.dashboard.api import ENDPOINTS, Endpoint, Parameter

PATH: Final = "/api/openapi.json"


class Refusal(Struct, frozen=True, kw_only=True):
    """Why there is no answer, and what to do about it."""

    error: str
    hint: str


def description() -> dict[str, Any]:
    """The whole document."""
    kinds = [*(one.answers for one in ENDPOINTS), Refusal]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    answers, refusal = schemas[:-1], schemas[-1]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "meshkit-chaos",
            "version": __version__,
            "description": "The history of chaos runs, read only. Instants are nanoseconds since the epoch, spans nanoseconds.",
        },
        "paths": {one.path: {"get": _operation(one, schema, refusal)} for one, schema in zip(ENDPOINTS, answers, strict=True)},
        "components": {"schemas": components},
    }


def _operation(endpoint: Endpoint, answer: dict[str, Any], refusal: dict[str, Any]) -> dict[str, Any]:
    refused = {"application/json": {"schema": refusal}}
    return {
        "operationId": endpoint.make.__name__,
        "summary": endpoint.summary,
        "parameters": [_parameter(one) for one in endpoint.parameters],
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": answer}}},
            "400": {"description": "A parameter is wrong.", "content": refused},
            "404": {"description": "There is no such thing.", "content": refused},
            "503": {"description": "The history cannot be read now.", "content": refused},
        },
    }


def _parameter(one: Parameter) -> dict[str, Any]:
    return {"name": one.name, "in": one.place, "required": one.required, "description": one.about, "schema": one.schema}
