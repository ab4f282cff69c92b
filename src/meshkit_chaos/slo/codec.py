"""How recorded values become JSON and come back: one encoder and one way to decode, for every room.

Keys keep the order of their declaration and floats their shortest exact form, so equal values give equal bytes.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from meshkit_chaos.slo.quantities import Duration, Ratio

T = TypeVar("T")


def _encode_hook(value: object) -> str:
    if isinstance(value, Duration | Ratio):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no recorded form")


def _decode_hook(wanted: type, value: Any) -> Any:
    if wanted is Duration or wanted is Ratio:
        if not isinstance(value, str):
            raise ValueError(f"expected text such as '5s' or '1%', got {value!r}")
        return wanted.parse(value)
    raise TypeError(f"{wanted.__name__} has no recorded form")


_ENCODER = msgspec.json.Encoder(enc_hook=_encode_hook, order=None)


def encode(value: object) -> bytes:
    """Compact JSON, one line."""
    return _ENCODER.encode(value)


def encode_pretty(value: object) -> bytes:
    """Indented JSON with a final newline, for files that people open."""
    return msgspec.json.format(_ENCODER.encode(value), indent=2) + b"\n"


def decode(data: bytes | str, wanted: type[T]) -> T:
    """Read JSON strictly. Raises msgspec.DecodeError or msgspec.ValidationError (both ``msgspec.MsgspecError``)."""
    return msgspec.json.decode(data, type=wanted, dec_hook=_decode_hook)


def convert(data: object, wanted: Any) -> Any:
    """The same for already parsed JSON; ``wanted`` may also be a union, which no static type can name."""
    return msgspec.convert(data, type=wanted, dec_hook=_decode_hook)


def builtins(value: object) -> Any:
    """The same value as plain dicts, lists, strings and numbers."""
    return msgspec.to_builtins(value, enc_hook=_encode_hook)
