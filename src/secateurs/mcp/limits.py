"""What the tools refuse, in words an agent can act on."""

from __future__ import annotations


class RefusedError(Exception):
    """A tool call cannot be done; the message says why, and what to do instead."""


def check_size(size: int, limit: int, name: str) -> None:
    """Refuse more bytes than a call may bring."""
    if size > limit:
        raise RefusedError(
            f"{name} has {size:,} bytes, the limit is {limit:,}. Split it and compress the parts, or ask the "
            "operator to raise --max-bytes."
        )


def shown(text: str) -> str:
    """Return a path or handle as it is safe to repeat in a message: on one line, escaped, and not too long.

    Example:
        >>> shown("notes.txt")
        "'notes.txt'"
    """
    return ascii(text if len(text) <= 200 else text[:200] + "...")
