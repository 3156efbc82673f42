"""JSON by position: where a value ends, where its members stand, what its strings say.

What `json.loads` accepts is accepted, and every value stays as it is spelled. Nothing is recursive and every step is
linear: 10 MB of `[` are no more trouble than 10 MB of prose.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

SHORT = 400  # characters of a member, its key included, that stays whole
DEEPEST = 20_000  # levels; json.loads gives up at about a thousand

_SPACE = r"[ \t\n\r]*+"
_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+"
_SCALAR = rf"{_STRING}|{_NUMBER}|true|false|null|NaN|-?Infinity"  # json.loads takes the last two as well

_SPACES = re.compile(_SPACE)
_VALUE = re.compile(rf"{_SPACE}(?:([\[{{])|{_SCALAR})")
_KEY = re.compile(rf"{_SPACE}{_STRING}{_SPACE}:{_SPACE}")
_MARK = re.compile(rf"{_SPACE}([,\]}}])")
_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([dD][89abAB]..)\\u([dD][c-fC-F]..)|u(....)|(.))")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
CLOSING = {"[": "]", "{": "}"}


def json_end(text: str, start: int, dead: list[int] | None = None) -> int | None:
    """Find where the object or array that begins at `start` ends.

    What json.loads accepts is accepted, however large its integers; nesting up to `DEEPEST` levels.

    Args:
        text: The document.
        start: Offset of a `[` or `{`; anything else there is no object or array.
        dead: Starts known to open nothing complete, ascending. Give the same list, empty at first, to all calls over
            one document, starts ascending: a failed call writes down what it has learnt, so that trying every line of
            a text that only opens brackets costs no square.

    Returns:
        One past its closing bracket; None if it is not valid to its end.

    Example:
        >>> json_end('[{"id": 1}] and so on', 0)
        11
    """
    if text[start : start + 1] not in CLOSING:
        return None
    dead = [] if dead is None else dead
    known = bool(dead) and start <= dead[-1]
    if known and dead[bisect_left(dead, start)] == start:
        return None
    opened: list[int] = []
    end = scan(text, start, opened)
    if end is None and not known:
        dead[:] = opened  # what was open where it failed fails there, too
    return end


def scan(text: str, start: int, opened: list[int], long: dict[int, int] | None = None) -> int | None:
    """Return where the container at `start` ends, None if it is not valid to its end.

    Args:
        text: The document.
        start: Offset of its opening bracket.
        opened: Takes the starts of what was open where it failed.
        long: Takes the ends of containers of more than `SHORT` characters, by their starts.
    """
    at: int | None = start
    while at is not None:
        value = _VALUE.match(text, at)
        if value is None:
            return None
        at = value.end()
        if value[1]:
            opened.append(at - 1)
            if len(opened) > DEEPEST:
                return None
            if not text.startswith(CLOSING[value[1]], skip(text, at)):
                at = _key_end(text, at) if value[1] == "{" else at
                continue
        at = _behind(text, at, opened, long)
        if not opened:
            return at
    return None


def _behind(text: str, at: int, opened: list[int], long: dict[int, int] | None) -> int | None:
    """Return where the next value has to stand, behind one that ends at `at`; close what is closed on the way."""
    while opened:
        mark = _MARK.match(text, at)
        if mark is None:
            return None
        at = mark.end()
        bracket = text[opened[-1]]
        if mark[1] == ",":
            return _key_end(text, at) if bracket == "{" else at
        if mark[1] != CLOSING[bracket]:
            return None
        begin = opened.pop()
        if long is not None and at - begin > SHORT:
            long[begin] = at
    return at


def skip(text: str, at: int) -> int:
    """Return where the white space ends that JSON allows at `at`."""
    space = _SPACES.match(text, at)
    return at if space is None else space.end()


def _key_end(text: str, at: int) -> int | None:
    """Return where the value behind a key begins, None if no key stands there."""
    key = _KEY.match(text, at)
    return None if key is None else key.end()


class Child(NamedTuple):
    """A member or an element: where it, its value and its comma stand."""

    start: int  # of its key; of its value in an array
    value: int
    end: int  # of its value
    behind: int  # one past the comma, else `end`
    comma: int | None

    @property
    def long(self) -> bool:
        """Whether it is too long for one unit."""
        return self.end - self.start > SHORT


def children(text: str, container: Child, long: dict[int, int]) -> Iterator[Child]:
    """Yield the members or elements of a container that is valid and has some.

    Args:
        text: The document.
        container: The container.
        long: What `scan` has found.
    """
    keyed = text[container.value] == "{"
    at = container.value + 1
    while True:
        start = skip(text, at)
        value = (_key_end(text, start) or start) if keyed else start
        end = _value_end(text, value, long)
        mark = skip(text, end)
        if text[mark] != ",":
            yield Child(start, value, end, end, None)
            return
        at = mark + 1
        yield Child(start, value, end, at, mark)


def _value_end(text: str, at: int, long: dict[int, int]) -> int:
    if text[at] not in CLOSING:
        scalar = _VALUE.match(text, at)
        return at if scalar is None else scalar.end()
    if at in long:
        return long[at]
    depth = 0
    for mark in _BRACKET.finditer(text, at):
        depth += (mark[0] in CLOSING) - (mark[0] in "]}")
        if not depth:
            return mark.end()
    return len(text)


class Plain:
    """What a string says: its escapes decoded, and where each character stands in the document.

    Args:
        spelled: What stands between the quotes.
        start: Where that begins in the document.

    Attributes:
        text: What it says.
    """

    def __init__(self, spelled: str, start: int) -> None:
        pieces: list[str] = []
        self._ends: list[int] = []  # of the characters that were escapes
        self._shifts: list[int] = []  # how far behind the text is there
        last = length = shift = 0
        for escape in _ESCAPE.finditer(spelled):
            pieces += (spelled[last : escape.start()], _character(escape))
            length += escape.start() - last + 1
            shift += escape.end() - escape.start() - 1
            self._ends.append(length)
            self._shifts.append(shift)
            last = escape.end()
        self.text = "".join((*pieces, spelled[last:]))
        self._start = start

    def offset(self, at: int) -> int:
        """Return where the document has what stands at `at` in the text."""
        which = bisect_right(self._ends, at)
        return self._start + at + (self._shifts[which - 1] if which else 0)


def _character(escape: re.Match[str]) -> str:
    high, low, code, char = escape.groups()
    if char:
        return _ESCAPED.get(char, char)
    if code:
        return chr(int(code, 16))
    return chr(0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00)
