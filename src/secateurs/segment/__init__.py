"""Cut a text into units that tile it, each with its frame; or into the spans of these.

`structure` knows what a document is made of and hands each part to the room for it: `walk` for Markdown, `prose` for
sentences, `data`, `tables`, `markup`, `records`. `clauses` cuts further. Here they have names, and the spans of a
segmenter of the user's own are checked.

Example:
    >>> from secateurs.segment import segment
    >>> text = "Dr. Smith came. He left."
    >>> [text[start:end] for start, end in segment(text)]
    ['Dr. Smith came. ', 'He left.']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from secateurs.result.span import Span
from secateurs.segment.clauses import clause_units, clauses
from secateurs.segment.prose import offsets, tile
from secateurs.segment.structure import cut
from secateurs.segment.units import Unit

__all__ = ["Cutter", "Segmenter", "Unit", "check_tiling", "get_cutter", "get_segmenter", "segment", "units"]

Segmenter = Callable[[str], Sequence[tuple[int, int]]]
Cutter = Callable[[str], Sequence[Unit]]

# sentencex has rules for these, or `detect_language` names them; it would take any other name for English.
_CODES = """am ar be bg bn ca cs da de el en es fa fi fr gl gu he hi hu hy id it ja ka kk km kn ko lo ml
mr ms my ne nl no pa pl pt ro ru sk sl sr sv ta te th tr uk ur vi zh"""
_LANGUAGES = frozenset(_CODES.split())


def segment(text: str, *, language: str | None = None) -> list[Span]:
    """Cut a text into the spans of its units.

    Args:
        text: Any string; lone surrogates and NUL are fine.
        language: A language code such as `"en"` or `"zh"`; None detects it for each paragraph by its script.

    Returns:
        Non-empty spans (code points, half-open) that tile the text; `[]` for `""`.

    Raises:
        ValueError: The language is unknown.
    """
    return [Span(unit.start, unit.end) for unit in units(text, language=language)]


def units(text: str, *, language: str | None = None) -> list[Unit]:
    r"""Cut a text into units: sentences, items, rows, headings, code, records, members, and the marks around them.

    Args:
        text: Any string; lone surrogates and NUL are fine.
        language: A language code such as `"en"` or `"zh"`; None detects it for each paragraph by its script.

    Returns:
        Units that tile the text, each with the indices of those that it needs; `[]` for `""`.

    Raises:
        ValueError: The language is unknown.

    Example:
        >>> [(unit.kind, unit.frame) for unit in units("# Oil\n\n- Drain it.\n  - Warm.\n")]
        [('heading', ()), ('item', (0,)), ('item', (0, 1))]
    """
    return cut(text, None if language is None else _language(language))


def get_segmenter(segmenter: Segmenter | str | None = None) -> Segmenter:
    """Resolve a segmenter by name; a callable is returned as it is.

    Args:
        segmenter: None or `"auto"` for `segment`, a language code for `segment` in that language, `"clauses"` to
            cut at commas and semicolons, too (see `clauses`), `"lines"` for one span a line, or any callable text
            -> pairs that tile it (to be checked by `check_tiling`).

    Returns:
        A callable; picklable unless the caller's own is not.

    Raises:
        ValueError: The name is unknown.
        TypeError: Neither a name nor a callable.
    """
    if segmenter is None:
        return segment
    if isinstance(segmenter, str):
        if segmenter == "auto":
            return segment
        if segmenter == "clauses":
            return clauses
        return _lines if segmenter == "lines" else partial(segment, language=_language(segmenter))
    if not callable(segmenter):
        raise TypeError(
            f"segmenter must be a name or a callable, got {type(segmenter).__name__}: expected None, a string"
            " or a function from a text to (start, end) pairs; pass one of these"
        )
    return segmenter


def get_cutter(segmenter: Segmenter | str | None = None) -> Cutter:
    """Resolve a segmenter as `get_segmenter` does, to what gives units: with frames unless it is the user's own.

    `"lines"` has none either: a line is a line.

    Args:
        segmenter: A name, None or a callable, see `get_segmenter`.

    Returns:
        A callable; picklable unless the caller's own is not. That of a callable checks what it returns.

    Raises:
        ValueError: The name is unknown.
        TypeError: Neither a name nor a callable.
    """
    found = get_segmenter(segmenter)
    if found is segment:
        return units
    if isinstance(found, partial) and found.func is segment:
        return partial(units, **found.keywords)
    return clause_units if found is clauses else partial(_frameless, found)


def _frameless(segmenter: Segmenter, text: str) -> list[Unit]:
    """Make units without frames of the spans of a segmenter."""
    return [Unit(start, end) for start, end in check_tiling(segmenter(text), text)]


def check_tiling(spans: Iterable[tuple[int, int]], text: str) -> list[Span]:
    """Validate a segmenter's output.

    Args:
        spans: Pairs (start, end) in code points, half-open.
        text: The text they came from.

    Returns:
        The same spans as `Span`.

    Raises:
        ValueError: They do not tile the text: a gap, an overlap, an empty span or a wrong end.
    """
    tiled: list[Span] = []
    at = 0
    for number, pair in enumerate(spans):
        start, end = _pair(pair, number)
        if start != at or end <= start or end > len(text):
            raise ValueError(
                f"segmenter returned the span ({start}, {end}): expected one that starts at {at} and ends"
                f" after its start and at {len(text)} at most, at span {number} (counted from 0); make the"
                " spans tile the text"
            )
        tiled.append(Span(start, end))
        at = end
    if at != len(text):
        raise ValueError(
            f"segmenter's spans end at {at}: expected {len(text)}, the length of the text, after {len(tiled)}"
            " spans; make the spans tile the text, white space included"
        )
    return tiled


def _language(name: str) -> str:
    code = name.replace("_", "-").split("-")[0].lower()
    if code not in _LANGUAGES:
        raise ValueError(
            f"unknown segmenter or language {name!r}: expected 'auto', 'lines', 'clauses' or a language code"
            f" ({', '.join(sorted(_LANGUAGES))}), in the argument segmenter or language; pass one of these"
        )
    return code


def _pair(pair: tuple[int, int], number: int) -> tuple[int, int]:
    try:
        start, end = pair
        return int(start.__index__()), int(end.__index__())
    except (TypeError, ValueError, AttributeError):
        raise ValueError(
            f"segmenter returned {pair!r}: expected a pair of integers (start, end), at span {number}"
            " (counted from 0); return code-point offsets"
        ) from None


def _lines(text: str) -> list[Span]:
    """Make one span a line; a blank line joins the line before it."""
    return tile(text, offsets(0, text.splitlines(keepends=True)))
