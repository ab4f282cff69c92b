"""One invocation: which scenarios, how often each, one after the other; its own small log says what was expected to run."""
