"""From Markdown's blocks to units: items with their ancestors, headings, tables, fences, quotes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from markdown_it.token import Token

from secateurs.segment.markdown.fences import add_code, add_code_lines, add_fence, add_whole_fence
from secateurs.segment.markdown.looks import is_code, is_prose
from secateurs.segment.markdown.mails import introduces_mail
from secateurs.segment.markdown.page import Frame, Page
from secateurs.segment.markdown.parser import Parser
from secateurs.segment.markdown.quotes import add_quoted
from secateurs.segment.markdown.rows import add_rows
from secateurs.segment.markdown.steps import MOST, add_item
from secateurs.segment.markdown.titles import is_title
from secateurs.segment.markup import add_markup
from secateurs.segment.prose import add_prose
from secateurs.segment.units import Kind

_OPENED = ("bullet_list_open", "ordered_list_open", "list_item_open", "blockquote_open")
_CLOSED = ("bullet_list_close", "ordered_list_close", "list_item_close", "blockquote_close")
_ALERT = re.compile(r"\[![A-Za-z]+\][+-]?[ \t]*(?:\n|$)")  # the first line of a quote that is a note or a warning
_TAG, _WORD = re.compile(r"<[^<>]*>"), re.compile(r"[^\W_]")
_QUOTE_SPACE = " \t\r\n>"  # what is left of an empty line of a quote

# An indented line that is Markdown: an item (and no list of YAML), a quote, a fence, a heading, a table.
_TEXT = re.compile(r"\s*(?:(?:[-*+]|\d{1,9}[.)])(?:\s+(?![\w.-]+:(?:\s|$))|$)|>\s|```|~~~|#{2,6}\s|\||:::|\*\*)")


@dataclass(slots=True)
class _Item:
    """A list item that is open.

    Attributes:
        line: Where it begins.
        end: The line after it.
        own: The units of its own text; empty until that is known.
        also: What its own text needs besides: what keeps its list out of the one before it, and the list's first item
            where that alone can begin it.
    """

    line: int
    end: int
    own: Frame = ()
    also: Frame = ()


@dataclass(slots=True)
class _List:
    """A list that is open.

    Attributes:
        ordered: Whether it is numbered.
        tight: Whether a paragraph stands right above it. Only 1 ends a paragraph, so the other items need the first.
        mark: What its markers are made of, which tells it from the next list.
        between: What keeps it out of the list before it: the last unit between the two.
        first: Its first item.
    """

    ordered: bool
    tight: bool
    mark: str
    between: Frame = ()
    first: _Item | None = None


@dataclass(frozen=True, slots=True)
class _Past:
    """A list that has ended: what its markers were, what stood above it, and how many units there were then."""

    mark: str
    frame: Frame
    units: int


@dataclass(slots=True)
class _Quote:
    """A quote that is open: where it ends, how many units stand before it, and what says whose or what it is."""

    end: int
    first: int
    mark: Frame = ()


@dataclass(slots=True)
class Walker:
    """Adds the units of Markdown's blocks to a page.

    Attributes:
        page: The document.
        alone: Whether the code that comes is all there is.
        above: The line after the paragraph that was read last. A list below it without a blank line begins with 1,
            or it would be part of the paragraph.
    """

    page: Page
    alone: bool = False
    above: int = -1
    _lists: list[_List] = field(default_factory=list)
    _items: list[_Item] = field(default_factory=list)
    _quotes: list[_Quote] = field(default_factory=list)
    _mail: Frame = ()  # who wrote what is quoted in the present mail, between the answers
    _mail_at: Frame = ()  # what stood above that line
    _past: list[_Past | None] = field(default_factory=lambda: [None])  # the last list of each container that is open

    def run(self, tokens: Sequence[Token], base: int = 0) -> None:
        """Add the units of some blocks.

        Args:
            tokens: Of markdown-it's block rules, opened and closed in pairs.
            base: The line of the page where the text of the tokens begins.
        """
        skip = -1  # level of a block whose inner tokens say nothing
        for number, token in enumerate(tokens):
            if skip >= 0:
                skip = -1 if token.level == skip and token.nesting < 0 else skip
            elif token.type in _OPENED:
                lo, hi = _span(token, base)
                self._open(token, lo, hi)
            elif token.type in _CLOSED:
                self._close(token.type)
            else:
                lo, hi = _span(token, base)
                inline = tokens[number + 1].content if token.type == "paragraph_open" else ""
                self._leaf(token, lo, hi, inline)
                self.above = hi if token.type == "paragraph_open" else -1
                skip = token.level if token.nesting else -1

    def _open(self, token: Token, lo: int, hi: int) -> None:
        if token.type == "list_item_open":
            item = _Item(lo, hi)
            group = self._lists[-1]
            item.also = group.between
            if group.first is None:
                group.first = item
            elif group.ordered and group.tight:
                item.also = (*item.also, *group.first.own)
            self._items.append(item)
            self._enter()
        elif token.type == "blockquote_open":
            self._catch_up(lo)
            self._quotes.append(_Quote(hi, len(self.page.build), self._introduction()))
            self._enter()
        else:
            ordered = token.type == "ordered_list_open"
            self._lists.append(_List(ordered, lo == self.above, token.markup, self._between(token.markup)))

    def _introduction(self) -> Frame:
        """Return the line that says whose a quote is that begins here: right above it, or above an answered mail."""
        build, place = self.page.build, self.page.outline.frame
        index = build.introducing()
        if index < 0:
            return self._mail if self._mail_at == place and not (self._quotes or self._lists) else ()
        if not self._quotes and introduces_mail(build.text, build.start(index), build.at):
            self._mail, self._mail_at = (index,), place
        return (index,)

    def _enter(self) -> None:
        self.page.outline.open()
        self._past.append(None)

    def _leave(self) -> None:
        self.page.outline.close()
        self._past.pop()

    def _between(self, mark: str) -> Frame:
        """Return what a list needs that begins here, so that it does not go on with the one before it."""
        past, units = self._past[-1], len(self.page.build)
        if past is None or past.units == units or (past.mark, past.frame) != (mark, self.page.outline.frame):
            return ()
        return (units - 1,)

    def _close(self, kind: str) -> None:
        if kind == "list_item_close":
            self._catch_up(self._items[-1].end)
            self._items.pop()
            self._leave()
        elif kind == "blockquote_close":
            self._catch_up(self._quotes[-1].end)
            self._quotes.pop()
            self._leave()
        else:
            self._past[-1] = _Past(self._lists.pop().mark, self.page.outline.frame, len(self.page.build))

    def _frame(self) -> Frame:
        """Return what a unit needs that comes next: what stands above it, and the items that it is nested in."""
        frame = self.page.outline.frame
        return (*frame, *(index for index in self._ancestors() if index not in frame))

    def _ancestors(self) -> Frame:
        also = [index for quote in self._quotes for index in quote.mark]
        for item in reversed(self._items):
            if item.own:
                also += item.own
                break
            also += item.also
        return tuple(dict.fromkeys(also))  # a quote in a quote may have the same introduction

    def _claim(self, units: Frame) -> None:
        """Say which units are the own text of the items that have none yet."""
        for item in reversed(self._items):
            if item.own:
                break
            item.own = units

    def _catch_up(self, i: int) -> None:
        """Add what no block has taken before line `i`: markers that stand alone, and what is nested too deeply."""
        page, build = self.page, self.page.build
        left = build.text[build.at : page.starts[i]]
        if not left.strip(_QUOTE_SPACE):
            if not left.strip() or not self._quotes or self._quotes[-1].first < len(build):
                build.extend(page.starts[i])
            return  # else an empty line at the beginning of a quote: a part of what comes next
        for line in range(bisect_right(page.starts, build.at) - 1, i):
            if not page.lines[line].strip(_QUOTE_SPACE):
                page.skip(line + 1)
            elif any(not item.own and item.line <= line for item in self._items):
                self._claim((page.add(line + 1, "mark", self._frame()),))
            else:
                page.add(line + 1, "prose", self._frame())

    def _leaf(self, token: Token, lo: int, hi: int, inline: str) -> None:
        """Add the units of a block that holds no others."""
        self._catch_up(lo)
        page, first = self.page, len(self.page.build)
        frame = self._frame()
        pending = bool(self._items) and not self._items[-1].own
        most = 1  # units of this block that are an item's own text, if it is the first thing in it
        if token.type == "paragraph_open":
            self._paragraph(lo, hi, frame, inline, own=pending)
            most = MOST
        elif token.type == "heading_open":
            self._heading(token, lo, hi)
        elif token.type == "table_open":
            add_rows(page, lo, hi, frame, header=True)
            most = 2
        elif token.type == "fence":
            closed = hi - lo - token.content.count("\n") == 2
            if self.alone:
                add_whole_fence(page, lo, hi, closed=closed)
            else:
                add_fence(page, lo, hi, frame, info=token.info.strip(), closed=closed)
        elif token.type == "code_block":
            self._indented(lo, hi, frame, marked=pending and self._items[-1].line == lo)
        elif token.type == "html_block":
            self._markup(lo, hi, frame, own=pending)
        else:
            page.add(hi, "mark", frame if self._items else page.outline.base)
        if pending and len(page.build) > first:
            self._claim(tuple(range(first, min(len(page.build), first + most))))

    def _paragraph(self, lo: int, hi: int, frame: Frame, inline: str, *, own: bool) -> None:
        page = self.page
        if own:
            head = inline.partition("\n")[0].rstrip()
            at = page.starts[lo] + len(page.lines[lo].rstrip()) - len(head)
            marker = page.build.text[page.build.at : at].rstrip()
            numbered = marker[-2:-1].isdigit()
            add_item(page, at, page.starts[hi], frame, numbered=numbered, tight=self._lists[-1].tight)
            return
        first = len(page.build)
        if self._quotes:
            if _ALERT.match(inline) and len(page.build) == self._quotes[-1].first:
                mark = page.add(lo + 1, "mark", frame)
                self._quotes[-1].mark = (*self._quotes[-1].mark, mark)
                frame = (*frame, mark)
            if page.build.at < page.starts[hi]:
                add_quoted(page, page.starts[hi], frame, "prose")
        else:
            add_prose(page.build, page.starts[hi], frame, page.language)
        page.bind(first)

    def _heading(self, token: Token, lo: int, hi: int) -> None:
        page, outline = self.page, self.page.outline
        if not is_title(page.lines[lo : hi - 1], token.markup):
            add_prose(page.build, page.starts[hi - 1], self._frame(), page.language)
            page.add(hi, "mark", self._frame() if self._items else outline.base)
            return
        level = int(token.tag[1:])
        above = outline.above(level)
        index = page.add(hi, "heading", (*above, *self._ancestors()))
        outline.heading(level, index)

    def _indented(self, lo: int, hi: int, frame: Frame, *, marked: bool) -> None:
        """Add an indented block: code, or Markdown that belongs to a list item which the chunk has lost."""
        lines = self.page.lines[lo:hi]
        is_text = _TEXT.match(lines[0]) or (is_prose(lines) and not is_code(lines))
        if marked or self._quotes or not is_text:
            (add_code_lines if self.alone else add_code)(self.page, lo, hi, frame)
        else:
            self.indented(lo, hi)

    def indented(self, lo: int, hi: int) -> None:
        """Add lines that are indented as if they were not."""
        lines = self.page.lines[lo:hi]
        parser = Parser(_outdented(lines), code=False)
        i = 0
        while i < len(lines):
            if not lines[i].strip(" \t\r\n"):
                i += 1
                continue
            self.run(parser.block(i, len(lines)), lo)
            i = parser.end

    def _markup(self, lo: int, hi: int, frame: Frame, *, own: bool) -> None:
        page = self.page
        i = lo
        while i < hi:
            end = i if self._quotes else min(hi, page.markup_end(i))
            if end > i:
                add_markup(page.build, page.starts[end], frame, page.language)  # indented: no document inside
            else:
                end = i + 1
                worded = _WORD.search(_TAG.sub("", page.lines[i])) is not None
                plain: Kind = "item" if own and i == lo else "prose"
                page.add(end, plain if worded else "mark" if own and i == lo else "tag", frame)
            i = end


def _outdented(lines: Sequence[str]) -> list[str]:
    """Return lines without the indentation that all of them have, tabs in what is left of it as spaces."""
    leads = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines]
    columns = [len(lead.expandtabs(4)) for lead in leads]
    base = min(column for column, line in zip(columns, lines, strict=True) if line.strip(" \t\r\n"))
    return [
        " " * (column - base) + line[len(lead) :] for column, lead, line in zip(columns, leads, lines, strict=True)
    ]


def _span(token: Token, base: int) -> tuple[int, int]:
    lo, hi = token.map or (0, 0)
    return lo + base, hi + base
