"""The one story: draft, score, decide, spend, cut."""
