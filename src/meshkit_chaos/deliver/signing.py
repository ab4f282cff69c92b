"""Signatures of the generic webhook: how a body is signed, and how a receiver checks it. Pure.

``Meshkit-Chaos-Signature: t=SECONDS,v1=HEX`` where HEX is HMAC-SHA256, with the shared secret, of ``SECONDS``, a dot, and the
body's bytes. A receiver computes it again over the bytes *as they came*, compares in constant time, and refuses an old one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

HEADER: Final = "Meshkit-Chaos-Signature"
TOLERANCE_S: Final = 300


def signature(secret: str, body: bytes, *, at_s: int) -> str:
    """The header's value. ``at_s``: seconds since 1970 at which it is sent."""
    return f"t={at_s},v1={_mac(secret, body, at_s)}"


def verified(secret: str, body: bytes, header: str, *, now_s: int) -> bool:
    """Whether the body was signed with the secret, no longer than five minutes ago (or ahead, for clocks differ)."""
    found = re.fullmatch(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", header)
    if found is None or abs(now_s - int(found[1])) > TOLERANCE_S:
        return False
    return hmac.compare_digest(found[2], _mac(secret, body, int(found[1])))


def _mac(secret: str, body: bytes, at_s: int) -> str:
    return hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
