"""The CLAUDE.md files of a project: which matter, and what of them fits."""
