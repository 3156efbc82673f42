"""Markdown, which plain prose is as well: blocks as CommonMark reads them, and what stands in their lines."""
