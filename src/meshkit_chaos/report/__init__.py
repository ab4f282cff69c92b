"""A run, an invocation, a build, a decision as documents: JUnit, JSON, Markdown, HTML, console. Functions from values to text.

Each document is a module of its own and is imported from there: who prints a gate's decision need not load what makes HTML.
"""
