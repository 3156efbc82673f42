"""JSON, or what Python prints, in units: its members, each with the brackets and keys around it as its frame.

A member or element of up to `SHORT` characters is one unit. A longer object or array is cut by its members: its
brackets, with the key before them, are units of their own that need each other, and each member needs the opening
one. A longer string is cut in sentences, its quotes being the brackets; a line break in it (an escape, so no white
space to anyone else) is a bracket that the sentences of the line behind it need, so that lines never flow together.
In an object that is cut, the first member that names it (`id`, `title`, `url`, ...) is frame of the others. A comma
belongs to the unit it stands behind.

Containers are walked with a stack of our own: no depth is too deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from secateurs.segment.data.json_scan import CLOSING, JSON, Child, Grammar, Plain, children, scan, skip
from secateurs.segment.prose import cuts, tile
from secateurs.segment.units import Builder

_NAME_LENGTH = 200  # characters of a member that may come along with all others of its object

_BEGIN = re.compile(r"[\s\ufeff]*+")
_NAMES = re.compile(r"""["'](?:_?id|name|title|url|key|path|source)["'][ \t\n\r]*+:""")


@dataclass(slots=True)
class _Open:
    """A container that is being cut.

    Attributes:
        children: Those that are still to come.
        child: The container among its parent's children; where brackets are one unit with those of the containers
            around them, the outermost.
        opener: Index of the unit of its opening bracket.
        frame: What its children need.
        name: Offset of the member that names it, -1 without one.
        before: Units of children that stand before that member.
        commas: Units that have a comma behind them.
    """

    children: Iterator[Child]
    child: Child
    opener: int
    frame: tuple[int, ...]
    name: int
    before: list[int] = field(default_factory=list)
    commas: list[int] = field(default_factory=list)


def add_json(
    build: Builder, end: int, frame: Sequence[int], language: str | None, *, grammar: Grammar = JSON
) -> None:
    """Add the units of an object or array.

    Args:
        build: Takes them; the value begins at `build.at`, white space and a byte order mark before it being its own.
        end: Where it ends, white space behind it included or not.
        frame: What every unit of it needs.
        language: Of the sentences in its strings; None detects it.
        grammar: How its values are spelled.

    Raises:
        ValueError: There is no complete object or array: `json_end` has to be asked first.
    """
    begin = _BEGIN.match(build.text, build.at)
    start = build.at if begin is None else begin.end()
    long: dict[int, int] = {}
    stop = scan(build.text, start, [], long, grammar=grammar) if build.text[start : start + 1] in CLOSING else None
    if stop is None or stop > end:
        raise ValueError(
            f"no complete JSON object or array from {build.at} to {end}: expected one that `json_end` has found;"
            " add the lines as something else"
        )
    long[start] = stop  # it is opened, however short: its members are what is asked for
    _Walk(build, long, language, grammar).add(Child(start, start, stop, end, None), tuple(frame))


class _Walk:
    """Walks a value that is known to be valid, container by container.

    Args:
        build: Takes the units.
        long: Where the containers of more than `SHORT` characters end, by where they begin.
        language: Of the sentences in strings.
        grammar: How its values are spelled.
    """

    def __init__(self, build: Builder, long: dict[int, int], language: str | None, grammar: Grammar) -> None:
        self.build = build
        self.text = build.text
        self.long = long
        self.language = language
        self.grammar = grammar

    def add(self, root: Child, frame: tuple[int, ...]) -> None:
        """Add the units of a container and of all inside it; the root's are all of them."""
        if not self._opens(root):
            self.build.add_whole(root.behind, "member", frame)
            return
        stack = [self._open(root, frame)]
        while stack:
            top = stack[-1]
            child = next(top.children, None)
            if child is None:
                self._close(stack.pop(), stack[-1] if stack else None)
                continue
            if child.long and self._opens(child):
                stack.append(self._open(child, top.frame))
                unit = stack[-1].opener
            elif child.long and self._is_string(child):
                unit = self._add_string(child, top.frame)
                self._comma(child, top)
            else:
                unit = self.build.add_whole(child.behind, "member", top.frame)
                self._comma(child, top)
            self._name(child, unit, top)

    def _opens(self, child: Child) -> bool:
        """Tell whether a child is a container with something in it."""
        closing = CLOSING.get(self.text[child.value])
        return closing is not None and not self.text.startswith(closing, skip(self.text, child.value + 1))

    def _is_string(self, child: Child) -> bool:
        """Tell whether a child is a string that may be cut."""
        found = self.grammar.string.match(self.text, child.value)
        return found is not None and found.end() == child.end

    def _open(self, child: Child, frame: tuple[int, ...]) -> _Open:
        """Add an opening bracket; as long as a container holds nothing but another long one, theirs as well."""
        inner = child
        while True:
            first_two = children(self.text, inner, self.long, self.grammar)
            only, second = next(first_two), next(first_two, None)
            if second is not None or not (only.long and self._opens(only)):
                break
            inner = only
        opener = self.build.add_whole(inner.value + 1, "bracket", frame)
        return _Open(
            children(self.text, inner, self.long, self.grammar), child, opener, (opener,), self._named(inner)
        )

    def _close(self, done: _Open, parent: _Open | None) -> None:
        closer = self.build.add_whole(done.child.behind, "bracket", (done.opener,))
        self.build.need(done.opener, closer)
        self.build.close(done.commas, closer)
        if parent is not None:
            self._comma(done.child, parent)

    def _comma(self, child: Child, parent: _Open) -> None:
        """Say where the comma of the child stands that has just been added."""
        if child.comma is not None:
            unit = len(self.build) - 1  # the last part, where it is in several
            self.build.comma(unit, child.comma)
            parent.commas.append(unit)

    def _name(self, child: Child, unit: int, parent: _Open) -> None:
        """Make a member frame of the others, if it is the one that names its object."""
        if child.start == parent.name:
            parent.frame = (*parent.frame, unit)
            for other in parent.before:
                self.build.need(other, unit)
            parent.before = []
        elif child.start < parent.name:
            parent.before.append(unit)

    def _named(self, child: Child) -> int:
        """Return where the member begins that names an object, -1 without one."""
        if self.text[child.value] == "{":
            for member in children(self.text, child, self.long, self.grammar):
                brief = member.end - member.start <= _NAME_LENGTH and self.text[member.value] in "\"'-0123456789"
                if brief and _NAMES.match(self.text, member.start):
                    return member.start
        return -1

    def _add_string(self, child: Child, frame: tuple[int, ...]) -> int:
        """Add the sentences of a string between its quotes; one alone is a member like any other."""
        begin = child.value + 1
        plain = Plain(self.text[begin : child.end - 1], begin, self.grammar)
        spans = tile(plain.text, cuts(plain.text, self.language))
        if len(spans) < 2:
            return self.build.add_whole(child.behind, "member", frame)
        opener = self.build.add_whole(begin, "bracket", frame)
        need: tuple[int, ...] = (opener,)
        for span in spans:
            end = span.start + len(plain.text[span.start : span.end].rstrip())
            if "\n" not in plain.text[end : span.end] or span is spans[-1]:
                self.build.add_whole(plain.offset(span.end), "member", need)
                continue
            self.build.add_whole(plain.offset(end), "member", need)
            need = (opener, self.build.add_whole(plain.offset(span.end), "bracket", (opener,)))
        closer = self.build.add_whole(child.behind, "bracket", (opener,))
        self.build.need(opener, closer)
        return opener
