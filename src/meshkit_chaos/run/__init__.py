"""Run a plan: a pure state machine, a small engine around it, a watchdog beside it, and recovery after a crash."""
