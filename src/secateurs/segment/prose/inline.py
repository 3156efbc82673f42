"""What a sentence of prose holds and no cut may tear: links, code, formulas, tags, emphasis, quotations, brackets.

Two kinds. *Whole* spans are not cut inside: emphasis, links, short quotations and brackets. *Dead* spans are whole,
and no mark inside them ends a sentence either: inline code, addresses, formulas, tags.

Time is linear in the length of the text: a pattern ends at the next mark of its kind, pairs are found with stacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from secateurs.result.span import Span

DENSE = r"[\u3040-\u9fff\uf900-\ufaff]"
SHORT = re.compile(  # quotations and brackets so short that they stay whole
    r"\([^()]{1,200}\)|（[^（）]{1,100}）|\[[^\[\]]{1,200}\]|【[^【】]{1,100}】|《[^《》]{1,100}》"
    r"|“[^“”]{1,80}”|「[^「」]{1,40}」|『[^『』]{1,40}』|«[^«»]{1,80}»"
    r"|(?<![^\s(\[—–-])\"(?=\S)[^\"]{1,80}(?<=\S)\""
)
_TICKS = re.compile(r"`+(?!(?<=[A-Za-z]`)[a-z])")  # but no apostrophe
_ADDRESS = re.compile(
    r"(?:\b[A-Za-z][A-Za-z0-9+.-]{1,15}://|(?<![\w@])www\.)"
    r"[^\s<>\"`“”‘’（）【】《》「」，。、；：！？\u3040-\u9fff]{1,2000}"
)
_AFTER_ADDRESS = ".,;:!?'*_~)]}|"
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][\w.:-]{0,40})[^<>]{0,1000}>|<!--[^<]{0,1000}?-->")
_ELEMENTS = frozenset(  # of HTML inside a sentence; others stand around sentences
    (
        "a abbr b bdi bdo big button cite code data del dfn em font i ins kbd label mark math q rp rt ruby s samp"
        + " small span strike strong sub summary sup svg time tt u var"
    ).split()
)
_FORMULA = re.compile(
    r"\$\$[^$]{1,1000}\$\$"
    r"|(?<![\\A-Za-z0-9$])\$(?!\d[^$\n\\^_{}=]{0,200}\$)[^\s$](?:[^$\n]{0,200}?[^\s$\\])?\$(?![A-Za-z0-9$])"
    r"|\\\((?:[^\\\n]|\\[^()\n]){1,300}\\\)|\\\[(?:[^\\]|\\[^\[\]]){1,600}\\\]"
)
_BRACKET = re.compile(r"\\.|[\[\]]", re.DOTALL)
_TARGET = re.compile(
    r"\(\s{0,9}<?[^\s()<>]{0,2000}(?:\([^\s()]{0,200}\)[^\s()<>]{0,2000}){0,3}>?"
    r"(?:\s{1,9}(?:\"[^\"]{0,300}\"|'[^']{0,300}'))?\s{0,9}\)"
    r"|\[[^\[\]]{0,200}\]"
)
_EMPHASIS = re.compile(r"\\.|\*+|_+|~~", re.DOTALL)


@dataclass(frozen=True)
class Inline:
    """The spans of one piece of prose that stay whole, in its own code points.

    Attributes:
        whole: All of them, ascending and apart from each other.
        dead: Those of code, addresses, formulas and tags alone, likewise.
        sure: Those that are hardly there by chance: the dead, links, elements, short **strong emphasis**.
        links: Where a link ends, by where the `]` behind its text stands.
    """

    whole: list[Span]
    dead: list[Span]
    sure: list[Span]
    links: dict[int, int]


def inline(piece: str) -> Inline:
    """Find the spans of a piece of prose that stay whole."""
    dead = merge(_dead(piece))
    links = _links(piece, dead) if "[" in piece else {}
    sure = [*dead, *(Span(start, end) for start, end in links.values())]
    if "<" in piece:
        sure += _elements(piece)
    found = [Span(*match.span()) for match in SHORT.finditer(piece)]
    if "*" in piece or "_" in piece or "~~" in piece:
        emphasis = list(_emphasis(piece, dead))
        sure += (
            span
            for span in emphasis
            if piece[span.start : span.start + 2] in ("**", "__") and span.end - span.start < 300
        )
        found += emphasis
    found += sure
    return Inline(merge(found), dead, merge(sure), {at: end for at, (_, end) in links.items()})


NOTHING = Inline([], [], [], {})


def merge(spans: Iterable[Span]) -> list[Span]:
    """Sort spans and make one of those that overlap."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


class Walk:
    """Answers, for ascending positions, which of some ascending spans a position lies in; in constant time each."""

    def __init__(self, spans: list[Span]) -> None:
        self._spans = spans
        self._which = 0

    def holding(self, at: int) -> Span | None:
        """Return the span that has `at` strictly inside, if any; positions must not descend."""
        spans = self._spans
        while self._which < len(spans) and spans[self._which].end <= at:
            self._which += 1
        if self._which < len(spans) and spans[self._which].start < at:
            return spans[self._which]
        return None


def _dead(piece: str) -> Iterator[Span]:
    """Yield the spans of code, addresses, formulas and tags."""
    if "`" in piece:
        yield from _code(piece)
    if "://" in piece or "www." in piece:
        for match in _ADDRESS.finditer(piece):
            end = match.end()
            while piece[end - 1] in _AFTER_ADDRESS:
                end -= 1
            yield Span(match.start(), max(end, match.start() + 1))
    if "$" in piece or "\\" in piece:
        for match in _FORMULA.finditer(piece):
            yield Span(*match.span())
    if "<" in piece:
        for match in _TAG.finditer(piece):
            yield Span(*match.span())


def _code(piece: str) -> Iterator[Span]:
    """Yield the spans between runs of as many backticks; it`s and ``quoted'' are none."""
    runs = list(_TICKS.finditer(piece))
    partner: list[int] = [0] * len(runs)
    seen: dict[int, int] = {}
    for number in range(len(runs) - 1, -1, -1):
        length = runs[number].end() - runs[number].start()
        partner[number] = seen.get(length, -1)
        seen[length] = number
    number = 0
    while number < len(runs):
        other = partner[number]
        start, end = runs[number].end(), runs[other].start()
        if other < 0 or _is_quoted(piece, start, end, start - runs[number].start()):
            number += 1
        else:
            yield Span(runs[number].start(), runs[other].end())
            number = other + 1


def _is_quoted(piece: str, start: int, end: int, ticks: int) -> bool:
    """Tell whether what stands between backticks begins with a quotation of TeX, ``like this'' or ` like this '."""
    close = "''" if ticks == 2 else " '"
    return (ticks == 2 or (ticks == 1 and piece[start].isspace())) and piece.find(close, start, end) >= 0


def _links(piece: str, dead: list[Span]) -> dict[int, tuple[int, int]]:
    """Find the links, `[text](target)` and `[text][name]`: their spans, by where the `]` behind the text stands."""
    found: dict[int, tuple[int, int]] = {}
    opened: list[int] = []
    walk = Walk(dead)
    done = 0
    for match in _BRACKET.finditer(piece):
        at = match.start()
        if at < done or len(match[0]) > 1 or walk.holding(at + 1):
            continue
        if match[0] == "[":
            opened.append(at)
        elif opened:
            start = opened.pop()
            target = _TARGET.match(piece, at + 1)
            if target:
                done = target.end()
                found[at] = (start - (piece[start - 1 : start] == "!"), done)
    return found


def _elements(piece: str) -> Iterator[Span]:
    """Yield the spans of the HTML elements that stand inside sentences: `<b>…</b>`."""
    opened: list[tuple[str, int]] = []
    open_now: dict[str, int] = {}
    for match in _TAG.finditer(piece):
        name = (match["name"] or "").lower()
        if name not in _ELEMENTS or match[0].endswith("/>"):
            continue
        if not match["close"]:
            opened.append((name, match.start()))
            open_now[name] = open_now.get(name, 0) + 1
        elif open_now.get(name):
            while opened:
                other, start = opened.pop()
                open_now[other] -= 1
                if other == name:
                    yield Span(start, match.end())
                    break


def _emphasis(piece: str, dead: list[Span]) -> Iterator[Span]:
    """Yield the spans between equal marks of emphasis, the first before a word and the second behind one."""
    opened: dict[str, list[int]] = {}
    walk = Walk(dead)
    for match in _EMPHASIS.finditer(piece):
        mark, (start, end) = match[0], match.span()
        if mark[0] == "\\" or end - start > 3 or walk.holding(start + 1):
            continue
        before, after = piece[start - 1 : start] or " ", piece[end : end + 1] or " "
        inner = before.isalnum() and after.isalnum()
        if inner and (mark[0] == "_" or mark == "***" or (before.isdigit() and after.isdigit())):
            continue  # snake_case, J***n, 2*3
        dense = before > "\u2fff" or after > "\u2fff"  # there the rules of Markdown, made for spaced words, fail
        closes = not before.isspace() and (before.isalnum() or not after.isalnum() or dense)
        if closes and opened.get(mark):
            first = opened[mark].pop()
            yield Span(first, end)
            for others in opened.values():  # what was opened in between stays open for ever
                while others and others[-1] > first:
                    others.pop()
        elif not after.isspace() and (after.isalnum() or not before.isalnum() or dense):
            opened.setdefault(mark, []).append(start)
