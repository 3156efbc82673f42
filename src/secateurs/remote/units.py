"""The units of a document as JSON: how the service says what each is and needs, and what is believed of it.

With it whoever sent the document puts the text together out of the document itself. What a service could still do
with untrue units is choose white space that stands in the document, repeat the marks of a block quote, or leave out
the comma at a unit's end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from secateurs.result.join import Parts
from secateurs.result.span import Sentence
from secateurs.segment.units import Kind, Unit


def write_units(parts: Parts) -> list[dict[str, Any]]:
    r"""Return what is known of each unit beside its place, as JSON types.

    Example:
        >>> write_units(Parts("# A\\n\\nB.", (Unit(0, 5, "heading"), Unit(5, 7, "prose", (0,)))))
        [{'kind': 'heading', 'frame': []}, {'kind': 'prose', 'frame': [0]}]
    """
    written = []
    for unit in parts.units:
        facts: dict[str, Any] = {"kind": unit.kind, "frame": list(unit.frame)}
        if unit.comma is not None:
            facts |= {"comma": unit.comma, "until": unit.until}
        written.append(facts)
    return written


def read_units(
    document: str, sentences: Sequence[Sentence], entries: Sequence[Mapping[str, Any]]
) -> tuple[Unit, ...]:
    """Make the units of a document, or raise what does not fit it.

    Args:
        document: The document.
        sentences: Its units, as far as they are ours to know: they tile it.
        entries: What `write_units` wrote of them.

    Raises:
        ValueError, KeyError, TypeError: It is something else.
    """
    return tuple(
        _unit(document, sentence, entry, len(sentences)) for sentence, entry in zip(sentences, entries, strict=True)
    )


def _unit(document: str, sentence: Sentence, entry: Mapping[str, Any], many: int) -> Unit:
    kind, frame, comma, until = entry["kind"], entry["frame"], entry.get("comma"), entry.get("until")
    if kind not in get_args(Kind):
        raise ValueError(f"a unit is of the kind {kind!r}")
    for index in (*frame, *([] if until is None else [until])):
        if type(index) is not int or not 0 <= index < many:
            raise ValueError(f"a unit needs unit {index!r} of {many}")
    if comma is not None and not _is_comma(document, sentence, comma):
        raise ValueError(f"a comma stands at {comma!r}, in the unit from {sentence.start} to {sentence.end}")
    return Unit(sentence.start, sentence.end, kind, tuple(frame), comma, until)


def _is_comma(document: str, sentence: Sentence, place: object) -> bool:
    """Return whether nothing but white space follows a comma at a place of a unit."""
    if type(place) is not int or not sentence.start <= place < sentence.end:
        return False
    return document[place : sentence.end].rstrip() == ","
