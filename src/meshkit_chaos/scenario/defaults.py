"""What a key's absence means, once for the grammar (which tells it) and for the builder (which applies it)."""

from __future__ import annotations

from typing import Final

TIMEOUT: Final = "5m"
SETTLE: Final = "1s"
PREREQUISITE_WITHIN: Final = "10s"
ROLLBACK_WITHIN: Final = "30s"
SEVERITY: Final = "medium"
PROBE_EVERY: Final = "200ms"
COMMAND_PROBE_EVERY: Final = "1s"
METRICS_EVERY: Final = "200ms"
STOP_WITHIN: Final = "2s"
READY_WITHIN: Final = "20s"
ELECTION: Final = "1500ms"
REJOIN: Final = "200ms"
LEVER_TIMEOUT: Final = "30s"
SOURCE_TIMEOUT: Final = "5s"
BUILD_TIMEOUT: Final = "15m"
MEMBERSHIP_WITHIN: Final = "30s"
RAMP_STEPS: Final = 10
