"""The pipelines that run it all: definitions for GitHub and Azure, what is said there, and checks of a user's own files."""
