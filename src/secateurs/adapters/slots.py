"""Texts that stand inside a larger string, and the string around shorter ones; knows no framework.

JSON and what Python writes of its own containers stay valid: only their long strings are texts, and each is written
back the way it was written there. Numbers, keys and layout stay to the letter, as no parse and dump would keep them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass

from secateurs.support.surrogates import replace_surrogates

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_COLON = re.compile(r"\s*:")
_LONG = 80  # characters; a shorter string is a name, a date, an id: nothing to cut
_MISSES = 16  # long strings not found: what was written is not what Python writes, and looking on would take long


@dataclass(frozen=True)
class Slot:
    """Where a text stands in a string, and how it is written there.

    Attributes:
        start: First code point of what is replaced.
        end: One past the last.
        text: The text, as it reads.
        id: The id of the node it is from, if it is a node's.
        write: Turns another text into what is written in its place.
        around: What goes, with the white space behind it, when the text becomes blank: the text, and the metadata
            written with it. None for a string that has to stay, blank or not.
    """

    start: int
    end: int
    text: str
    id: str | None = None
    write: Callable[[str], str] = str
    around: tuple[int, int] | None = None


def whole(text: str) -> Slot:
    """Return the slot that is all of a string."""
    return Slot(0, len(text), text, around=(0, len(text)))


def filled(source: str, slots: Sequence[Slot], texts: Sequence[str]) -> str:
    """Return a string with other texts in its slots.

    Args:
        source: The string.
        slots: Its slots, in order.
        texts: As many texts.

    Returns:
        The string around these texts.

    Example:
        >>> source = '{"id": 7, "text": "' + "It rained. " * 9 + '"}'
        >>> filled(source, json_slots(source), ["It rained."])
        '{"id": 7, "text": "It rained."}'
    """
    pieces, at = [], 0
    for slot, text in zip(slots, texts, strict=True):
        if text.strip() or slot.around is None or text == slot.text:
            pieces += [source[at : slot.start], slot.write(text)]
            at = slot.end
        else:
            start, end = slot.around
            pieces.append(source[at:start])
            at = end + len(source[end:]) - len(source[end:].lstrip())
    return "".join([*pieces, source[at:]])


def json_slots(text: str) -> list[Slot] | None:
    """Return the long strings of a JSON text, keys left out; None if it is not JSON."""
    bare = text.lstrip("\ufeff \t\r\n")
    if not bare.startswith(("{", "[", '"')):
        return None
    try:
        json.loads(bare)
    except (ValueError, RecursionError):
        return None
    slots = []
    for found in _JSON_STRING.finditer(text):
        if len(found[0]) < _LONG or _COLON.match(text, found.end()):
            continue  # short, or a key
        value = json.loads(found[0], strict=False)
        if _is_prose(value):
            slots.append(Slot(found.start(), found.end(), value, write=_json_writer(found[0])))
    return slots


def repr_slots(text: str, value: object) -> list[Slot]:
    """Return where the long strings inside a Python object stand in what Python writes of it.

    Args:
        text: The object as `str` or `repr` writes it.
        value: The object: a dict, list or tuple, or an object with fields.

    Returns:
        The strings that are found there as `repr` writes them, so that a literal stays one.

    Example:
        >>> value = {"id": 7, "text": "It rained. " * 9}
        >>> filled(str(value), repr_slots(str(value), value), ["It rained."])
        "{'id': 7, 'text': 'It rained.'}"
    """
    slots: list[Slot] = []
    at = misses = 0
    for string in filter(_is_prose, _strings(value, set())):
        written = repr(string)
        start = text.find(written, at)
        if start >= 0:
            at = start + len(written)
            slots.append(Slot(start, at, string, write=repr))
        else:
            misses += 1
            if misses == _MISSES:
                break
    return slots


def _strings(value: object, seen: set[int]) -> Iterator[str]:
    """Yield the strings inside an object, in order; of what it holds twice, or what holds itself, once."""
    if isinstance(value, str):
        yield value
    elif id(value) not in seen:
        seen.add(id(value))
        for one in _parts(value):
            yield from _strings(one, seen)


def _parts(value: object) -> Sequence[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (list, tuple)):
        return value
    if is_dataclass(value) or hasattr(type(value), "__pydantic_fields__"):
        return list(getattr(value, "__dict__", {}).values())
    return ()


def _is_prose(value: str) -> bool:
    """Return whether a string is long, and no address or encoded data: no language is written so."""
    return len(value) >= _LONG and not (value.isascii() and not any(map(str.isspace, value)))


def _json_writer(literal: str) -> Callable[[str], str]:
    def write(text: str) -> str:
        return json.dumps(text, ensure_ascii=literal.isascii() or replace_surrogates(text) != text)

    return write
