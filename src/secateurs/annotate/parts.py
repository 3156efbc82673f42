"""A document that is too long for one prompt becomes several; every sentence is in exactly one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secateurs.annotate.prompts import make_messages
from secateurs.annotate.records import Unlabelled
from secateurs.result.span import Span

Count = Callable[[str], int]

_NUMBER = 8  # LLM tokens that a sentence's number and line end take, at most
_BEFORE = 300  # characters of the text before a part that are shown with it
_SHORTEST = 100  # characters; if not even these fit, something else is wrong


@dataclass(frozen=True, slots=True)
class Piece:
    """What gets one number in a prompt: a sentence, or a part of one that is too long for a prompt.

    Attributes:
        sentence: Index of its sentence, from 0.
        text: Its characters.
    """

    sentence: int
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """The pieces of one prompt.

    Attributes:
        pieces: In source order.
        before: The end of the text that comes before them.
    """

    pieces: tuple[Piece, ...]
    before: str = ""

    def halves(self) -> list[Part]:
        """Cut a part in two, inside a sentence if need be; `[]` where it is too short for that."""
        pieces = self.pieces
        if len(pieces) == 1:
            sentence, text = pieces[0].sentence, pieces[0].text
            if len(text) < _SHORTEST:
                return []
            pieces = (Piece(sentence, text[: len(text) // 2]), Piece(sentence, text[len(text) // 2 :]))
        middle = len(pieces) // 2
        first, second = pieces[:middle], pieces[middle:]
        return [Part(first, self.before), Part(second, _tail(first))]

    def name(self) -> str:
        """Name the sentences, counted from 1, as a reader of the reasoning needs them."""
        first, last = self.pieces[0].sentence + 1, self.pieces[-1].sentence + 1
        return f"sentence {first}" if first == last else f"sentences {first}-{last}"


def split(record: Unlabelled, spans: Sequence[Span], *, most: int, count: Count) -> list[Part]:
    """Spread a document's sentences over as many prompts as it takes.

    Args:
        record: The record.
        spans: Its sentences.
        most: LLM tokens of a prompt, at most.
        count: Counts LLM tokens.

    Returns:
        Parts in source order; `[]` where the query leaves no room for a sentence.
    """
    fixed = sum(count(message["content"]) for message in make_messages(record.query, [], lang=record.lang))
    whole = [Piece(index, record.context[start:end]) for index, (start, end) in enumerate(spans)]
    sizes = [count(piece.text) + _NUMBER for piece in whole]
    if fixed + sum(sizes) <= most:
        return [Part(tuple(whole))]
    room = most - fixed - 2 * _BEFORE  # a character is two LLM tokens at the very most, in practice
    if room < most // 4:
        room = most - fixed
    if room < 4 * _NUMBER:
        return []
    pieces = [piece for one, size in zip(whole, sizes, strict=True) for piece in _cut(one, size, room, count)]
    return _fill(pieces, room, count, before=_BEFORE if room < most - fixed else 0)


def _cut(piece: Piece, size: int, room: int, count: Count) -> list[Piece]:
    """Halve a piece until each part of it fits."""
    if size <= room or len(piece.text) < 2:
        return [piece]
    middle = len(piece.text) // 2
    space = piece.text.find(" ", middle, middle + 40)
    middle = space + 1 if 0 < space + 1 < len(piece.text) else middle
    halves = (Piece(piece.sentence, piece.text[:middle]), Piece(piece.sentence, piece.text[middle:]))
    return [part for half in halves for part in _cut(half, count(half.text) + _NUMBER, room, count)]


def _fill(pieces: Sequence[Piece], room: int, count: Count, *, before: int) -> list[Part]:
    parts: list[Part] = []
    current: list[Piece] = []
    used = 0
    tail = ""
    for piece in pieces:
        size = count(piece.text) + _NUMBER
        if current and used + size > room:
            parts.append(Part(tuple(current), tail))
            tail = _tail(current) if before else ""
            current, used = [], 0
        current.append(piece)
        used += size
    return [*parts, Part(tuple(current), tail)]


def _tail(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces[-3:])[-_BEFORE:]
