"""The tags of a text, and what stands beside them that nobody reads: comments, declarations, scripts.

The parser is the standard library's `html.parser`: it is maintained with Python, it tells where each tag begins, it
takes any names and any nonsense, and it is a tokenizer, so that nothing is moved or made up as in a tree of HTML 5
(`html5lib`, `justhtml`, `selectolax` and `lxml` build trees, which close `<link>` of a feed and know of elements, if
anything, a line; `tree-sitter-html` has positions, but takes quadratic time over `<!--<!--<!--`).

What differs between its releases, costs them the square of the length or makes them raise is blanked out before it
looks, each character by one other, so that offsets stay: comments, declarations, marked sections, scripts, fenced
code, and each `<` that begins no tag (`a < b`, `<https://…>`, `<ann@x.org>`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal

TagKind = Literal["open", "close", "empty", "aside"]
MARKED = "![cdata["  # the name of a CDATA section, which is read like an element

_RAW = "script|style|iframe|noembed|noframes"
_TAG = r"/?[^\W\d][\w.:-]*+(?=[\s/>])(?<!:)"  # what follows the < of a tag
_SPECIAL = re.compile(
    rf"(?P<comment><!--)|(?P<marked><!\[CDATA\[)|(?P<marked_end>\]\]>)|(?P<declaration><![A-Za-z\[])|(?P<pi><\?)"
    rf"|<(?P<raw>{_RAW})(?=[\s/>])|^[ \t]*(?P<fence>```|~~~)[^`\n]*$|(?P<span>`<[^`\n]{{0,200}}>`)"
    rf"|(?P<stray>(?:<(?!{_TAG}|[!?]))+|<(?=[!?]))",
    re.I | re.M,
)
_BEGINS = re.compile(rf"<(?:!--|![A-Za-z\[]|\?|{_TAG})")
_NAME = re.compile(r"[\w.:-]+")
_INITIAL = re.compile(r"(?<=<)[^\W\d]|(?<=</)[^\W\d]")
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)


@dataclass(eq=False, slots=True)
class Tag:
    """A tag, or an aside: a comment, a declaration, a script.

    Attributes:
        kind: Whether it opens, closes, does both (`<br/>`) or is an aside.
        start: First code point.
        end: One past the last.
        name: In lower case; empty for an aside.
        hides: Whether its attributes say that nobody sees the element.
        facts: Whether it has attributes.
        rows: How many rows of a table its cell spans.
    """

    kind: TagKind
    start: int
    end: int
    name: str = ""
    hides: bool = False
    facts: bool = False
    rows: int = 1


def find_tags(text: str, start: int, end: int) -> list[Tag]:
    """Find the tags of `text[start:end]`, in order and without overlap; linear, and it never raises.

    Example:
        >>> [(tag.kind, tag.start, tag.name) for tag in find_tags("<p>1 < 2<br/><!-- c --></p>", 0, 27)]
        [('open', 0, 'p'), ('empty', 8, 'br'), ('aside', 13, ''), ('close', 23, 'p')]
    """
    if text.find(">", start, end) < 0:
        return []
    blanks = _Blanks(text, start, end)
    last = blanks.text.rfind(">") + 1
    parser = _Parser(text, blanks.text, start)
    parser.feed(blanks.text[:last])
    parser.close()
    return sorted([*parser.found, *blanks.found], key=lambda tag: tag.start)


def begins_tag(text: str) -> bool:
    """Whether a text begins with a tag, a comment or a declaration, as far as its first characters tell."""
    return _BEGINS.match(text) is not None


class _Parser(HTMLParser):
    """Collects tags; what it is fed has one line, so that the column is the offset."""

    def __init__(self, text: str, blanked: str, start: int) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Tag] = []
        self._text = text
        self._blanked = blanked
        self._start = start

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an opening tag."""
        self._add("open", dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag that ends in `/>`."""
        self._add("empty", dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        """Take a closing tag."""
        self._add("close", {})

    def _add(self, kind: TagKind, attributes: dict[str, str | None]) -> None:
        at = self.getpos()[1]
        closing = self._blanked.find(">", at) + 1
        end = closing if kind == "close" else at + len(self.get_starttag_text() or "")
        at += self._start
        name = _NAME.match(self._text, at + (2 if kind == "close" else 1))
        if name is None or (self.found and self.found[-1].end > at):
            return  # a release that sees tags where this one sees none
        hides = bool(attributes) and _hides(attributes)
        rows = attributes.get("rowspan") or ""
        self.found.append(
            Tag(
                kind,
                at,
                end + self._start,
                name[0].lower(),
                hides,
                bool(attributes),
                min(int(rows), 1000) if rows.isascii() and rows.isdigit() and len(rows) < 9 else 1,
            )
        )


def _hides(attributes: dict[str, str | None]) -> bool:
    if "hidden" in attributes or (attributes.get("aria-hidden") or "").lower() == "true":
        return True
    return _HIDING.search(attributes.get("style") or "") is not None


class _Blanks:
    """A text with everything blanked out that is no tag and could be taken for one.

    Attributes:
        text: `text[start:end]`, as long as it was, without line breaks; all names begin with q: html.parser wants an
            ASCII letter there, and reads the content of elements with some names in another way.
        found: The asides, and the marks of CDATA sections as tags.
    """

    def __init__(self, text: str, start: int, end: int) -> None:
        self.found: list[Tag] = []
        self._whole = text
        self._end = end
        self._missing: set[str] = set()
        parts = []
        at = start
        while match := _SPECIAL.search(text, at, end):
            after = self._take(match)
            parts.append(text[at : match.start()])
            parts.append("." * (after - match.start()))
            at = after
        parts.append(text[at:end])
        self.text = _INITIAL.sub("q", re.sub(r"[\n\x00]", " ", "".join(parts)))

    def _take(self, match: re.Match[str]) -> int:
        """Take what stands at a match; return where it ends."""
        start, kind = match.start(), match.lastgroup
        if kind == "marked":
            if self._find("]]>", start) >= 0:
                self.found.append(Tag("open", start, match.end(), MARKED))
                return match.end()
            return start + 1
        if kind == "marked_end":
            self.found.append(Tag("close", start, match.end(), MARKED))
            return match.end()
        if kind == "fence":
            return self._fence(match)
        if kind in ("span", "stray"):
            return match.end()
        if kind == "raw":
            after = self._raw(match)
        elif kind == "comment":
            after = self._find("-->", start + 2)
        else:
            after = self._declaration(start)
        if after < 0:
            return start + 1
        self.found.append(Tag("aside", start, after))
        return after

    def _find(self, mark: str, at: int) -> int:
        """Return where the next mark ends, -1 if there is none; that is found out once."""
        if mark in self._missing:
            return -1
        found = self._whole.find(mark, at, self._end)
        if found < 0:
            self._missing.add(mark)
            return -1
        return found + len(mark)

    def _declaration(self, start: int) -> int:
        if self._whole.startswith("<?", start):
            after = self._find("?>", start)
            return after if after >= 0 else self._find(">", start)
        after = self._find(">", start)
        if self._whole[start : start + 9].lower() == "<!doctype" and self._whole.find("[", start, after) >= 0:
            return max(after, self._find("]>", start))
        return after

    def _raw(self, match: re.Match[str]) -> int:
        """A script ends at its closing tag, else with the text: a chunk was cut inside it."""
        opened = self._find(">", match.start())
        if opened < 0 or self._whole[opened - 2] == "/":
            return opened
        close = re.compile(rf"</{match['raw']}(?=[\s/>])", re.I).search(self._whole, opened, self._end)
        after = -1 if close is None else self._find(">", close.start())
        return after if after >= 0 else self._end

    def _fence(self, match: re.Match[str]) -> int:
        mark = "\n" + match["fence"]
        if mark in self._missing:
            return match.end()
        close = re.compile(rf"^[ \t]*{match['fence']}", re.M).search(self._whole, match.end(), self._end)
        if close is None:
            self._missing.add(mark)
            return match.end()
        return close.end()
