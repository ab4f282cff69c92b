"""Who is told what, once: results to actions with reasons, an outbox, and channels that send from it."""
