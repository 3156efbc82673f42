"""Units of HTML and XML: a sentence of an element each, the tags around it and the headings above it as frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from secateurs.segment.markup.cuts import Segment, segments
from secateurs.segment.markup.ends import Mode
from secateurs.segment.markup.flow import Flow
from secateurs.segment.markup.lead import Heading, Lead, Open, level_of, names_source
from secateurs.segment.markup.names import (
    CELLS,
    CODE,
    INLINE,
    LISTS,
    MARKDOWN,
    MARKDOWN_FENCE,
    SECTIONS,
    WRAPPERS,
)
from secateurs.segment.markup.shapes import cells, has_children, is_flat, is_header, is_record, row_parts
from secateurs.segment.markup.tables import Tables
from secateurs.segment.markup.tree import Element, Tree
from secateurs.segment.units import LONGEST, Builder, Kind

Inner = Callable[[Builder, int, Sequence[int], str | None], None]

_MOST = 8  # units that are needed side by side
_OWN = 240  # characters of a list item's text that all items inside it need; of more, its first unit


class Walk:
    """One walk over the tokens of a tree.

    Args:
        build: Where to add the units; its next one begins where the tree's text does.
        tree: The text's elements.
        frame: Units that all of them need.
        language: A language code; None detects it.
        inner: Adds the units of plain text inside an element, of more than one line, in which there are no tags.
    """

    def __init__(
        self, build: Builder, tree: Tree, frame: Sequence[int], language: str | None, *, inner: Inner | None
    ) -> None:
        self.build, self.tree, self.tokens = build, tree, tree.tokens
        self.frame = tuple(frame)
        self.language = language
        self.inner = inner
        self.lead = Lead()
        self.opens: list[Open] = []
        self.items: list[Open] = []
        self.tables = Tables(tree.tokens)
        self.code = 0  # how many elements are open in which white space counts
        self.headings = 0  # and how many headings
        self.read = 0
        self.single = sum(one.parent is None for one in tree.elements) == 1

    def run(self) -> None:
        """Add everything."""
        at = first = 0  # the token at hand, and the first one of the flow
        while at < len(self.tokens):
            token = self.tokens[at]
            one = token.element
            if self.opens and self.opens[-1].element.last < at:
                first = self._flow(first, at)
                self._leave_before(at)
            if one is not None and token.kind == "open" and one.gone and not self._is_cell(one):
                at = one.last + 1
            elif one is not None and one.block and token.kind in ("open", "close"):
                self._flow(first, at)
                at = first = self._open(at, one) if token.kind == "open" else self._shut(at, one)
            elif token.kind == "stray" and token.name not in INLINE:
                self._flow(first, at)
                self._tag(token.end, self._around())
                at = first = at + 1
            else:
                at += 1
        self._flow(first, at)
        self._leave_before(at)

    def _around(self) -> tuple[int, ...]:
        """Return what a tag or a text needs for being where it is: the opening tag around it."""
        return (self.opens[-1].unit,) if self.opens else self.frame

    def _is_cell(self, one: Element) -> bool:
        """Whether an element is a cell of a row that is cut; then it stays, even if it is empty."""
        return bool(self.opens) and self.opens[-1].cells is not None and one.name in CELLS and not one.hidden

    def _tag(self, end: int, frame: tuple[int, ...]) -> int:
        return self.build.add_whole(end, "tag", frame)

    def _text(self, end: int, kind: Kind, frame: tuple[int, ...]) -> int:
        if self.items:
            self.items[-1].length += end - self.build.at
        unit = self.build.add_whole(end, kind, (*frame, *self.lead.units()))
        if self.opens:
            self.opens[-1].own.append(unit)
        self.read += not self.headings
        return unit

    def _reach(self, at: int, end: int) -> tuple[int, int]:
        """Return where a tag ends with the void elements behind it, and the index of the token that follows."""
        index = at
        while index < len(self.tokens) and self.tokens[index].end - self.build.at <= LONGEST:
            token = self.tokens[index]
            if token.kind == "void":
                at, end = index + 1, token.end
            elif token.kind != "text" or not self.build.text[token.start : token.end].isspace():
                break
            index += 1
        return end, at

    # Elements: each of these returns the index of the token that follows.

    def _open(self, at: int, one: Element) -> int:
        """Add the opening tag of an element, or the whole of it."""
        if one.name == "tr" and is_flat(self.build.text, self.tokens, one):
            return self._row(one)
        if self._is_record(one):
            return self._record(one)
        end, after = self._reach(at + 1, one.inner)
        is_cell = self._is_cell(one)
        unit = self._tag(end, (*self._around(), *(self.tables.reaching() if one.name == "tr" else ())))
        if is_cell:
            self._cell(unit)
            self.tables.reach(self.opens[-1].unit, one.rows)
        self._enter(one, unit)
        return after

    def _shut(self, at: int, one: Element) -> int:
        """Add the closing tag of an element."""
        opened = self.opens[-1]
        end, after = self._reach(at + 1, one.end)
        unit = self._tag(end, (opened.unit,))
        self.build.need(opened.unit, unit)
        self._leave()
        if self._is_cell(one):
            self._cell(unit)
        return after

    def _record(self, one: Element) -> int:
        end, after = self._reach(one.last + 1, one.end)
        unit = self._text(end, "markup", self._around())
        if names_source(one):
            self._source(one.name, unit)
        return after

    def _row(self, one: Element) -> int:
        """Add a row as one unit, or as several that need each other where something hidden stands between."""
        lead = self.lead
        self.lead = replace(lead, header=self.tables.above(one))
        frame = (*self._around(), *self.tables.reaching())
        units: list[int] = []
        for end, hidden in row_parts(self.tokens, one):
            if hidden:
                self._tag(end, self._around())
            else:
                units.append(self._text(end, "row", frame if not units else (*frame, units[0])))
        if len(units) > 1:
            self.build.need(units[0], *units[1:])
        self.lead = lead
        self.tables.note(one, units[0])
        self.tables.reach(units[0], max((cell.rows for cell in cells(self.tokens, one)), default=1))
        return one.last + 1

    def _is_record(self, one: Element) -> bool:
        """Whether an element is one unit as a record; the root of a document is none, but for a leaf."""
        if self.single and one.parent is None and has_children(self.tokens, one):
            return False
        return is_record(self.build.text, self.tree, one, self.language)

    def _cell(self, unit: int) -> None:
        cells = self.opens[-1].cells
        if cells is not None:
            cells.append(unit)

    # What an element says about what stands in it, and behind it.

    def _enter(self, one: Element, unit: int) -> None:
        level = level_of(one)
        collects = level is not None or one.name in ("li", "dt", "caption", "tr") or names_source(one)
        own = [] if collects or not self.opens else self.opens[-1].own
        opened = Open(one, unit, self.lead, self.read, own, cells=[] if one.name == "tr" else None)
        if level is not None:
            self.headings += 1
            above = self.lead.heading
            while above is not None and above.level >= level:
                above = above.above
            self.lead = replace(self.lead, heading=above)
        elif one.name == "dt":
            self.lead = replace(self.lead, term=-1)
        elif one.name in LISTS and self.items and self.items[-1].own:
            item = self.items[-1]
            self.lead = replace(self.lead, items=tuple(item.own[: _MOST if item.length <= _OWN else 1]))
        elif one.name == "tr":
            self.lead = replace(self.lead, header=self.tables.above(one))
        elif one.name == "li":
            self.items.append(opened)
        elif one.name == "table":
            self.tables.enter()
        self.code += one.name in CODE
        self.opens.append(opened)

    def _leave_before(self, at: int) -> None:
        """Leave the elements that have ended before a token, without a closing tag."""
        while self.opens and self.opens[-1].element.last < at:
            self._leave()

    def _leave(self) -> None:
        """Leave the innermost element; what stood above it comes back, but headings in mere wrappers stay."""
        opened = self.opens.pop()
        one = opened.element
        heading = self.lead.heading
        if (one.name in SECTIONS or not one.known) and self.read > opened.read:
            heading = opened.lead.heading
        self.lead = replace(opened.lead, heading=heading)
        self.code -= one.name in CODE
        level = level_of(one)
        self.headings -= level is not None
        if one.name == "li":
            self.items.pop()
        elif one.name == "table":
            self.tables.leave()
        elif one.name == "tr":
            head = is_header(self.tokens, one)
            self.build.need(opened.unit, *(opened.cells or ()), *(opened.own if head else ()))
            if opened.own:
                self.tables.note(one, opened.own[0] if head else opened.unit)
        elif opened.own and (level is not None or one.name in ("dt", "caption") or names_source(one)):
            self._say(opened, level)

    def _say(self, opened: Open, level: int | None) -> None:
        """Note the text of an element that others need, all of it or nothing."""
        unit = opened.own[0]
        self.build.need(opened.unit, *opened.own)
        if level is not None:
            self.lead = replace(self.lead, heading=Heading(level, unit, self.lead.heading))
        elif opened.element.name == "dt":
            self.lead = replace(self.lead, term=unit)
        elif opened.element.name == "caption":
            self.tables.caption(unit)
        else:
            self._source(opened.element.name, unit)

    def _source(self, name: str, unit: int) -> None:
        """Take an element that names a source; one of several of a name is but a member of a list."""
        known = self.opens[-1].sources
        if name in known:
            self.lead = replace(self.lead, sources=tuple(one for one in self.lead.sources if one != known[name]))
        elif len(known) < _MOST:
            known[name] = unit
            self.lead = replace(self.lead, sources=(*self.lead.sources, unit)[-_MOST:])

    # Text

    def _flow(self, first: int, last: int) -> int:
        """Add what stands between two tags of blocks; return the index of the token that follows."""
        text = self.build.text
        if all(token.kind == "text" and text[token.start : token.end].isspace() for token in self.tokens[first:last]):
            return last
        flow = Flow(text, self.tree, first, last)
        mode = self._mode(flow)
        if mode == "lines" and self.inner is not None and self._is_text(flow):
            self.inner(self.build, flow.end, (*self._around(), *self.lead.units()), self.language)
            self.read += not self.headings
        else:
            self._segments(segments(flow, mode, self.language))
        return last

    def _mode(self, flow: Flow) -> Mode:
        if self.code:
            return "code"
        if self.headings:
            return "whole"
        name = self.opens[-1].element.name if self.opens else ""
        if not self.opens or not self.opens[-1].element.known:
            return "lines"
        if name not in WRAPPERS or "\n\n" not in flow.plain.strip():
            return "sentences"
        marked = not self.tree.page or MARKDOWN.search(self.build.text, flow.start, flow.end)
        return "lines" if marked else "sentences"

    def _is_text(self, flow: Flow) -> bool:
        """Whether a flow is a text of its own: of several lines without a tag, or Markdown with a fence."""
        if "\n" not in flow.plain.strip():
            return False
        return flow.plainly or MARKDOWN_FENCE.search(self.build.text, flow.start, flow.end) is not None

    def _segments(self, parts: Sequence[Segment]) -> None:
        kind: Kind = "code" if self.code else "heading" if self.headings else "markup"
        frames = [self._around()]
        last, sentence = -1, -1  # the last text, and whose it was
        for part in parts:
            if part.role == "text":
                unit = self._text(part.end, kind, frames[-1])
                if part.sentence == sentence:
                    self.build.need(unit, last)
                    self.build.need(last, unit)
                last, sentence = unit, part.sentence
            elif part.role == "open":
                frames.append((self._tag(part.end, frames[-1]),))
            elif part.role == "hidden":
                self._tag(part.end, frames[-1])
            else:
                frame = frames.pop()
                if part.end > self.build.at:
                    self.build.need(frame[0], self._tag(part.end, frame))
