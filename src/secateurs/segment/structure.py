"""The units of a document: region by region, each cut by what it is.

A document that is JSON, HTML, a table, YAML, INI, a log or code as a whole is cut as such. Any other is Markdown,
which plain prose is as well, and in its paragraphs every line may begin something else: JSON, HTML, rows of a table,
records, a header line of a source, a speaker's turn. What nothing is made of is prose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from secateurs.segment.data import (
    JSON,
    PYTHON,
    add_ini,
    add_json,
    add_json_lines,
    add_yaml,
    ini_end,
    json_end,
    json_lines_end,
    yaml_end,
)
from secateurs.segment.data.tables import add_table, table_end
from secateurs.segment.markdown.fences import add_code, add_code_lines, add_tail
from secateurs.segment.markdown.halves import parts
from secateurs.segment.markdown.links import bind_links
from secateurs.segment.markdown.looks import is_program
from secateurs.segment.markdown.matter import add_front_matter
from secateurs.segment.markdown.page import Page
from secateurs.segment.markdown.paragraphs import Paragraphs
from secateurs.segment.markdown.parser import BEGINS, Parser
from secateurs.segment.markdown.titles import is_title
from secateurs.segment.markdown.walk import Walker
from secateurs.segment.markup import add_markup, is_markup
from secateurs.segment.prose.lines import goes_on
from secateurs.segment.prose.records import add_records, records_end
from secateurs.segment.prose.sentences import WORD
from secateurs.segment.units import LONGEST, Builder, Unit, pieces

# What a whole document may be: where it ends, what adds its units.
_WHOLE = ((table_end, add_table), (yaml_end, add_yaml), (ini_end, add_ini), (records_end, add_records))
_MARKDOWN = re.compile(r"[ \t]*(?:[>|]|#{1,6}\s|[-*+]\s|\d{1,9}[.)]\s|```|~~~|:?-+:?[ \t]*\|)")
# !!! note, ??? tip (MkDocs); .. note:: (reStructuredText)
_DIRECTIVE = re.compile(r"(?:!!!|\?\?\?\+?)[ \t]+[\w-]+(?=[ \t\r\n]|$)|\.\. [\w-]+(?::[\w-]+)*::(?=[ \t\r\n]|$)")
_CODE = re.compile(r"code|highlight|literal|math")
_TORN = 4  # lines behind a paragraph in which the rest of its last sentence may begin
_TRIED = 5  # lines that begin with a bracket
_PROGRAM = 4  # lines that a document has at least which is nothing but code


def cut(text: str, language: str | None) -> list[Unit]:
    """Cut a document into units that tile it.

    Args:
        text: Any string; lone surrogates and NUL are fine.
        language: Of its prose; None detects it for each paragraph.

    Returns:
        The units; `[]` for the empty text.
    """
    build = Builder(text)
    add_document(build, len(text), (), language)
    return build.units()


def add_document(build: Builder, end: int, frame: Sequence[int], language: str | None) -> None:
    """Add the units of a document, or of a text that stands in another.

    Args:
        build: Where to; the text begins at its `at`.
        end: Where it ends.
        frame: What all its units need.
        language: Of its prose; None detects it for each paragraph.
    """
    _add_page(Page(build, end, tuple(frame), language))


def _add_inner(build: Builder, end: int, frame: Sequence[int], language: str | None) -> None:
    """Add the units of a text inside an element of markup; a `<` in it begins no tag."""
    _add_page(Page(build, end, tuple(frame), language, markup=False))


def _add_page(page: Page) -> None:
    build, end = page.build, page.starts[-1]
    if page.text.strip() and not _add_whole(page):
        _add_parts(page)
    if build.at < end:
        build.extend(end)


def _add_whole(page: Page) -> bool:
    """Add the units of a document that is one thing; tell whether it is."""
    build, text, frame = page.build, page.text, page.outline.base
    end = page.starts[-1]
    start = end - len(text.lstrip("\ufeff \t\r\n"))
    for grammar in (JSON, PYTHON) if build.text[start : start + 1] in ("{", "[") else ():
        close = json_end(build.text, start, grammar=grammar)
        if close is not None and not build.text[close:end].strip():
            build.extend(start)
            add_json(build, end, frame, page.language, grammar=grammar)
            return True
    if page.markup and "<" in text and is_markup(text):
        add_markup(build, end, frame, page.language, inner=_add_inner)
        return True
    if len(text) > LONGEST and not WORD.search(text):  # nothing to read, however it is laid out
        for stop in pieces(build.text, build.at, end):
            build.add(stop, "prose", frame)
        return True
    lo, hi = page.extent()
    lines = page.lines[:hi]
    if build.text[start : start + 1] in ("{", "[") and json_lines_end(lines, lo) == hi:
        page.skip(lo)
        add_json_lines(build, page.lines[lo:], frame, page.language)
        return True
    for find, add in _WHOLE:
        if hi - lo > 1 and find(lines, lo) == hi and not (find is not yaml_end and _is_markdown(page, lo, hi)):
            page.skip(lo)
            add(build, page.lines[lo:], frame)
            return True
    fenced = "```" in text or "~~~" in text
    if hi - lo >= _PROGRAM and not fenced and is_program(lines[lo:]) and not _holds_json(page, lo, hi):
        page.skip(lo)
        add_code_lines(page, lo, len(page.lines), frame)
        return True
    return False


def _holds_json(page: Page, lo: int, hi: int) -> bool:
    """Tell whether JSON of several lines begins a line: what stands around it is no code then, nor is it."""
    text, tried = page.build.text, 0
    for line in range(lo, hi):
        if page.lines[line].lstrip()[:1] in ("{", "["):
            start = page.starts[line] + len(page.lines[line]) - len(page.lines[line].lstrip())
            end = json_end(text, start)
            if end is not None and "\n" in text[start:end]:
                return True
            tried += 1
            if tried == _TRIED:
                break
    return False


def _is_markdown(page: Page, lo: int, hi: int) -> bool:
    """Tell whether lines that look like a table or like records are Markdown, or a dialogue."""
    marked = sum(_MARKDOWN.match(line) is not None for line in page.lines[lo:hi])
    return marked * 5 > hi - lo or bool(page.headers)


def _add_parts(page: Page) -> None:
    """Add the units of Markdown, which may hold anything else."""
    text, lines, first = page.text, page.lines, len(page.build)
    start = add_front_matter(page)
    cutter = _Cutter(page, Parser(lines) if _has_blocks(page) else None)
    fenced = "```" in text or "~~~" in text
    if not fenced:
        cutter.text(start, len(lines))
    for part in parts(lines, start) if fenced else ():
        if part.kind == "text":
            cutter.text(part.lo, part.hi)
        elif part.kind == "tail":
            page.skip(part.lo)
            add_tail(page, part.lo, part.hi)
        else:
            page.add(part.hi, "mark", page.outline.base)
    bind_links(page, first)


def _has_blocks(page: Page) -> bool:
    """Tell whether any line may begin a block that is no paragraph."""
    if page.text[0] == "\ufeff" or "\r" in page.text:
        return any(BEGINS.match(line.lstrip("\ufeff")) for line in page.lines)
    return BEGINS.search(page.text) is not None


class _Cutter:
    """Adds the blocks of a page, one after the other.

    A block that is indented would be part of a list above it if what stands between the two were cut. So it needs the
    last block between that is not indented.

    Args:
        page: The document.
        parser: Reads Markdown; None where there is nothing but paragraphs.
    """

    def __init__(self, page: Page, parser: Parser | None) -> None:
        self._page = page
        self._parser = parser
        self._paragraphs = Paragraphs(page, inner=_add_inner)
        self._walker = Walker(page)
        self._first, self._end = page.extent()
        self._listed: int | None = None  # how many units there were when a list ended, under the same heading
        self._between: int | None = None  # the last unit behind that list which is not indented

    def text(self, lo: int, hi: int) -> None:
        """Add the units of the lines from `lo` to `hi`."""
        page = self._page
        i = lo
        while i < hi:
            if page.blank(i):
                i += 1
            elif (end := self._directive(i, hi)) > i:
                i = end
            elif self._parser is None:
                i = self._paragraph(i, self._paragraph_end(i, hi), hi)
            else:
                indented = page.lines[i][0] in " \t"
                page.outline.lean((self._between,) if indented and self._between is not None else ())
                i = self._block(self._parser, i, hi)
                page.outline.lean(())
                if self._listed is not None and self._listed < len(page.build) and not indented:
                    self._between = len(page.build) - 1

    def _directive(self, i: int, hi: int) -> int:
        """Add an admonition or a directive: its first line, which all that is indented under it needs.

        Returns:
            The line after it, or `i` if none begins there.
        """
        page = self._page
        found = _DIRECTIVE.match(page.lines[i]) if page.lines[i][0] in "!?." else None
        if found is None:
            return i
        end = next((j for j in range(i + 1, hi) if not page.blank(j) and page.lines[j][0] not in " \t"), hi)
        if all(page.blank(j) for j in range(i + 1, end)):
            return i
        page.skip(i)
        said = page.lines[i][found.end() :].strip()
        page.outline.enter(page.add(i + 1, "heading" if said else "mark", page.outline.frame))
        if _CODE.search(found.group()):
            add_code(page, i + 1, end, page.outline.frame)
        else:
            self._walker.indented(i + 1, end)
        page.outline.leave()
        return end

    def _paragraph_end(self, i: int, hi: int) -> int:
        """Return the line after the lines from `i` on which plainly are one paragraph."""
        while i < hi and not self._page.blank(i) and (self._parser is None or not BEGINS.match(self._page.lines[i])):
            i += 1
        return i

    def _block(self, parser: Parser, i: int, hi: int) -> int:
        """Add the block that begins at line `i`; return the line after what was added."""
        page = self._page
        end = self._paragraph_end(i, hi) if i else i  # a byte order mark may stand before the first line
        if end > i and (end == hi or page.blank(end)):
            return self._paragraph(i, end, hi)
        tokens = parser.block(i, hi)
        end = parser.end
        first = tokens[0]
        if first.type == "paragraph_open":
            return self._paragraph(i, end, hi)
        if first.type == "html_block":
            return self._paragraphs.html(i, end, hi)
        if first.type == "heading_open" and not is_title(page.lines[i : end - 1], first.markup):
            self._paragraphs.add(i, end - 1, end - 1)
            page.add(end, "mark", page.outline.base)
            return end
        page.skip(i)
        self._walker.alone = first.type in ("fence", "code_block") and i == self._first and end >= self._end
        self._walker.run(tokens)
        if first.type in ("heading_open", "bullet_list_open", "ordered_list_open"):
            self._listed = len(page.build) if first.type != "heading_open" else None
            self._between = None
        return end

    def _paragraph(self, lo: int, hi: int, stop: int) -> int:
        """Add a paragraph, and those behind a blank line that go on with its sentence."""
        lines = self._page.lines
        while True:
            after = next((i for i in range(hi, min(hi + _TORN, stop)) if not self._page.blank(i)), hi)
            end = self._paragraph_end(after, stop) if after > hi and goes_on(lines[hi - 1], lines[after]) else hi
            if end <= after:
                break
            hi = end
        self._walker.above = self._paragraphs.add(lo, hi, stop)
        return self._walker.above
