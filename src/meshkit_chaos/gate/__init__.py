"""The release gate: history, a policy and overrides → a decision with its reasons. Only evidence of a pass opens it."""
