"""How much memory a value takes."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof


def size_of(value: object) -> int:
    """Return the bytes of a value of JSON types with all that it holds; what it holds twice counts twice.

    Example:
        >>> size_of(["a" * 1000, {"b": 1}]) > 1000
        True
    """
    total, rest = 0, [value]
    while rest:
        one = rest.pop()
        total += getsizeof(one)
        if isinstance(one, Mapping):
            rest += one.keys()
            rest += one.values()
        elif isinstance(one, (list, tuple)):
            rest += one
    return total
