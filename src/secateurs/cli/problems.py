"""What is wrong, said in one line on standard error."""

from __future__ import annotations

import sys

from secateurs.result.hidden import printable


class BadInputError(Exception):
    """What the user gave cannot be used; the message says what and how to fix it."""


def complain(message: str) -> None:
    """Say what is wrong, on one line of standard error."""
    line = printable(" ".join(message.split()))  # a file's name, too, could drive a terminal
    print(f"secateurs: {line}", file=sys.stderr)
