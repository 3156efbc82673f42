"""Lone surrogates: characters of a Python string that no UTF-8 can hold."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def replace_surrogates(text: str) -> str:
    r"""Return a text with the replacement character for each lone surrogate; offsets stay as they are.

    Example:
        >>> ascii(replace_surrogates("a \ud800 b"))
        "'a \\ufffd b'"
    """
    return _SURROGATE.sub("\ufffd", text)
