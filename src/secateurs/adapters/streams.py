"""What of a tool's text is compressed by itself, and how a note is put to it: JSON stays JSON; knows no framework.

    JSON, its bulk in long strings   each of these strings is a text: ids, names and addresses beside them stay
    any other JSON                   one text, cut by its members and elements
    JSON values with text around     each value is a text, and so is what stands between, where it is long
    anything else                    one text; so are JSON lines, which are cut by line

A note is the last member of an object, the last element of an array, a line of its own in JSON lines, else the last
line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from secateurs.adapters.metadata import METADATA_KEY
from secateurs.adapters.slots import Slot, filled, json_slots, whole
from secateurs.adapters.tool_output import Parts

_LEAD = "\ufeff \t\r\n"
_BEGINS = re.compile(r"(?<![^\s:=>,;\ufeff])[\[{]")
_BULK = 0.3  # of a JSON text, from which its long strings alone are compressed
_WORTH = 200  # characters of a JSON value, or of the text beside one, that may be compressed by itself
_LINES = 20  # values; more of them that are short are lines of records
_RECORD = 1000  # characters of a value, on average, up to which it is such a line
_BESIDE = 20_000  # characters of a text that may stand beside what of it is compressed
_MISSES = 16  # brackets that begin no value, after which the text is taken for something else


def text_slots(text: str) -> list[Slot]:
    r"""Return what of a text is compressed, in order.

    Example:
        >>> rows = [{"id": number, "name": "wheel"} for number in range(20)]
        >>> [(slot.start, slot.text[:9]) for slot in text_slots("Found:\n" + json.dumps(rows))]
        [(7, '[{"id": 0')]
    """
    strings = json_slots(text)
    if strings is not None:
        long = sum(slot.end - slot.start for slot in strings)
        return strings if long >= _BULK * len(text) or text.lstrip(_LEAD)[:1] == '"' else [whole(text)]
    return _between_values(text) or [whole(text)]


def counted(text: str, slots: list[Slot]) -> list[Slot]:
    """Return the slots of a text, or all of it where so much stands beside them that no budget would hold.

    Names, addresses, short strings and a prompt's words around documents stay, up to a size; whoever writes a text so
    that nothing in it seems to be one would keep it whole otherwise.

    Example:
        >>> counted("ab " * 10_000, [])[0].end
        30000
    """
    beside = len(text) - sum(slot.end - slot.start for slot in slots)
    return slots if beside <= _BESIDE else [whole(text)]


def parsed_as(text: str) -> str | None:
    """Return what a text is: `"object"`, `"array"`, `"string"`, `"lines"` of JSON, or None for none of that."""
    bare = text.strip(_LEAD)
    if bare[:1] not in ("{", "[", '"'):
        return None
    if _parses(bare):
        return {"{": "object", "[": "array", '"': "string"}[bare[0]]
    lines = [line for line in bare.split("\n") if line.strip()]
    if len(lines) > 1 and all(line.lstrip()[:1] in ("{", "[") and _parses(line) for line in lines):
        return "lines"
    return None


def still_parses(before: str, after: str) -> bool:
    """Return whether a text still is what it was: for text around JSON, and for no JSON, that is always so."""
    kind = parsed_as(before)
    if kind == "lines":  # of which one may be left, with that of the note
        return parsed_as(after) in ("lines", "object", "array")
    return kind is None or parsed_as(after) == kind


def noted(text: str, note: str) -> str:
    r"""Return a text with a note, the text staying what it is.

    Example:
        >>> noted('{"id": 7}', "[12 of 30 tokens cut]"), noted("wheel 7\n", "[12 of 30 tokens cut]")
        ('{"id": 7, "secateurs": "[12 of 30 tokens cut]"}', 'wheel 7\n[12 of 30 tokens cut]')
    """
    if not text.strip(_LEAD):
        return note
    kind = parsed_as(text)
    written = json.dumps(note, ensure_ascii=False)
    member = f'"{METADATA_KEY}": {written}'
    if kind in ("object", "array"):
        bare = text.rstrip()
        inside = bare[:-1].rstrip()
        comma = "" if inside.lstrip(_LEAD) in ("{", "[") else ", "
        return inside + comma + (member if kind == "object" else written) + text[len(inside) :]
    if kind == "string":
        return json.dumps(f"{json.loads(text.strip(_LEAD))}\n{note}", ensure_ascii=text.isascii())
    end = "" if text.endswith("\n") else "\n"
    return f"{text}{end}{{{member}}}" if kind == "lines" else f"{text}{end}{note}"


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _between_values(text: str) -> list[Slot]:
    """Return the JSON values of a text that is more than one, and the long texts beside them; none if it is else."""
    spans = list(_values(text))
    long = [span for span in spans if span[1] - span[0] >= _WORTH]
    if not long or (len(spans) > _LINES and len(text) < _RECORD * len(spans)):
        return []
    slots, at = [], 0
    for start, end in [*long, (len(text), len(text))]:
        if len(text[at:start].strip()) >= _WORTH:
            slots.append(_slot(text, at, start))
        if start < end:
            slots.append(_slot(text, start, end))
        at = end
    return slots


def _slot(text: str, start: int, end: int) -> Slot:
    return Slot(start, end, text[start:end], around=(start, end))


def _values(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the JSON objects and arrays stand that begin a word or follow another."""
    decoder, misses, at = json.JSONDecoder(), 0, 0
    while misses < _MISSES:
        start = at if at and text[at : at + 1] in ("{", "[") else None
        if start is None:
            found = _BEGINS.search(text, at)
            if found is None:
                return
            start = found.start()
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            misses += 1
            at = start + 1
            continue
        yield start, end
        at = end


def split_texts(texts: Sequence[str | None]) -> Parts[list[str]]:
    """Take the texts of a result's blocks apart.

    Args:
        texts: One a block; None for one that holds no text to compress.

    Returns:
        What of them is compressed. Rebuilt, it is one text a block again, `""` for a block without one or in which
        nothing is left; a note stands in the last, or behind all where none is left.
    """
    slots = [[] if text is None else counted(text, text_slots(text)) for text in texts]

    wholes = texts

    def rebuild(texts: Sequence[str], note: str = "") -> list[str]:
        rest = iter(texts)
        pairs = zip(wholes, slots, strict=True)
        made = ["" if one is None else filled(one, some, [next(rest) for _ in some]) for one, some in pairs]
        last = last_text(made)
        if note and last < 0:
            return [*made, note]
        return [noted(one, note) if note and place == last else one for place, one in enumerate(made)]

    def valid(made: Sequence[str]) -> bool:
        return all(still_parses(one, made[place]) for place, one in enumerate(texts) if one and made[place].strip())

    found = tuple(slot.text for some in slots for slot in some)
    return Parts(found, (None,) * len(found), rebuild, valid)


def last_text(texts: Sequence[str]) -> int:
    """Return the place of the last text that is not blank; -1 if all are."""
    return max((place for place, text in enumerate(texts) if text.strip()), default=-1)
