"""Schema changes in order, applied when a history is opened. A published one is never edited; a new one is added."""
