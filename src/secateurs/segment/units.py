"""Units: what a document is cut into, and the frame each needs around it.

A unit is a span with a kind, and the units that come along when it is kept: its frame. A `Builder` collects them in
document order and sees to it that they tile the text, so that no parser has to care for white space:

    white space up to and including the last line break belongs to the unit before, the indentation after that line
    break to the unit after; leading white space of the document to the first unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

Kind = Literal[
    "prose",  # a sentence
    "heading",  # Markdown, a section of an INI file, the header lines of a source
    "item",  # a list item's own text, or a sentence of it
    "row",  # of a table, CSV or columns; the header row as well
    "code",  # a fenced or indented block, or a part of it
    "record",  # a line of a log, a listing, YAML; a stack trace
    "member",  # of a JSON object, an element of a JSON array, a sentence inside a JSON string
    "markup",  # a sentence of an HTML element
    "mark",  # pure frame: fence marks, rule rows, a list item's marker, a speaker, front matter's ---
    "bracket",  # pure frame of JSON: brackets, a container's key, the quotes of a string that is cut
    "tag",  # pure frame of HTML: tags, and what nobody reads: script, style, comments
]
PURE: frozenset[Kind] = frozenset(("mark", "bracket", "tag"))

LONGEST = 4_000  # characters of a unit; a longer one is cut at its white space

_TAIL = 40  # characters at the end of a unit in which its last mark is looked for

_SPACE = re.compile(r"\s*")
_BREAKS = "\n\r"


class Unit(NamedTuple):
    """A span of a document that stays or goes.

    Attributes:
        start: First code point.
        end: One past the last, white space that belongs to it included.
        kind: What it is.
        frame: Indices, in the list of the document's units, of those that have to stay when this one does; theirs
            stay as well, and so on. They may stand before or behind it.
        comma: Where a comma stands that goes when nothing of its container follows any more; None without one.
        until: Index of the unit that closes the container of that comma.
    """

    start: int
    end: int
    kind: Kind = "prose"
    frame: tuple[int, ...] = ()
    comma: int | None = None
    until: int | None = None

    @property
    def pure(self) -> bool:
        """Whether it is frame and nothing else: never scored, never chosen."""
        return self.kind in PURE


class Builder:
    r"""Collects the units of a text, in order, without gap or overlap.

    Args:
        text: The document.

    Attributes:
        text: The document.
        at: Where the next unit begins: the end of the last one that was added.

    Example:
        >>> build = Builder("# Oil\n\nChange it.")
        >>> heading = build.add(5, "heading")
        >>> build.add(17, "prose", frame=(heading,))
        1
        >>> [(unit.start, unit.end, unit.kind, unit.frame) for unit in build.units()]
        [(0, 7, 'heading', ()), (7, 17, 'prose', (0,))]
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._ends: list[int] = []
        self._kinds: list[Kind] = []
        self._frames: list[tuple[int, ...]] = []
        self._commas: dict[int, int] = {}
        self._until: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, end: int, kind: Kind, frame: Iterable[int] = ()) -> int:
        """Add the unit from `at` to `end`.

        Where that is all white space it joins the unit before, or the first one to come.

        Args:
            end: Where it ends, in code points of the text; white space behind it may be left to the next call.
            kind: What it is.
            frame: Indices that `add` returned.

        Returns:
            Its index, or that of the unit it joined; -1 if there is none yet.
        """
        if end < self.at:
            raise ValueError(f"a unit must not end at {end}, before {self.at} where it begins")
        if self.at == end or (self.text[self.at].isspace() and not self.text[self.at : end].strip()):
            return self.extend(end)
        self._ends.append(end)
        self._kinds.append(kind)
        self._frames.append(tuple(frame))
        self.at = end
        return len(self._ends) - 1

    def add_whole(self, end: int, kind: Kind, frame: Iterable[int] = ()) -> int:
        """Add a unit that may be longer than a unit may be: then in parts that need each other, so all or none stay.

        Returns:
            The index of the first part.
        """
        frame = tuple(frame)
        first = last = None
        for stop in pieces(self.text, self.at, end):
            last = self.add(stop, kind, frame if first is None else (*frame, first))
            first = last if first is None else first
        if first is None or last is None:
            return len(self._ends) - 1
        if last != first:
            self.need(first, *range(first + 1, last + 1))
        return first

    def extend(self, end: int) -> int:
        """Let what lies between `at` and `end` join the unit before, or the first one to come.

        Returns:
            The index of the unit it joined; -1 if there is none yet.
        """
        if self._ends:
            self._ends[-1] = end
        self.at = end
        return len(self._ends) - 1

    def start(self, index: int) -> int:
        """Return where unit `index` begins, indentation that belongs to it included."""
        return border(self.text, self._ends[index - 1]) if index else 0

    def kind(self, index: int) -> Kind:
        """Return what unit `index` is."""
        return self._kinds[index]

    def span(self, index: int) -> tuple[int, int]:
        """Return where unit `index` begins and ends, white space that belongs to it aside."""
        return self._ends[index - 1] if index else 0, self._ends[index]

    def introducing(self) -> int:
        """Return the index of the last unit where that is a sentence that ends with a colon, else -1."""
        index = len(self._ends) - 1
        if index < 0 or self._kinds[index] != "prose":
            return -1
        tail = self.text[max(self.start(index), self.at - _TAIL) : self.at]
        return index if tail.rstrip("> \t\r\n").endswith((":", "：")) else -1

    def begins_line(self, index: int) -> bool:
        """Tell whether unit `index`, which is not the first, begins a line."""
        return self.text[self.start(index) - 1] in _BREAKS

    def begin_with(self, first: int, marks: str) -> Iterator[int]:
        """Yield those units from `first` on, which is not 0, that begin with one of some characters, or a blank."""
        text = self.text
        for index in range(first, len(self._ends)):
            if text[self._ends[index - 1]] in marks:
                yield index

    def need(self, index: int, *others: int) -> None:
        """Say that unit `index` needs others, which may stand behind it: closing marks, brackets, tags."""
        if index >= 0:
            self._frames[index] = (*self._frames[index], *(one for one in others if one not in self._frames[index]))

    def comma(self, index: int, at: int) -> None:
        """Say that a comma at `at` belongs to unit `index`, and goes when nothing of its container follows."""
        self._commas[index] = at

    def close(self, indices: Iterable[int], closer: int) -> None:
        """Say which unit closes the container that these units' commas stand in."""
        for index in indices:
            self._until[index] = closer

    def units(self) -> list[Unit]:
        """Return the units, white space where it belongs; their number and order are those of the calls of `add`."""
        text = self.text
        listed = self._commas.keys() | self._until.keys()
        found = []
        start = 0
        ends = [
            at if text[at - 1] in _BREAKS and not text[at].isspace() else border(text, at) for at in self._ends[:-1]
        ]
        ends += [len(text)] if self._ends else []
        for index, (end, kind, frame) in enumerate(zip(ends, self._kinds, self._frames, strict=True)):
            if index in listed:
                found.append(Unit(start, end, kind, frame, self._commas.get(index), self._until.get(index)))
            else:
                found.append(Unit(start, end, kind, frame))
            start = end
        if not found and text:
            found.append(Unit(0, len(text)))
        return found


def border(text: str, at: int) -> int:
    """Return where a unit ends that shall end at `at`: behind the last line break of the white space there.

    Args:
        text: The document.
        at: Where it shall end; before it stands something that is no white space, and something behind it.
    """
    space = text[at - 1]
    if not text[at].isspace():
        if space in _BREAKS or not space.isspace() or not text[at - 2].isspace():
            return at
        right = at
    else:
        after = _SPACE.match(text, at)
        right = at if after is None else after.end()
    left = at
    while text[left - 1].isspace():
        left -= 1
    return max(text.rfind("\n", left, right), text.rfind("\r", left, right)) + 1 or right


def space(text: str, start: int, end: int) -> int:
    r"""Return where the white space at the end of a unit begins; empty lines of a block quote (`>`) are such, too.

    Args:
        text: The document.
        start: Where the unit begins.
        end: Where it ends.

    Example:
        >>> space("> a\n>\n> b", 0, 6)
        3
    """
    while True:
        right = end
        while end > start and text[end - 1].isspace():
            end -= 1
        left = end
        while left > start and text[left - 1] in "> \t":
            left -= 1
        if left in (end, start) or text[left - 1] not in _BREAKS or end == right:
            return end
        end = left


def pieces(text: str, start: int, end: int, longest: int = LONGEST) -> list[int]:
    """Return ends that cut a span into pieces of at most `longest` characters: at line breaks, else at white space.

    A run without white space is cut nowhere, however long.

    Example:
        >>> pieces("aaa bbb ccc", 0, 11, longest=8)
        [8, 11]
    """
    ends = []
    at = start
    while end - at > longest:
        stop = text.rfind("\n", at + longest // 2, at + longest) + 1
        if not stop:
            stop = next((i + 1 for i in range(at + longest - 1, at, -1) if text[i].isspace()), 0)
        if not stop or not text[at:stop].strip():
            stop = next((i + 1 for i in range(at + longest, end) if text[i].isspace()), end)
        ends.append(stop)
        at = stop
    if at < end:
        ends.append(end)
    return ends
