"""Environments deploy, observe and act on a mesh through levers. They know no fault catalogue."""
