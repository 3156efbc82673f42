"""Generated Markdown, and what CommonMark makes of it: for the laws of units and frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from secateurs.segment.units import Unit, space

COMMONMARK = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table")
WORD = re.compile(r"w\d+")


class Pages:
    """Draws Markdown whose every block has a word of its own, so that it can be found again."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0

    def word(self) -> str:
        """Return a word that no other block has."""
        self.count += 1
        return f"w{self.count}"

    def prose(self, most: int = 3) -> list[str]:
        """Return the lines of a paragraph: each sentence has the paragraph's word."""
        word = self.word()
        sentences = [f"The {word} has a part {n} here." for n in range(self.draw(st.integers(1, most)))]
        if self.draw(st.booleans()):
            return [" ".join(sentences)]
        return sentences

    def blocks(self, depth: int, most: int = 4) -> list[str]:
        """Return the lines of some blocks, with a blank line between them, mostly."""
        lines: list[str] = []
        for _ in range(self.draw(st.integers(1, most))):
            block = self.block(depth)
            if lines and not (self.draw(st.integers(0, 5)) == 0 and block[0][:1] in "-1#>`"):
                lines.append("")
            lines += block
        return lines

    def block(self, depth: int) -> list[str]:
        """Return the lines of one block."""
        kinds = ["prose", "prose", "heading", "fence", "table", "rule", "underlined", "indented"]
        kinds += ["list", "list", "quote"] if depth else []
        kind = self.draw(st.sampled_from(kinds))
        if kind == "heading":
            return [f"{'#' * self.draw(st.integers(1, 4))} Title {self.word()}"]
        if kind == "fence":
            return self.fence()
        if kind == "underlined":
            return ["", f"Title {self.word()}", self.draw(st.sampled_from(["===", "---"]))]
        if kind == "indented":
            return ["", f"    {self.word()} = 1", "", f"    f({self.word()})", ""]
        if kind == "table":
            rows = [f"| {self.word()} | b |" for _ in range(self.draw(st.integers(0, 3)))]
            return [f"| {self.word()} | b |", "|---|---|", *rows]
        if kind == "rule":
            return ["***"]
        if kind == "list":
            return self.items(depth)
        if kind == "quote":
            lazy = self.draw(st.integers(0, 4)) == 0
            return [
                line if lazy and n and line[:3] == "The" else f"> {line}".rstrip()
                for n, line in enumerate(self.blocks(depth - 1, 2))
            ]
        return self.prose()

    def fence(self) -> list[str]:
        """Return a fence, sometimes a long one with blank lines."""
        word = self.word()
        length = self.draw(st.sampled_from([1, 3, 20]))
        lines = ["" if n % 5 == 4 else f"{word} = {n}" for n in range(length)]
        return ["```py", *lines, "```"]

    def items(self, depth: int) -> list[str]:
        """Return a list, loose or tight, whose items may be long and hold other blocks."""
        ordered = self.draw(st.booleans())
        loose = self.draw(st.booleans())
        lines: list[str] = []
        first = self.draw(st.sampled_from([1, 1, 1, 7]))
        bullet = self.draw(st.sampled_from(["- ", "* ", "-   ", "+ "]))
        for number in range(first, first + self.draw(st.integers(1, 4))):
            marker = f"{number}. " if ordered else bullet
            own = self.prose(12 if self.draw(st.integers(0, 4)) == 0 else 2)
            body = [*own]
            if depth and self.draw(st.booleans()):
                inner = self.items(depth - 1) if self.draw(st.booleans()) else ["", *self.blocks(depth - 1, 2)]
                body += ["", *inner] if inner[0][:1] == "7" else inner  # 7. does not end a paragraph
            indent = " " * len(marker)
            lines += [marker + body[0], *((indent + line).rstrip() for line in body[1:])]
            if loose:
                lines.append("")
        while lines and not lines[-1]:
            lines.pop()
        return lines


@st.composite
def pages(draw: st.DrawFn) -> str:
    """Draw a page of Markdown."""
    return "\n".join(Pages(draw).blocks(3, 5)) + draw(st.sampled_from(["", "\n"]))


def closure(units: Sequence[Unit], wanted: Sequence[int]) -> list[int]:
    """Return the units that stay when some are wanted, in order."""
    kept: set[int] = set()
    left = list(wanted)
    while left:
        index = left.pop()
        if index not in kept:
            kept.add(index)
            left += units[index].frame
    return sorted(kept)


def cut(text: str, units: Sequence[Unit], kept: Sequence[int]) -> str:
    """Join kept units; where something is gone between two, by the strongest white space of what is gone."""
    out = ""
    last = -1
    for index in kept:
        start = units[index].start
        if last >= 0 and index > last + 1:
            gone = [(space(text, one.start, one.end), one.end) for one in units[last:index]]
            gap = max((text[lo:hi] for lo, hi in gone), key=_strength)
            out = out[: len(out) - (gone[0][1] - gone[0][0])] + gap
            line = text[text.rfind("\n", 0, start) + 1 : start]
            if "\n" in gap and line.strip():  # it begins in mid-line, and is to stand where its line did
                out += line[: len(line) - len(line.lstrip())]
        out += text[start : units[index].end]
        last = index
    return out


def _strength(gap: str) -> tuple[int, bool, bool]:
    return (
        min(gap.count("\n"), 2),
        ">" not in gap,
        bool(gap),
    )  # a blank line ends a quote, an empty line in it does not


@dataclass
class Seen:
    """What CommonMark sees in a page.

    Attributes:
        items: The ancestors of each item, by its word.
        under: The word of the nearest heading above each word, those in quotes and items for themselves.
        rows: The words of the rows of tables, header rows first.
        code: The words in fences.
    """

    items: dict[str, tuple[str, ...]] = field(default_factory=dict)
    under: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=list)
    code: set[str] = field(default_factory=set)


class _Reader:
    """Walks over markdown-it's tokens and writes down what it sees."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.items: list[str | None] = []  # the items that are open; None until their own text has come
        self.scopes: list[list[tuple[int, str]]] = [[]]  # headings, those in quotes and items apart
        self.heading = 0
        self.table = False

    def read(self, token: Token) -> None:
        """Take the next token."""
        if token.type in ("list_item_open", "blockquote_open"):
            self.scopes.append([])
        elif token.type in ("list_item_close", "blockquote_close"):
            self.scopes.pop()
        if token.type in ("list_item_open", "list_item_close"):
            self.items = [*self.items, None] if token.nesting > 0 else self.items[:-1]
        elif token.type in ("table_open", "table_close"):
            self.table = token.nesting > 0
            self.seen.rows += [[]] if self.table else []
        elif token.type in ("heading_open", "heading_close"):
            self.heading = int(token.tag[1]) if token.nesting > 0 else 0
        for word in dict.fromkeys(WORD.findall(token.content)):
            self.place(word)
            if token.type == "fence":
                self.seen.code.add(word)

    def place(self, word: str) -> None:
        """Write down where a word stands."""
        scope = self.scopes[-1]
        while self.heading and scope and scope[-1][0] >= self.heading:
            scope.pop()
        self.seen.under[word] = tuple(one[-1][1] for one in self.scopes if one)
        if self.heading:
            scope.append((self.heading, word))
        if self.items and self.items[-1] is None:
            self.items[-1] = word
            self.seen.items[word] = tuple(one for one in self.items[:-1] if one is not None)
        if self.table:
            self.seen.rows[-1].append(word)


def see(text: str) -> Seen:
    """Parse a page with markdown-it alone."""
    reader = _Reader()
    for token in COMMONMARK.parse(text):
        reader.read(token)
    return reader.seen
