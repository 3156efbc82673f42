"""The elements of a text: which tag closes which, what is a block, what stands in a line, what nobody sees.

Nothing is moved or made up: an element is a span of the text with the tags that are really there. Where a name is
closed as often as it is opened, its tags are taken at their word, so XML is XML whatever its names mean in HTML;
where it is not, HTML's rules for omitted end tags and void elements hold. A closing tag that closes nothing is
*stray*; an element that is never closed ends with its parent. Both are usual at the edges of a chunk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from secateurs.segment.markup.names import (
    BLOCKS,
    CLOSES_P,
    IN_HEAD,
    INLINE,
    MARKS,
    OMITTED,
    OPTIONAL,
    P_WITHIN,
    PAGE,
    UNSEEN,
    VOID,
)
from secateurs.segment.markup.tags import MARKED, Tag, find_tags
from secateurs.segment.markup.tree import Element, Token, TokenKind, Tree

_FACT = 400  # characters of an element that says something by its attributes alone


def parse(text: str, start: int, end: int) -> Tree:
    """Find the elements of `text[start:end]`; linear, without recursion, and it never raises."""
    tree = _Grower(text, start, end).grow()
    _settle(text, tree)
    return tree


class _Grower:
    """Reads tags from left to right and keeps the open elements on a stack."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.start, self.end = text, start, end
        self.tags = find_tags(text, start, end)
        opened = Counter(tag.name for tag in self.tags if tag.kind == "open")
        closed = Counter(tag.name for tag in self.tags if tag.kind == "close")
        self.closed = frozenset(closed)
        self.lax = {name for name in opened if closed[name] < opened[name]}
        names = _names_outside(self.tags)
        self.page = not PAGE.isdisjoint(names)
        self.tree = Tree([], self.page, xml=bool(names) and not (names[0] in BLOCKS or names[0] in INLINE))
        self.stack: list[Element] = []
        self.levels: dict[str, list[int]] = {}  # where on the stack a name stands
        self.blocks: list[int] = []  # and where a known block does
        self.loose: dict[str, Element] = {}  # inline elements that another one's closing tag has closed

    def grow(self) -> Tree:
        at = self.start
        for tag in self.tags:
            self._text(at, tag.start)
            if tag.kind == "aside":
                self._token("aside", tag)
            elif tag.kind == "close":
                self._close(tag)
            elif tag.kind == "empty" or (tag.name in VOID and tag.name in self.lax):
                self._void(tag)
            elif self._placeholder(tag):
                self._token("void", tag)
            else:
                self._open(tag)
            at = tag.end
        self._text(at, self.end)
        self._pop(0, self.end)
        self.tree.glued = _united(self.tree.glued)
        return self.tree

    def _text(self, start: int, end: int) -> None:
        if start >= end:
            return
        around = self.stack[-1] if self.stack else None
        self.tree.tokens.append(Token("text", start, end, around))
        if around is not None and not around.words and not self.text[start:end].isspace():
            around.words = True

    def _token(self, kind: TokenKind, tag: Tag) -> None:
        around = self.stack[-1] if self.stack else None
        self.tree.tokens.append(Token(kind, tag.start, tag.end, around, tag.name))

    def _void(self, tag: Tag) -> None:
        if tag.name in IN_HEAD and self.page:
            self._token("aside", tag)
        elif tag.facts and self._telling(tag.name) and tag.end - tag.start <= _FACT:
            self._token("leaf", tag)
            if self.stack:
                self.stack[-1].words = True
        else:
            self._token("void", tag)

    def _telling(self, name: str) -> bool:
        """Whether an element of that name says something by its attributes: in XML, and components of MDX."""
        if name in VOID:
            return not self.page and name not in MARKS
        return not (name in BLOCKS or name in INLINE or (self.page and "-" in name))

    def _placeholder(self, tag: Tag) -> bool:
        """Whether a tag is none: `use <version> here`, with nothing that closes it."""
        if tag.name in self.closed or tag.name in BLOCKS or tag.name in INLINE or not self.tree.tokens:
            return False
        before = self.tree.tokens[-1]
        return before.kind == "text" and bool(_last_line(self.text, before).strip())

    def _open(self, tag: Tag) -> None:
        if tag.name not in INLINE:
            self._omitted(tag)
            self.loose.clear()
        around = self.stack[-1] if self.stack else None
        one = Element(tag.name, tag.start, tag.end, around, len(self.tree.tokens), facts=tag.facts, rows=tag.rows)
        one.hidden = (tag.hides and one.known) or tag.name in UNSEEN
        if around is not None and around.name == "head" and tag.name != "title":
            one.hidden = True
        self.tree.tags += 1
        self.tree.tokens.append(Token("open", tag.start, tag.end, one, tag.name))
        self.tree.elements.append(one)
        self.levels.setdefault(tag.name, []).append(len(self.stack))
        if tag.name in BLOCKS or tag.name == MARKED:
            self.blocks.append(len(self.stack))
        self.stack.append(one)

    def _omitted(self, tag: Tag) -> None:
        """Close what an opening tag closes in HTML, where end tags were left out."""
        rules = [OMITTED[tag.name]] if tag.name in OMITTED else []
        if tag.name in CLOSES_P:
            rules.append((frozenset(["p"]), P_WITHIN))
        for closed, within in rules:
            barrier = self._highest((*within, MARKED))
            tops = [self._highest((name,)) for name in closed & self.lax]
            level = min((top for top in tops if top > barrier), default=-1)
            if level >= 0:
                self._pop(level, tag.start)

    def _highest(self, names: Iterable[str]) -> int:
        """Return the level of the innermost open element of one of these names, -1 without one."""
        return max((self.levels[name][-1] for name in names if self.levels.get(name)), default=-1)

    def _close(self, tag: Tag) -> None:
        self.tree.tags += 1
        level = self._highest((tag.name,))
        barrier = self._highest((MARKED,)) if tag.name != MARKED else -1
        if tag.name in INLINE and self.blocks:
            barrier = max(barrier, self.blocks[-1])
        if level < 0 or level < barrier:
            self._stray(tag)
            return
        one = self.stack[level]
        crossed = [other.name for other in self.stack[level + 1 :] if other.name in INLINE]
        self._pop(level, tag.start, closed=True)
        if tag.name in INLINE:
            self.loose.update((name, one) for name in crossed)
        else:
            self.loose.clear()
        one.end, one.last = tag.end, len(self.tree.tokens)
        self.tree.tokens.append(Token("close", tag.start, tag.end, one, tag.name))

    def _stray(self, tag: Tag) -> None:
        crossed = self.loose.pop(tag.name, None)
        if tag.name == "br":  # `</br>` is a line break to all browsers
            self._token("void", tag)
            return
        if crossed is not None:
            self.tree.glued.append((crossed.start, tag.end))
        elif self.stack:
            self.tree.faults += 1
        self._token("stray", tag)

    def _pop(self, level: int, at: int, *, closed: bool = False) -> None:
        """End the elements from a level of the stack upwards; `closed` if the lowest has a tag there."""
        while len(self.stack) > level:
            one = self.stack.pop()
            self.levels[one.name].pop()
            if self.blocks and self.blocks[-1] == len(self.stack):
                self.blocks.pop()
            one.close = one.end = at
            one.last = len(self.tree.tokens) - 1
            if not (one.words or one.hidden) and one.facts and self._telling(one.name) and at - one.start <= _FACT:
                one.words = True
            if one.parent is not None and one.words and not one.hidden:
                one.parent.words = True
            if at < self.end and one.name not in OPTIONAL and not (closed and len(self.stack) == level):
                self.tree.faults += 1


def _names_outside(tags: Iterable[Tag]) -> list[str]:
    """Return the names of the opening tags that stand in no CDATA section."""
    names = []
    inside = False
    for tag in tags:
        if tag.name == MARKED:
            inside = tag.kind == "open"
        elif tag.kind == "open" and not inside:
            names.append(tag.name)
    return names


def _united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def _settle(text: str, tree: Tree) -> None:
    """Say which elements are blocks: by their names, else by what stands beside them; what holds a block is one."""
    uses: Counter[str] = Counter()
    mixed: Counter[str] = Counter()
    for one in tree.elements:
        if one.name in INLINE:
            one.block = False
        elif one.name not in BLOCKS and one.name != MARKED:
            uses[one.name] += 1
            mixed[one.name] += _in_line(text, tree.tokens, one)
    for one in tree.elements:
        if 2 * mixed[one.name] >= uses[one.name] > 0:
            one.block = False
    for one in tree.elements:
        around = one.parent if one.block and one.words and not one.hidden else None
        while around is not None and not around.block:
            around.block = True
            around = around.parent


def _in_line(text: str, tokens: Sequence[Token], one: Element) -> bool:
    """Whether text stands directly before or behind an element, on the same line."""
    before = tokens[one.first - 1] if one.first else None
    if before is not None and before.kind == "text" and _last_line(text, before).strip():
        return True
    after = tokens[one.last + 1] if one.last + 1 < len(tokens) else None
    if after is None or after.kind != "text":
        return False
    stop = text.find("\n", after.start, after.end)
    return bool(text[after.start : after.end if stop < 0 else stop].strip())


def _last_line(text: str, token: Token) -> str:
    return text[max(token.start, text.rfind("\n", token.start, token.end) + 1) : token.end]
