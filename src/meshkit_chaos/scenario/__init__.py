"""Documents to frozen values, or every problem with its file, line and column. Pure: reads no file, executes nothing.

The way in is ``scenario.load``; ``render`` writes problems, ``rules`` holds the lint rules; ``schema`` and ``reference``
describe the grammar. Nothing is imported here: whoever only needs the values of ``model`` and ``environment`` pays for no YAML.
"""
