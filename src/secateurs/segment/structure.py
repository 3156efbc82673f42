"""The units of a document: region by region, each cut by what it is.

A document that is JSON, HTML, a table, YAML, INI, a log or code as a whole is cut as such. Any other is Markdown,
which plain prose is as well, and in its paragraphs every line may begin something else: JSON, HTML, rows of a table,
records, a header line of a source, a speaker's turn. What nothing is made of is prose.
"""

from __future__ import annotations

import re

from secateurs.segment.data import add_ini, add_json, add_yaml, ini_end, json_end, yaml_end
from secateurs.segment.fences import add_code_lines, add_tail
from secateurs.segment.halves import parts
from secateurs.segment.looks import is_code
from secateurs.segment.markdown import BEGINS, Parser
from secateurs.segment.markup import add_markup, is_markup
from secateurs.segment.page import Page
from secateurs.segment.paragraphs import Paragraphs
from secateurs.segment.records import add_records, records_end
from secateurs.segment.tables import add_table, table_end
from secateurs.segment.titles import is_title
from secateurs.segment.units import Builder, Unit
from secateurs.segment.walk import Walker

_MATTER = 400  # lines of front matter
_PROGRAM = 4  # lines of code that a document has which is nothing else
_FIELD = re.compile(r"[\w.-]+\s*[:=](?:\s|$)|\s+\S|- |#|\[|\s*$")
_LISTED = re.compile(r"\ufeff?\s*(?:[-*+]|\d{1,9}[.)])[ \t]")
_KEY = re.compile(r"[a-z_][\w-]*:(?:\s|$)")


def cut(text: str, language: str | None) -> list[Unit]:
    """Cut a document into units that tile it.

    Args:
        text: Any string; lone surrogates and NUL are fine.
        language: Of its prose; None detects it for each paragraph.

    Returns:
        The units; `[]` for the empty text.
    """
    if not text.strip():
        return Builder(text).units()
    page = Page(text, language)
    if not _add_whole(page):
        _add_parts(page)
    return page.build.units()


def _add_whole(page: Page) -> bool:
    """Add the units of a document that is one thing; tell whether it is."""
    build, text = page.build, page.build.text
    start = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    if text[start] in "{[":
        end = json_end(text, start)
        if end is not None and not text[end:].strip():
            build.extend(start)
            add_json(build, len(text), (), page.language)
            return True
    if "<" in text and is_markup(text):
        add_markup(build, len(text), (), page.language)
        return True
    lo, hi = _extent(page)
    lines = page.lines[:hi]
    for find, add in ((table_end, add_table), (yaml_end, add_yaml), (ini_end, add_ini), (records_end, add_records)):
        if find is records_end and _LISTED.match(lines[lo]):
            continue  # a list in Markdown, whose items have ancestors
        if hi - lo > 1 and find(lines, lo) == hi:
            page.skip(lo)
            add(build, page.lines[lo:], ())
            return True
    if hi - lo >= _PROGRAM and "```" not in text and "~~~" not in text and is_code(lines[lo:], _PROGRAM):
        page.skip(lo)
        add_code_lines(page, lo, len(page.lines), ())
        return True
    return False


def _extent(page: Page) -> tuple[int, int]:
    """Return the first line with anything on it, and the line after the last."""
    return (
        next(i for i in range(len(page.lines)) if not page.blank(i)),
        next(i for i in range(len(page.lines), 0, -1) if not page.blank(i - 1)),
    )


def _add_parts(page: Page) -> None:
    """Add the units of Markdown, which may hold anything else."""
    text, lines = page.build.text, page.lines
    start = _add_front_matter(page)
    cutter = _Cutter(page, Parser(lines) if _has_blocks(page) else None)
    if "```" not in text and "~~~" not in text:
        cutter.text(start, len(lines))
        return
    for part in parts(lines, start):
        if part.kind == "text":
            cutter.text(part.lo, part.hi)
        elif part.kind == "tail":
            page.skip(part.lo)
            add_tail(page, part.lo, part.hi)
        else:
            page.add(part.hi, "mark", ())


def _has_blocks(page: Page) -> bool:
    """Tell whether any line may begin a block that is no paragraph."""
    if page.build.text[0] == "\ufeff" or "\r" in page.build.text:
        return any(BEGINS.match(line.lstrip("\ufeff")) for line in page.lines)
    return BEGINS.search(page.build.text) is not None


class _Cutter:
    """Adds the blocks of a page, one after the other.

    Args:
        page: The document.
        parser: Reads Markdown; None where there is nothing but paragraphs.
    """

    def __init__(self, page: Page, parser: Parser | None) -> None:
        self._page = page
        self._parser = parser
        self._paragraphs = Paragraphs(page)
        self._walker = Walker(page)
        self._first, self._end = _extent(page)

    def text(self, lo: int, hi: int) -> None:
        """Add the units of the lines from `lo` to `hi`."""
        i = lo
        while i < hi:
            if self._page.blank(i):
                i += 1
            elif self._parser is None:
                i = self._paragraphs.add(i, self._paragraph_end(i, hi), hi)
            else:
                i = self._block(self._parser, i, hi)

    def _paragraph_end(self, i: int, hi: int) -> int:
        while i < hi and not self._page.blank(i):
            i += 1
        return i

    def _block(self, parser: Parser, i: int, hi: int) -> int:
        """Add the block that begins at line `i`; return the line after what was added."""
        page = self._page
        if i and not BEGINS.match(page.lines[i]):  # a paragraph, and mostly one that a blank line ends
            end = i + 1
            while end < hi and not page.blank(end) and not BEGINS.match(page.lines[end]):
                end += 1
            if end == hi or page.blank(end):
                self._walker.above = self._paragraphs.add(i, end, hi)
                return self._walker.above
        tokens = parser.block(i, hi)
        end = parser.end
        first = tokens[0]
        if first.type == "paragraph_open":
            self._walker.above = self._paragraphs.add(i, end, hi)
            return self._walker.above
        if first.type == "html_block":
            return self._paragraphs.html(i, end, hi)
        if first.type == "heading_open" and not is_title(page.lines[i : end - 1], first.markup):
            self._paragraphs.add(i, end - 1, end - 1)
            page.add(end, "mark", ())
            return end
        page.skip(i)
        self._walker.alone = first.type == "fence" and i == self._first and end >= self._end
        self._walker.run(tokens)
        return end


def _add_front_matter(page: Page) -> int:
    """Add the front matter at the beginning of a page, YAML between `---` or TOML between `+++`.

    Returns:
        The line after it; 0 if there is none.
    """
    lines = page.lines
    lo, _ = _extent(page)
    fence = lines[lo].strip("\ufeff \t\r\n")
    if fence not in ("---", "+++"):
        return _add_rest_of_matter(page, lo)
    stop = min(len(lines), lo + _MATTER)
    close = next((i for i in range(lo + 1, stop) if lines[i].rstrip() in (fence, "...")), None)
    if close is None or close == lo + 1 or not all(_FIELD.match(line) for line in lines[lo + 1 : close]):
        return 0
    page.skip(lo)
    opener = page.add(lo + 1, "mark", ())
    add = add_yaml if fence == "---" else add_ini
    first = len(page.build)
    add(page.build, lines[lo + 1 : close], (opener,))
    end = len(page.build)
    closer = page.add(close + 1, "mark", (opener,))
    page.build.need(opener, closer)
    for index in range(first, end):
        page.build.need(index, closer)
    return close + 1


def _add_rest_of_matter(page: Page, lo: int) -> int:
    """Add front matter whose first line the chunk has lost; its closing mark is what tells it."""
    lines = page.lines
    if not _KEY.match(lines[lo].lstrip("\ufeff")):
        return 0
    stop = min(len(lines), lo + _MATTER)
    close = next((i for i in range(lo, stop) if not lines[i].strip() or lines[i].rstrip() == "---"), None)
    if close is None or not lines[close].strip() or not all(_FIELD.match(line) for line in lines[lo:close]):
        return 0
    page.skip(lo)
    add_yaml(page.build, lines[lo:close], ())
    page.add(close + 1, "mark", ())
    return close + 1
