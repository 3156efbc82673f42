"""YAML line by line: keys, items, comments, values over several lines, and what stands under what.

No YAML parser tells where in the text a comment or a scalar stands and goes on after what it does not understand; the
plain YAML of configurations is read here by its indentation, in one pass that never looks back or far ahead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# an atomic group: Python before 3.11.5 matches a possessive repeat of alternatives wrongly (gh-106052)
_PLAIN = r"[^\s\-?:,\[\]{}#&*!|>'\"%@`][^\s:]*+(?>(?:(?::(?=\S)| (?=[^\s:#]))[^\s:]*+)*)"
_KEY = re.compile(rf"(\"[^\"\n]*+\"|'[^'\n]*+'|{_PLAIN})[ \t]*+:(?:[ \t]+(.*))?$")
_DASH = re.compile(r"-(?:[ \t]++|$)")
_DOCUMENT = re.compile(r"(?:---|\.\.\.)(?:\s|$)")
_PROPERTY = re.compile(r"(?:[&!]\S*+\s*+)*+")
_BLOCK = re.compile(r"[|>][-+1-9]{0,2}[ \t]*(?:#.*)?$")
_QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*+"'), "'": re.compile(r"'(?:[^']|'')*+'")}
_CLOSES = {'"': re.compile(r'(?:[^"\\]|\\.)*+"'), "'": re.compile(r"(?:[^']|'')*+'")}
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"|\'[^\']*+\'')
_COMMENT = re.compile(r"(?:^|\s)#.*")
_ANCHOR = re.compile(r"&(\S+)")
_ALIAS = re.compile(r"(?:^|[\s,\[{])\*([^\s,\]}]+)")


@dataclass(slots=True, eq=False)
class Line:
    """A key, an item, a comment or a text, with the lines that its value has.

    Attributes:
        first: Index of the first line, that of the comments above it where there are some.
        indent: Columns before it.
        column: Of the innermost thing on the line: the key of `- key:`.
        end: Index after the last line.
        dash: Whether it is an item of a sequence.
        twice: Whether the item is a sequence itself (`- - a`).
        key: Its key, None without one.
        value: What stands behind the key or the dash, anchors and tags left out.
        document: Whether it ends or begins a document.
        note: Whether it is a comment with nothing right under it.
        block: Index of the first line of its block scalar (`|`, `>`), None without one.
        parent: What it stands under.
        fits: Whether it may stand there.
        outer: Whether it stands under nothing.
        anchor: The name by which others point at it, None without one.
        aliases: Names of those it points at.
        unit: Index of its unit, once it has one.
        inner: Columns before what stands under it, None as long as nothing does.
        names: Keys under it.
        mates: Keys of the same item.
    """

    first: int
    indent: int
    column: int
    end: int = 0
    dash: bool = False
    twice: bool = False
    key: str | None = None
    value: str = ""
    document: bool = False
    note: bool = False
    block: int | None = None
    parent: Line | None = None
    fits: bool = True
    outer: bool = True
    anchor: str | None = None
    aliases: tuple[str, ...] = ()
    unit: int = -1
    inner: int | None = None
    names: set[str] = field(default_factory=set)
    mates: set[str] = field(default_factory=set)

    @property
    def opens(self) -> bool:
        """Whether its value may be what stands under it."""
        return (self.key is not None or self.dash) and not self.value


def read(lines: Sequence[str], i: int = 0) -> Iterator[Line]:
    """Yield what the lines from `i` on hold; lines that fit nowhere as well, marked so.

    Args:
        lines: Each with its line break.
        i: Where to begin.
    """
    stack: list[Line] = []
    names: set[str] = set()
    first = -1  # of comments that wait for what follows
    while i < len(lines):
        bare = lines[i].strip("\ufeff").strip()
        if bare[:1] in ("#", "%", ""):
            if bare:
                first = i if first < 0 else first
            elif first >= 0:
                yield _note(lines, first, i)
                first = -1
            i += 1
            continue
        line = _line(lines[i], i if first < 0 else first)
        first = -1
        i = line.end = _body(lines, line, i + 1)
        if line.document:
            stack, names = [], set()
        else:
            _place(line, stack, names)
        yield line
    if first >= 0:
        yield _note(lines, first, i)


def _note(lines: Sequence[str], first: int, end: int) -> Line:
    """Make one of comments with nothing right under them; `## Title` between blank lines is a heading to everyone."""
    return Line(first, 0, 0, end, note=True, fits=end - first > 1 or not lines[first].startswith("##"))


def may_begin(lines: Sequence[str], i: int) -> bool:
    """Tell at a glance whether YAML may begin at a line: a key, an item with keys, a comment or a mark.

    The first line of comments is asked for them all. A first key is one word. An item has a key, and more under it: a
    list of one-liners is a list to everyone.
    """
    bare = lines[i].strip("\ufeff").strip()
    if bare[:1] == "#" and bare[:2] != "##":
        return not i or lines[i - 1].lstrip()[:1] != "#"
    if bare[:1] == "%" or _DOCUMENT.match(bare):
        return True
    if ":" not in bare:
        return False
    dash = _DASH.match(bare)
    key = _KEY.match(bare, dash.end() if dash else 0)
    if key is None or (" " in key[1] and key[1][0] not in "'\""):
        return False
    below = next((line for line in lines[i + 1 : i + 4] if line.strip()), "")
    return dash is None or _indent(below) > _indent(lines[i])


def _line(text: str, first: int) -> Line:
    bare = text.lstrip("\ufeff")
    rest = bare.strip()
    indent = column = len(bare) - len(bare.lstrip())
    line = Line(first, indent, column)
    if not indent and _DOCUMENT.match(rest):
        line.document = True
        return line
    while dash := _DASH.match(rest):
        line.twice, line.dash = line.dash, True
        line.column = column
        rest = rest[dash.end() :]
        column += dash.end()
    key = _KEY.match(rest)
    if key:
        line.key, rest, line.column = key[1], key[2] or "", column
    prefix = _PROPERTY.match(rest)
    line.value = rest[prefix.end() if prefix else 0 :]
    anchor = _ANCHOR.search(rest, 0, len(rest) - len(line.value))
    line.anchor = anchor[1] if anchor else None
    line.aliases = tuple(_ALIAS.findall(line.value))
    if line.value.startswith("#"):
        line.value = ""
    return line


def _body(lines: Sequence[str], line: Line, i: int) -> int:
    """Return the index after the value of a line, `i` being the line below."""
    if line.document:
        return i
    if _BLOCK.match(line.value):
        line.block = i
        j = i
        while j < len(lines) and (not lines[j].strip() or _indent(lines[j]) > line.column):
            j += 1
        while j > i and not lines[j - 1].strip():
            j -= 1
        return j
    if line.value[:1] in ("[", "{"):
        i = _flow_end(lines, line, i)
    elif line.value[:1] in ('"', "'") and not _QUOTED[line.value[0]].match(line.value):
        i = _quote_end(lines, line, i)
    while i < len(lines) and _goes_on(lines[i], line):
        i += 1
    return i


def _flow_end(lines: Sequence[str], line: Line, i: int) -> int:
    """Return the index after a flow collection; one that is never closed ends before the next key."""
    depth = _depth(line.value)
    while depth > 0 and i < len(lines) and not _is_next(lines[i], line):
        depth += _depth(lines[i])
        i += 1
    return i


def _depth(text: str) -> int:
    text = _COMMENT.sub("", _STRINGS.sub("", text))
    return text.count("[") + text.count("{") - text.count("]") - text.count("}")


def _quote_end(lines: Sequence[str], line: Line, i: int) -> int:
    closes = _CLOSES[line.value[0]]
    while i < len(lines) and not _is_next(lines[i], line):
        i += 1
        if closes.match(lines[i - 1]):
            break
    return i


def _is_next(text: str, line: Line) -> bool:
    """Tell whether another key or item begins, so that the value of this line was never closed."""
    bare = text.strip()
    return bool(bare) and _indent(text) <= line.indent and bool(_KEY.match(bare) or _DASH.match(bare))


def _goes_on(text: str, line: Line) -> bool:
    """Tell whether a line goes on with a text that began above it."""
    bare = text.strip()
    if not bare or bare[0] == "#" or _indent(text) <= line.indent:
        return False
    return not (_DASH.match(bare) or _KEY.match(bare))


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _place(line: Line, stack: list[Line], names: set[str]) -> None:
    """Find what a line stands under, and whether it may stand there."""
    mate = None
    while stack and not _is_over(stack[-1], line):
        mate = stack.pop()
    parent = line.parent = stack[-1] if stack else None
    line.outer = parent is None
    line.fits = line.key is not None or line.dash
    if mate is not None and mate.indent == line.indent and mate.dash != line.dash:
        line.fits = False
    if parent is not None:
        together = line.indent == parent.column and parent.dash and line.dash == parent.twice
        if not together:
            line.fits = line.fits and parent.opens and parent.inner in (None, line.indent)
            parent.inner = line.indent
        names = parent.mates if together else parent.names
    if line.key is not None and not line.dash:
        line.fits = line.fits and line.key not in names
        names.add(line.key)
    elif line.key is not None:
        line.mates.add(line.key)
    stack.append(line)


def _is_over(above: Line, line: Line) -> bool:
    """Tell whether a line stands under one above it: deeper, or an item right under its key."""
    if above.indent != line.indent:
        return above.indent < line.indent
    return line.dash and above.opens and not above.dash
