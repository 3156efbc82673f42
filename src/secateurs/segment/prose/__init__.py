"""The sentences of prose: of paragraphs, of runs inside markup and JSON, and of a whole text with its blocks.

Three steps:

1. *Lines.* A line break inside a paragraph is white space where the text looks hard-wrapped and an end otherwise (see
   `secateurs.segment.prose.lines`); records are lines (see `secateurs.segment.prose.records`).
2. *Sentences.* `sentencex` proposes; a few rules of ours dispose (see `secateurs.segment.prose.sentences`).
3. *Length.* A sentence of more than `LONGEST` characters is cut at its white space.

A sentence without a letter or a digit (`---`, `!!!`) joins the one before it. Time is linear in the length of
the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from secateurs.result.span import Span
from secateurs.segment.blocks import block_end, paragraph_end
from secateurs.segment.prose.inline import Walk, inline
from secateurs.segment.prose.languages import detect_language, language_of
from secateurs.segment.prose.lines import goes_on, is_wrapped, runs
from secateurs.segment.prose.records import add_records, records_end
from secateurs.segment.prose.sentences import MARK, WORD, ends
from secateurs.segment.units import Builder, Kind, pieces

__all__ = ["add_prose", "cuts", "detect_language", "offsets", "sentence_ends", "tile"]

Finer = Callable[[str, int, int], Iterable[int]]

_QUOTED = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)  # the marks of a block quote: indentation


def add_prose(build: Builder, end: int, frame: Sequence[int], language: str | None, kind: Kind = "prose") -> None:
    """Add the sentences of a paragraph, from `build.at` on.

    Args:
        build: Where to.
        end: Where the paragraph ends. It has no blank lines; its lines may be wrapped, and begin with the marks of a
            block quote, which belong to the sentence that begins there, as indentation does.
        frame: Indices of what each sentence needs.
        language: A language code; None detects it.
        kind: What the sentences are; records among `prose` are records.
    """
    piece = build.text[build.at : end]
    plain = _QUOTED.sub(lambda match: " " * len(match[0]), piece) if ">" in piece else piece
    at = build.at
    if not MARK.search(plain) and len(plain.splitlines()) == 1:  # nothing to join or to cut: short texts are frequent
        _add(build, end, frame, kind)
        return
    code = language or language_of(plain)
    for lines, look in _regions(plain.splitlines(keepends=True), records=kind == "prose" and plain == piece):
        if look == "records":
            add_records(build, lines, frame)
            at += sum(map(len, lines))
            continue
        for run in runs(lines, wrapped=look == "wrapped"):
            for cut in chain(ends(run, code), (len(run),)):
                _add(build, at + cut, frame, kind)
            at += len(run)


def _regions(lines: list[str], *, records: bool) -> Iterator[tuple[list[str], str]]:
    """Part the lines of a paragraph into records, wrapped lines and others, and say which; a blank line parts too."""
    start = 0
    while start < len(lines):
        end = start + 1
        while end < len(lines) and not _parts(lines, start, end):
            end += 1
        yield from _parted(lines[start:end], records=records)
        start = end


def _parts(lines: list[str], start: int, end: int) -> bool:
    """Tell whether a new paragraph begins at line `end`: behind a blank line, unless the sentence goes on."""
    if lines[end - 1].strip() or not lines[end].strip():
        return False
    before = next((line for line in reversed(lines[max(start, end - 4) : end]) if line.strip()), "")
    return before != "" and not goes_on(before, lines[end])


def _parted(lines: list[str], *, records: bool) -> Iterator[tuple[list[str], str]]:
    wrapped = len(lines) == 1 or is_wrapped(lines)
    if wrapped or not records:
        yield lines, "wrapped" if wrapped else "lines"
        return
    start = i = 0
    while i < len(lines):
        j = records_end(lines, i)
        if j > i:
            if start < i:
                yield lines[start:i], "lines"
            yield lines[i:j], "records"
            start = i = j
        else:
            i += 1
    if start < len(lines):
        yield lines[start:], "lines"


def _add(build: Builder, end: int, frame: Sequence[int], kind: Kind) -> None:
    """Add a sentence; one that is too long in parts, which need each other where a link or code would be torn."""
    stops = pieces(build.text, build.at, end)
    if len(stops) > 1:
        start = build.at
        whole = Walk(inline(build.text[start:end]).whole)
        if any(whole.holding(stop - start) for stop in stops[:-1]):
            build.add_whole(end, kind, frame)
            return
    for stop in stops:
        build.add(stop, kind, frame)


def sentence_ends(text: str, start: int, end: int, language: str | None) -> Iterator[int]:
    """Yield where the sentences of `text[start:end]` end, its own end left out; line breaks in it are white space.

    Args:
        text: The document.
        start: Where the run of prose begins.
        end: Where it ends.
        language: A language code; None detects it.
    """
    piece = text[start:end]
    for cut in ends(piece, language or language_of(piece)):
        yield start + cut


def cuts(text: str, code: str | None, *, finer: Finer | None = None) -> Iterator[int]:
    """Yield ascending positions where a span may end, the text's own end left out or not.

    Args:
        text: The text.
        code: A language; None detects it.
        finer: Further ends inside one sentence of prose, `text[start:end]`, ascending; blocks are never torn.
    """
    lines = text.splitlines(keepends=True)
    at = i = 0
    while i < len(lines):
        j = block_end(lines, i)
        if j > i:
            at += sum(map(len, lines[i:j]))
            yield at
        else:
            j = paragraph_end(lines, i)
            j = _paragraphs_end(lines, j) if lines[i].strip() else j
            build = Builder("".join(lines[i:j]))
            if lines[i].strip():
                add_prose(build, len(build.text), (), code)
            start = at
            for unit in build.units():
                end = at + unit.end
                if finer is not None:
                    yield from finer(text, start, end)
                yield end
                start = end
            at += len(build.text)
        i = j


def _paragraphs_end(lines: list[str], j: int) -> int:
    """Return the index after the paragraphs that go on from the one that ends at line `j`."""
    while j < len(lines):
        k = paragraph_end(lines, j) if not lines[j].strip() else j
        if k in (j, len(lines)) or block_end(lines, k) > k or not goes_on(lines[j - 1], lines[k]):
            break
        j = paragraph_end(lines, k)
    return j


def tile(text: str, ends: Iterable[int]) -> list[Span]:
    """Turn ascending ends into spans that tile the text, each with its white space behind it and a word in it."""
    spans: list[Span] = []
    start = scanned = 0
    for cut in chain(ends, (len(text),)):
        if cut <= scanned:
            continue
        cut = _after_space(text, cut)
        if WORD.search(text, scanned, cut):
            spans.append(Span(start, cut))
            start = cut
        elif spans:
            spans[-1] = Span(spans[-1].start, cut)
            start = cut
        scanned = cut
    return spans if start == len(text) else [Span(0, len(text))]


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def offsets(start: int, pieces: Iterable[str]) -> Iterator[int]:
    """Yield where each of consecutive pieces ends."""
    for piece in pieces:
        start += len(piece)
        yield start
