"""The blocks of Markdown, as markdown-it's block rules see them, one at a time and with the lines they take.

Only block rules run, so nothing of a text's inline marks costs time. What begins afresh below an item or a quote is
no part of it (see `_afresh`). Two more rules of ours are for hostile input: lists and quotes that are very long are
read in slices, and a line that goes on without its mark (lazily) in a deep nest of quotes ends the nest after a few
such lines, because each level would read it anew.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it import rules_block as rules
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

DEEPEST = 64  # levels of nesting; what is nested deeper stays text of the level above
_SLICE = 2_000  # lines of a list or a quote that are read at once
_LAZY = 4  # lines without a mark that a nest of quotes takes

# What may begin a block that is no paragraph; a text without a line of that kind needs no parser.
BEGINS = re.compile(r"^[ \t]*+(?:[#>*+\-|:=_<`~]|\d{1,9}[.)])|^(?: {4}| {0,3}\t)", re.MULTILINE)
_CONTAINER = re.compile(r" {0,3}(?:>|[-*+](?=\s)|\d{1,9}[.)](?=\s))")
_NEST = re.compile(r"(?>(?:[ \t]*(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t])))+)")
_DEEP = 4
_NUMBER = re.compile(r" {0,3}(?!1[.)])\d{1,9}[.)]\s")
_PAUSE = re.compile(r"[.!?。！？；…][\"'”’»」』)）\]】》*_`]*\s*$")

# What may underline a heading; without any such line the rule that looks for them is not asked, line by line.
_UNDERLINE = re.compile(r"^[ \t>]*+(?:=++|-++)[ \t]*+$", re.MULTILINE)
_RULED = re.compile(r"([*\-_])(?:[ \t]*+\1){2}")  # what a thematic break begins with

_Rule = Callable[[StateBlock, int, int, bool], bool]


def _hr(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Ask the rule for thematic breaks where a line begins like one: each line of a list begins with its mark."""
    begins = _RULED.match(state.src, state.bMarks[line] + state.tShift[line])
    return begins is not None and rules.hr(state, line, end, silent)


# What a block begins with, by the rule that reads it, and what else it ends (markdown-it's own table). A rule that
# cannot match is then not asked, which is half the time of a list.
_INTERRUPTS = ["paragraph", "reference", "blockquote"]
_FIRST: dict[str, tuple[_Rule, str, list[str]]] = {
    "fence": (rules.fence, "`~", [*_INTERRUPTS, "list"]),
    "blockquote": (rules.blockquote, ">", [*_INTERRUPTS, "list"]),
    "hr": (_hr, "*-_", [*_INTERRUPTS, "list"]),
    "list": (rules.list_block, "*+-0123456789", _INTERRUPTS),
    "html_block": (rules.html_block, "<", _INTERRUPTS),
    "heading": (rules.heading, "#", _INTERRUPTS),
}


def _parser(*, code: bool, underlined: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": DEEPEST}).enable("table")
    parser.disable(["reference"] if code else ["reference", "code"])
    if not underlined:
        parser.disable("lheading")
    for name, (rule, first, ends) in _FIRST.items():
        parser.block.ruler.at(name, _gated(rule, first), {"alt": ends})
    return parser


def _gated(rule: _Rule, first: str) -> _Rule:
    """Return a rule that is asked only about lines that begin with one of some characters."""

    def gated(state: StateBlock, line: int, end: int, silent: bool) -> bool:
        return state.src[state.bMarks[line] + state.tShift[line]] in first and rule(state, line, end, silent)

    return gated


_PARSERS = {
    (code, underlined): _parser(code=code, underlined=underlined)
    for code in (True, False)
    for underlined in (True, False)
}
_CELLS = frozenset(("th_open", "th_close", "td_open", "td_close"))


class _Token(Token):
    """A token that shares what block rules leave empty: a list of a megabyte has a million tokens."""

    __slots__ = ()

    def __init__(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> None:
        self.type, self.tag, self.nesting = ttype, tag, nesting
        self.map = self.children = None
        self.content = self.markup = self.info = ""
        self.block, self.hidden, self.level = True, False, 0
        self.attrs = self.meta = _NOTHING


_NOTHING: dict[str, str | int | float] = {}


class _State(StateBlock):
    """The state of the block rules; cells of tables leave no tokens."""

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        token = _Token(ttype, tag, nesting)
        if nesting < 0:
            self.level -= 1
        token.level = self.level
        if nesting > 0:
            self.level += 1
        if ttype not in _CELLS and not (ttype == "inline" and self.tokens[-1].type != "paragraph_open"):
            self.tokens.append(token)
        return token


class Parser:
    """Reads the block that begins at a line.

    Args:
        lines: Of the document, with their line breaks.
        code: Whether lines indented by four columns are code; else they are read as if they were not indented.

    Attributes:
        end: The line after the block that was read last.
    """

    def __init__(self, lines: Sequence[str], *, code: bool = True) -> None:
        self._source = "".join(line.rstrip("\r\n") + "\n" for line in lines).removeprefix("\ufeff")
        self._parser = _PARSERS[code, _UNDERLINE.search(self._source) is not None]
        self._state = _State(self._source, self._parser, {}, [])
        self._rules = self._parser.block.ruler.getRules("")
        self._lines = lines
        self._stops = sorted({*_stops(lines), *_afresh(lines)})
        self.end = 0

    def block(self, i: int, stop: int) -> list[Token]:
        """Return the tokens of the block that begins at line `i`, which is not blank, and ends before line `stop`."""
        if self._stops and _CONTAINER.match(self._lines[i]):
            where = bisect_right(self._stops, i)
            stop = self._stops[where] if where < len(self._stops) and self._stops[where] < stop else stop
        try:
            return self._read(self._rules, i, stop)
        except RecursionError:  # a caller who stands deep himself; the state is as the rules have left it
            self._state = _State(self._source, self._parser, {}, [])
            return self._read(self._rules[-1:], i, i + 1)

    def _read(self, asked: Sequence[_Rule], i: int, stop: int) -> list[Token]:
        state = self._state
        state.tokens = []
        state.line, state.lineMax = i, stop
        any(rule(state, i, stop, False) for rule in asked)
        self.end = state.line
        return state.tokens


def _afresh(lines: Sequence[str]) -> Iterator[int]:
    """Yield the lines that begin afresh: flush left, below a line that ends a sentence, and with no small letter.

    Below an item or a quote CommonMark takes them for a part of it, as writers of plain text never mean. But where
    the numbers of a list go on further below, only that keeps them items. The mark of a container (`:::`) begins
    afresh as well.
    """
    numbered = False  # whether a number follows before the next blank line
    for i in range(len(lines) - 1, 0, -1):
        line = lines[i]
        if line.isspace():
            numbered = False
        elif _NUMBER.match(line):
            numbered = True
        elif line.startswith(":::") or (not numbered and _begins_afresh(lines[i - 1], line)):
            yield i


def _begins_afresh(before: str, line: str) -> bool:
    if line[0].isspace() or line[0].islower() or BEGINS.match(line):
        return False
    return _PAUSE.search(before[-20:]) is not None


def _stops(lines: Sequence[str]) -> Iterator[int]:
    """Yield the lines at which a list or a quote that is still open is cut, to be read on from there."""
    if len(lines) <= _SLICE and not any(line.count(">") >= _DEEP for line in lines):
        return
    last = depth = lazy = 0  # depth: quotes that the paragraph before this line stands in
    for i, line in enumerate(lines):
        nest = _NEST.match(line)
        level = nest.group().count(">") if nest else 0
        if level >= depth or not line[nest.end() if nest else 0 :].strip():
            depth, lazy = level, 0
        elif depth >= _DEEP:
            lazy += 1
        if lazy > _LAZY or (nest and i - last >= _SLICE and not line[0].isspace()):
            depth, lazy, last = level, 0, i
            yield i
