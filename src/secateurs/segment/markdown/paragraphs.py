"""What CommonMark calls a paragraph: prose, or something it does not know.

Each line of it may begin JSON, HTML, a table without Markdown's marks, YAML or INI, records, an item with a marker of
another kind, a link, a header line of a source or a speaker's turn. Some of these go on where Markdown sees other
blocks: a list in YAML, a blank line in JSON. What is left is prose, or code that nobody has fenced.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
from secateurs.segment.markdown.fences import add_code
from secateurs.segment.markdown.links import defined
from secateurs.segment.markdown.looks import is_code
from secateurs.segment.markdown.marks import Items, is_number, item_end, marker
from secateurs.segment.markdown.notes import MEANING, NOTE, formula_end, meaning_end, note_end, terms_end
from secateurs.segment.markdown.page import Frame, Page
from secateurs.segment.markdown.rows import add_rows, rows_end
from secateurs.segment.markdown.steps import LONG, add_item
from secateurs.segment.markdown.titles import NUMERALS, numbered, underlined
from secateurs.segment.markup import Inner, add_markup
from secateurs.segment.prose import add_prose
from secateurs.segment.prose.records import add_records, records_end
from secateurs.segment.units import Builder, Kind

_LINK = r"!?\[[^\[\]\r\n]{0,300}\]\([^()\s]{0,500}(?:\([^()\s]{0,200}\)[^()\s]{0,200})?(?:\s+\"[^\"\r\n]{0,200}\")?\)"
_LINKS = re.compile(rf"[ \t]*+(?:{_LINK}[ \t]*+[|·•,，、/\\>-]?[ \t]*+)++\s*$")
_DEFINITION = re.compile(r" {0,3}\[[^\[\]\r\n]{1,300}\]:[ \t]*\S")
_INLINE_JSON = re.compile(r"[^{\[\r\n]{1,80}[:：=][ \t]*(?=[{\[])")
_TAGS = re.compile(r"\s*(?:</?[A-Za-z][\w.:-]*(?:\s(?:=>|[^<>])*+)?/?>\s*)++$")  # tags and nothing else
_OPENED = re.compile(r"[ \t]*<[A-Za-z][\w.]*\s*$")
_ATTRIBUTES = 40  # lines of a tag
_COLONS = re.compile(r"[ \t]*:{3,}[ \t]*(?:\{[^{}\n]*\}|[\w-]*(?:[ \t\[].{0,80})?)\s*$")  # :::note
_SHORTEST = 40  # characters of JSON behind something else on its line
_MAY = re.compile(
    r"[ \t]*[{\[<|]|[^A-Za-z\u3400-\u9fff]|[a-zA-Z][.)）、\]]|[一二三四五六七八九十]{1,3}、"
    r"|[^{\[]{0,80}[:：=][ \t]*[{\[]"
)
_LEVELS = {"=": 1, "-": 2}


@dataclass(frozen=True, slots=True)
class _Region:
    """Lines that are no prose.

    Attributes:
        kind: What they are, see `Paragraphs._enter`.
        end: One past the last line.
        at: Where its own text begins, in code points, behind a marker or what introduces JSON; a heading's level.
        mark: Its marker, where it is an item.
    """

    kind: str
    end: int
    at: int = 0
    mark: re.Match[str] | None = None


class Paragraphs:
    """Adds the units of a page's paragraphs.

    Args:
        page: The document.
        inner: Adds the units of a text inside an element of markup.
    """

    def __init__(self, page: Page, *, inner: Inner) -> None:
        self._page = page
        self._inner = inner
        self._dead: list[int] = []  # where no JSON begins, see json_end
        self._unprinted: list[int] = []  # where nothing begins that Python prints
        self._items = Items()
        self._item_end = -1  # the line after the last item
        self._terms: Frame = ()  # what a meaning explains that comes next
        self._terms_at = -1  # how many units there were behind them and the meanings so far

    def add(self, lo: int, hi: int, stop: int) -> int:
        """Add the units of a paragraph, and of what begins in it.

        Args:
            lo: Its first line.
            hi: One past its last.
            stop: No region may go on to that line.

        Returns:
            The line after the last one that was added.
        """
        start = k = lo
        self._page.skip(lo)
        self._items.clear()
        while k < hi:
            region = None if self._page.blank(k) else self._region(k, lo, hi, stop)
            if region is None:
                k += 1
                continue
            self._prose(start, k)
            self._enter(k, region)
            start = k = region.end
        self._prose(start, k)
        return k

    def html(self, lo: int, hi: int, stop: int) -> int:
        """Add the units of what CommonMark takes for HTML; arguments and result as of `add`."""
        end = self._page.markup_end(lo)
        if lo < end <= stop:
            self._enter(lo, _Region("markup", end))
            return end
        return self.add(lo, lo + 1, stop)

    def _prose(self, lo: int, hi: int) -> None:
        """Add what is left up to line `hi`; line `lo` is the first that is whole."""
        page, build = self._page, self._page.build
        if not build.text[build.at : page.starts[hi]].strip():
            return
        lines = page.lines[lo:hi]
        if len(lines) > 1 and build.at <= page.starts[lo] and is_code(lines) and not records_end(lines, 0):
            page.skip(lo)
            add_code(page, lo, hi, page.outline.frame)
        else:
            first = len(build)
            add_prose(build, page.starts[hi], page.outline.frame, page.language)
            page.bind(first)

    def _region(self, k: int, lo: int, hi: int, stop: int) -> _Region | None:
        """Return what begins at line `k` of the paragraph from `lo` to `hi`."""
        lines = self._page.lines
        line = lines[k]
        if k in self._page.headers:
            return _Region("header", k + 1)
        if k in (lo, self._item_end) and (end := terms_end(lines, k, hi, stop)) > k:
            return _Region("terms", end)
        if line.lstrip()[:1] in NUMERALS and (level := numbered(lines, k)):
            return _Region("heading", k + 1, level)
        region = self._marked(k, lo, hi, stop) if k == lo or _MAY.match(line) else None
        if region is None and k + 1 < hi and underlined(lines, k):
            return _Region("heading", k + 2, _LEVELS.get(lines[k + 1].strip()[0], 3))
        if region is None and (hi - k > 1 or line.lstrip()[:1] in ("[", "#")):
            region = self._lines(k, hi, stop)
        return region

    def _marked(self, k: int, lo: int, hi: int, stop: int) -> _Region | None:
        """Return what begins at line `k` as its first characters say."""
        lines, line = self._page.lines, self._page.lines[k]
        first = line.lstrip("\ufeff \t")[:1]
        if first in ("{", "["):
            region = self._json(k, stop, self._page.starts[k] + line.index(first))
        else:
            prefix = _INLINE_JSON.match(line)
            region = self._json(k, stop, self._page.starts[k] + prefix.end()) if prefix else None
        if region is None and first == "<":
            end = self._page.markup_end(k)
            region = _Region("markup", end) if k < end <= stop else self._lone_tag(k, hi)
        if first in ":$\\[" and region is None:
            region = self._noted(k, hi, stop, first)
        if region is None and first in ("[", "!") and (_DEFINITION.match(line) or _LINKS.match(line)):
            region = _Region("link", k + 1)
        if region is None and (first == "|" or k == 0):
            end = rows_end(lines, k, hi)
            region = _Region("rows", end) if end > k else None
        mark = marker(lines, k, fresh=k in (lo, self._item_end)) if region is None else None
        if mark is not None:
            at = self._page.starts[k] + mark.end()
            region = _Region("item", item_end(lines, k, hi), at, mark)
        return region

    def _noted(self, k: int, hi: int, stop: int, first: str) -> _Region | None:
        """Return the container's mark, the meaning, the note or the formula that begins at line `k`."""
        lines, start = self._page.lines, self._page.starts[k]
        if first == ":" and _COLONS.match(lines[k]):
            return _Region("mark", k + 1)
        if first == ":" and (mark := MEANING.match(lines[k])):
            return _Region("meaning", meaning_end(lines, k, hi, stop), start + mark.end())
        if first == "[" and (mark := NOTE.match(lines[k])):
            end = note_end(lines, k, hi, stop)
            return _Region("note", end, start + mark.end()) if end > k + 1 or len(lines[k]) > LONG else None
        end = formula_end(lines, k, stop)
        return _Region("formula", end) if end > k else None

    def _lone_tag(self, k: int, hi: int) -> _Region | None:
        """Return a tag that has lost its element; one of MDX may take several lines."""
        lines = self._page.lines
        end = k + 1
        if _OPENED.match(lines[k]):
            end = next((i + 1 for i in range(k, min(hi, k + _ATTRIBUTES)) if lines[i].rstrip().endswith(">")), end)
        return _Region("tag", end) if _TAGS.match("".join(lines[k:end])) else None

    def _json(self, k: int, stop: int, start: int) -> _Region | None:
        """Return the JSON that begins in line `k`, at `start`, if there is nothing but white space behind it."""
        page, text = self._page, self._page.build.text
        if not text[page.starts[k] : start].strip("\ufeff \t"):
            end = json_lines_end(page.lines, k)
            if k < end <= stop:
                return _Region("json lines", end, start)
        close, kind = json_end(text, start, self._dead), "json"
        if close is None and text[page.starts[k] : start].rstrip()[-1:] != "=":  # a program is no answer of a tool
            close, kind = json_end(text, start, self._unprinted, PYTHON), "json as Python prints it"
        if close is None:
            return None
        end = bisect_right(page.starts, close - 1)
        rich = "{" in text[start:close] or "," in text[start:close]  # [1] is a footnote
        behind = text[close : page.starts[end]].strip()
        short = text[page.starts[k] : start].strip() and close - start < _SHORTEST
        return _Region(kind, end, start) if rich and not behind and not short and end <= stop else None

    def _lines(self, k: int, hi: int, stop: int) -> _Region | None:
        """Return what begins at line `k` as several lines together show."""
        lines = self._page.lines
        for kind, find in (("table", table_end), ("yaml", yaml_end), ("ini", ini_end)):
            end = find(lines, k)
            if k < end <= stop:
                return _Region(kind, end)
        if hi < stop and lines[hi].strip():  # the next block is no paragraph; do records go on there?
            end = records_end(lines, k)
            if hi < end <= stop:
                return _Region("records", end)
        return None

    def _enter(self, k: int, region: _Region) -> None:
        """Add the units of a region that begins at line `k`."""
        page, frame = self._page, self._page.outline.frame
        if region.kind == "header":
            self._header(k)
        elif region.mark is not None:
            self._item(k, region, region.mark)
        elif region.kind.startswith("json"):
            self._add_json(k, region)
        else:
            page.skip(k)
            if region.kind == "markup":
                add_markup(page.build, page.starts[region.end], frame, page.language, inner=self._inner)
            elif region.kind == "heading":
                self._heading(region)
            elif region.kind == "rows":
                add_rows(page, k, region.end, frame, header=k > 0)
            elif region.kind == "mark":
                self._container(k)
            elif region.kind in ("terms", "meaning", "note"):
                self._note(k, region)
            elif region.kind in _LINES:
                self._line(k, region)
            else:
                _BLOCKS[region.kind](page.build, page.lines[k : region.end], frame)

    def _header(self, k: int) -> None:
        """Add the line of a header, or the mark at its beginning, and put it above what follows."""
        page, build, outline = self._page, self._page.build, self._page.outline
        role = page.headers[k].role
        end = page.starts[k] + page.headers[k].end
        page.skip(k)
        if role in ("numbered", "passage"):
            index = build.add(end, "heading" if role == "numbered" else "mark", outline.base)
            outline.source("numbered", (index,))
        elif role == "entry":
            page.add(k + 1, "item", outline.frame)
        elif role == "keyed":
            before = page.headers.get(k - 1)
            group = outline.sources.get("keyed", ()) if before is not None and before.role == "keyed" else ()
            index = build.add(end, "heading", (*outline.base, *outline.sources.get("numbered", ())))
            outline.source("keyed", (*group, index))
        elif role == "label":
            outline.source("keyed", (*outline.sources.get("keyed", ()), build.add(end, "mark", outline.frame)))
        else:
            outline.speaks(None)
            outline.speaks(build.add(end, "mark", outline.frame))

    def _add_json(self, k: int, region: _Region) -> None:
        page, build = self._page, self._page.build
        if build.text[build.at : region.at].strip("\ufeff \t\r\n"):
            add_prose(build, region.at, page.outline.frame, page.language)
        build.extend(region.at)
        if region.kind != "json lines":
            grammar = JSON if region.kind == "json" else PYTHON
            add_json(build, page.starts[region.end], page.outline.frame, page.language, grammar=grammar)
        else:
            lines = [build.text[region.at : page.starts[k + 1]], *page.lines[k + 1 : region.end]]
            add_json_lines(build, lines, page.outline.frame, page.language)

    def _line(self, k: int, region: _Region) -> None:
        """Add a line of links, one that defines a link, a lone tag, or a formula."""
        page = self._page
        label = defined(page.lines[k]) if region.kind == "link" else None
        frame = page.outline.base if region.kind == "tag" or label is not None else page.outline.frame
        index = page.add(region.end, _LINES[region.kind], frame)
        if label is not None:
            page.links.setdefault(label, index)

    def _container(self, k: int) -> None:
        """Add the first line of a container, or its last: what stands between needs both."""
        page, outline = self._page, self._page.outline
        if page.lines[k].strip(" \t\r\n:"):
            outline.enter(page.add(k + 1, "mark", (*outline.base, *outline.around[-1:])))
            return
        opener = outline.leave()
        closer = page.add(k + 1, "mark", (*outline.base, *opener))
        for index in opener:
            page.build.need(index, closer)

    def _note(self, k: int, region: _Region) -> None:
        """Add a note, or terms, or the meaning of the terms right above, which needs them."""
        page, frame = self._page, self._page.outline.frame
        if region.kind == "terms":
            self._terms = tuple(page.add(i + 1, "item", frame) for i in range(k, region.end))
        else:
            above = self._terms if self._terms_at == len(page.build) else ()
            frame = (*frame, *(index for index in above if index not in frame))
            add_item(page, region.at, page.starts[region.end], frame, numbered=False)
            self._item_end = region.end
        if region.kind == "note":
            self._terms = ()
        self._terms_at = len(page.build)

    def _heading(self, region: _Region) -> None:
        page = self._page
        above = page.outline.above(region.at)
        page.outline.heading(region.at, page.add(region.end, "heading", above))

    def _item(self, k: int, region: _Region, mark: re.Match[str]) -> None:
        """Add an item, which needs those that it is nested in."""
        page = self._page
        line = page.lines[k]
        indent = len(line) - len(line.lstrip())
        frame = (*page.outline.frame, *self._items.above(indent, mark))
        own = add_item(page, region.at, page.starts[region.end], frame, numbered=is_number(mark))
        self._items.add(indent, mark, own)
        self._item_end = region.end


_LINES: dict[str, Kind] = {"link": "record", "tag": "tag", "formula": "code"}
_BLOCKS: dict[str, Callable[[Builder, Sequence[str], Sequence[int]], None]] = {
    "table": add_table,
    "yaml": add_yaml,
    "ini": add_ini,
    "records": add_records,
}
