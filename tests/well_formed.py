"""What well-formed means of Markdown that was cut, as a CommonMark parser reads source and output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from secateurs.result.join import Parts

_MARKDOWN = MarkdownIt("commonmark", {"maxNesting": 200}).enable("table")


@dataclass(frozen=True)
class Item:
    """A list item: its own text, and the items it is nested in, outermost first."""

    text: str
    above: tuple[str, ...]


def items(text: str) -> list[Item]:
    """List items as CommonMark reads them; the text of one is its first paragraph."""
    found: list[Item] = []
    open_: list[str | None] = []
    for token in _MARKDOWN.parse(text):
        if token.type == "list_item_open":
            open_.append(None)
        elif token.type == "list_item_close":
            if open_.pop() is None:
                found.append(Item("", tuple(one or "" for one in open_)))
        elif token.type == "inline" and open_ and open_[-1] is None:
            open_[-1] = _folded(token.content)
            found.append(Item(open_[-1], tuple(one or "" for one in open_[:-1])))
    return found


def strays(source: str, output: str) -> list[Item]:
    """Items that the source has as well, but with other ancestors; sentences of an item may be gone."""
    known = items(source)
    return [
        one
        for one in items(output)
        if any(_within(one.text, other.text) for other in known) and not any(_is_rest(one, other) for other in known)
    ]


def _is_rest(one: Item, other: Item) -> bool:
    if len(one.above) != len(other.above):
        return False
    pairs = zip((*one.above, one.text), (*other.above, other.text), strict=True)
    return all(_within(rest, whole) for rest, whole in pairs)


def _within(rest: str, whole: str) -> bool:
    """Whether a text is what is left of another when parts of that are gone."""
    characters = iter(whole.replace(" ", ""))
    return all(character in characters for character in rest.replace(" ", ""))


def _folded(text: str) -> str:
    return " ".join(text.split())


def fenced_lines(text: str) -> set[int]:
    """Lines inside fences."""
    return {i for token in _MARKDOWN.parse(text) if token.type == "fence" and token.map for i in range(*token.map)}


def heading_above(tokens: Sequence[Token], line: int, known: set[str]) -> str | None:
    """The text of the nearest heading above a line; None if there is none. Only known ones count."""
    above = None
    for token, following in pairwise(tokens):
        if token.type == "heading_open" and token.map and token.level == 0 and token.map[0] < line:
            above = _folded(following.content) if _folded(following.content) in known else above
    return above


def places(parts: Parts, stays: Sequence[bool], output: str) -> list[tuple[int, int]]:
    """Where each kept unit that is no pure frame stands in the output: (index, first code point of its text)."""
    found, at = [], 0
    for index, (unit, stay) in enumerate(zip(parts.units, stays, strict=True)):
        if not stay:
            continue
        words = parts.original[unit.start : unit.end].strip().removesuffix(",").split("\n")[0].strip("> \t\r,")
        where = output.find(words, at)
        assert where >= 0, f"unit {index} {words!r} is missing behind {at} in {output!r}"
        if not unit.pure:
            found.append((index, where))
        at = where + len(words)
    return found


def check_markdown(parts: Parts, stays: Sequence[bool], output: str) -> None:
    """Check every law of Markdown that was cut."""
    source = parts.original
    titles = (source[unit.start : unit.end] for unit in parts.units if unit.kind == "heading")
    headed = {
        _folded(token.content) for title in titles for token in _MARKDOWN.parse(title) if token.type == "inline"
    }
    assert not strays(source, output), strays(source, output)
    before, after = _MARKDOWN.parse(source), _MARKDOWN.parse(output)
    fences_before, fences_after = fenced_lines(source), fenced_lines(output)
    for index, where in places(parts, stays, output):
        unit = parts.units[index]
        start = unit.start + len(source[unit.start : unit.end]) - len(source[unit.start : unit.end].lstrip())
        line, new = source.count("\n", 0, start), output.count("\n", 0, where)
        if headed and unit.kind in ("prose", "item", "row", "code"):
            assert heading_above(before, line, headed) == heading_above(after, new, headed), (
                f"unit {index} under another heading"
            )
        if unit.kind in ("prose", "item"):
            assert (line in fences_before) == (new in fences_after), f"unit {index}: a fence opened or closed"
    _check_indentation(source, output)


def _check_indentation(source: str, output: str) -> None:
    lines = source.splitlines()
    known = {(len(line) - len(line.lstrip()), line.strip()[:12]) for line in lines}
    starts = {line.strip()[:12] for line in lines}
    for line in output.splitlines():
        body = line.strip()
        if body and body[:12] in starts:
            assert (len(line) - len(line.lstrip()), body[:12]) in known, f"the indentation of {line!r} changed"
