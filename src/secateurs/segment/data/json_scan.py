"""JSON by position: where a value ends, where its members stand, what its strings say.

What `json.loads` accepts is accepted, and every value stays as it is spelled. So is, where `PYTHON` is asked for,
what Python prints of lists and dictionaries, as many tools answer: `[{'id': 1, 'by': None}, (2, Decimal('1.5'))]`.
Nothing is recursive and every step is linear: 10 MB of `[` are no more trouble than 10 MB of prose.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

SHORT = 400  # characters of a member, its key included, that stays whole
DEEPEST = 20_000  # levels; json.loads gives up at about a thousand

_SPACE = r"[ \t\n\r]*+"
_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+"
_SCALAR = rf"{_STRING}|{_NUMBER}|true|false|null|NaN|-?Infinity"  # json.loads takes the last two as well

# What Python prints: strings in either quotes, long ones in several (pprint), and calls (datetime.date(2024, 1, 2))
_QUOTED = r"[bu]?(?:'[^'\\\n]*+(?:\\[^\n][^'\\\n]*+)*+'|\"[^\"\\\n]*+(?:\\[^\n][^\"\\\n]*+)*+\")"
_CALL = rf"[A-Za-z_][\w.]{{0,60}}+\((?:[^()'\"\[\]{{}}]|{_QUOTED}){{0,60}}+\)"
_PRINTED = rf"{_QUOTED}(?:{_SPACE}{_QUOTED})*+|{_CALL}|{_NUMBER}|True|False|None|nan|-?inf"


@dataclass(frozen=True, slots=True)
class Grammar:
    """How values are spelled.

    Attributes:
        value: White space, and a bracket that opens (its one group) or a value without brackets.
        key: The key of a member, its colon and the white space around them.
        bracket: A string, or a bracket outside of strings.
        string: A string that may be cut: in one pair of quotes, without a prefix.
        escape: An escape in a string: the halves of a character in two, a code, or what stands for itself.
        closing: What closes each bracket.
    """

    value: re.Pattern[str]
    key: re.Pattern[str]
    bracket: re.Pattern[str]
    string: re.Pattern[str]
    escape: re.Pattern[str]
    closing: Mapping[str, str]


_SPACES = re.compile(_SPACE)
_MARK = re.compile(rf"{_SPACE}([,\]}})])")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
CLOSING = {"[": "]", "{": "}"}
JSON = Grammar(
    re.compile(rf"{_SPACE}(?:([\[{{])|{_SCALAR})"),
    re.compile(rf"{_SPACE}{_STRING}{_SPACE}:{_SPACE}"),
    re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL),
    re.compile(_STRING),
    re.compile(r"\\(?:u([dD][89abAB]..)\\u([dD][c-fC-F]..)|u(....)|(.))"),
    CLOSING,
)
PYTHON = Grammar(
    re.compile(rf"{_SPACE}(?:([\[{{(])|{_PRINTED})"),
    re.compile(rf"{_SPACE}(?:{_PRINTED}){_SPACE}:{_SPACE}"),
    re.compile(rf"{_QUOTED}|[\[\]{{}}()]"),
    re.compile(_QUOTED.removeprefix("[bu]?")),
    re.compile(  # two groups that match nothing stand for the halves, which Python prints whole
        r"\\(?:(?!)()()|[xuU]((?<=x)[0-9a-f]{2}|(?<=u)[0-9a-f]{4}|(?<=U)00(?:0[0-9a-f]|10)[0-9a-f]{4})|(.))"
    ),
    {**CLOSING, "(": ")"},
)


def json_end(text: str, start: int, dead: list[int] | None = None, grammar: Grammar = JSON) -> int | None:
    """Find where the object or array that begins at `start` ends.

    What json.loads accepts is accepted, however large its integers; nesting up to `DEEPEST` levels.

    Args:
        text: The document.
        start: Offset of a `[` or `{`; anything else there is no object or array.
        dead: Starts known to open nothing complete, ascending. Give the same list, empty at first, to all calls over
            one document, starts ascending: a failed call writes down what it has learnt, so that trying every line of
            a text that only opens brackets costs no square.
        grammar: How its values are spelled.

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
    end = scan(text, start, opened, grammar=grammar)
    if end is None and not known:
        dead[:] = opened  # what was open where it failed fails there, too
    return end


def scan(
    text: str, start: int, opened: list[int], long: dict[int, int] | None = None, *, grammar: Grammar = JSON
) -> int | None:
    """Return where the container at `start` ends, None if it is not valid to its end.

    Args:
        text: The document.
        start: Offset of its opening bracket.
        opened: Takes the starts of what was open where it failed.
        long: Takes the ends of containers of more than `SHORT` characters, by their starts.
        grammar: How its values are spelled.
    """
    at: int | None = start
    while at is not None:
        value = grammar.value.match(text, at)
        if value is None:
            return None
        at = value.end()
        if value[1]:
            opened.append(at - 1)
            if len(opened) > DEEPEST:
                return None
            if not text.startswith(grammar.closing[value[1]], skip(text, at)):
                at = _key_end(text, at, grammar) if value[1] == "{" else at
                continue
        at = _behind(text, at, opened, long, grammar)
        if not opened:
            return at
    return None


def _behind(text: str, at: int, opened: list[int], long: dict[int, int] | None, grammar: Grammar) -> int | None:
    """Return where the next value has to stand, behind one that ends at `at`; close what is closed on the way."""
    while opened:
        mark = _MARK.match(text, at)
        if mark is None:
            return None
        at = mark.end()
        bracket = text[opened[-1]]
        if mark[1] == "," and bracket == "(" and text.startswith(")", skip(text, at)):
            continue  # (1,)
        if mark[1] == ",":
            return _key_end(text, at, grammar) if bracket == "{" else at
        if mark[1] != grammar.closing[bracket]:
            return None
        begin = opened.pop()
        if long is not None and at - begin > SHORT:
            long[begin] = at
    return at


def skip(text: str, at: int) -> int:
    """Return where the white space ends that JSON allows at `at`."""
    space = _SPACES.match(text, at)
    return at if space is None else space.end()


def _key_end(text: str, at: int, grammar: Grammar) -> int | None:
    """Return where the value behind a key begins, None if no key stands there."""
    key = grammar.key.match(text, at)
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


def children(text: str, container: Child, long: dict[int, int], grammar: Grammar = JSON) -> Iterator[Child]:
    """Yield the members or elements of a container that is valid and has some.

    Args:
        text: The document.
        container: The container.
        long: What `scan` has found.
        grammar: How its values are spelled.
    """
    keyed = text[container.value] == "{"
    at = container.value + 1
    while True:
        start = skip(text, at)
        value = (_key_end(text, start, grammar) or start) if keyed else start
        end = _value_end(text, value, long, grammar)
        mark = skip(text, end)
        if text[mark] != ",":
            yield Child(start, value, end, end, None)
            return
        at = mark + 1
        yield Child(start, value, end, at, mark)


def _value_end(text: str, at: int, long: dict[int, int], grammar: Grammar) -> int:
    if text[at] not in grammar.closing:
        scalar = grammar.value.match(text, at)
        return at if scalar is None else scalar.end()
    if at in long:
        return long[at]
    depth = 0
    for mark in grammar.bracket.finditer(text, at):
        depth += (mark[0] in grammar.closing) - (mark[0] in "]})")
        if not depth:
            return mark.end()
    return len(text)


class Plain:
    """What a string says: its escapes decoded, and where each character stands in the document.

    Args:
        spelled: What stands between the quotes.
        start: Where that begins in the document.
        grammar: How its escapes are spelled.

    Attributes:
        text: What it says.
    """

    def __init__(self, spelled: str, start: int, grammar: Grammar = JSON) -> None:
        pieces: list[str] = []
        self._ends: list[int] = []  # of the characters that were escapes
        self._shifts: list[int] = []  # how far behind the text is there
        last = length = shift = 0
        for escape in grammar.escape.finditer(spelled):
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
