"""What is to be labelled: `{id?, query, context, lang?}`, a line each, checked before the first request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateurs.segment.prose import detect_language
from secateurs.support.encodings import DamagedError, text_lines

# what an annotation says anew; everything else of a line (answers, source, licence, ...) is carried over
_SAID_ANEW = ("id", "lang", "query", "context", "evidence", "sentences", "labels", "reasoning", "annotator", "orders")
_OUTDATED = ("evidence_alt", "ambiguous", "low_agreement", "failures", "outcome")
_REPLACED = frozenset((*_SAID_ANEW, *_OUTDATED))


class BadRecordError(ValueError):
    """A record cannot be used; the message names the file and the line, and says what was expected."""


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A query and a document that nobody has labelled.

    Attributes:
        id: The given id, or one made of query and context.
        query: The query.
        context: The document.
        lang: The given language code, or the one its script suggests.
        extra: The line's other keys, carried over as they are.
    """

    id: str
    query: str
    context: str
    lang: str
    extra: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """A hash of query and context."""
        return digest(self.query, self.context)


def digest(query: str, context: str) -> str:
    """Return a stable hash of a query and a document, 32 hexadecimal digits.

    Example:
        >>> digest("a", "b") == digest("a", "b") != digest("ab", "")
        True
    """
    return hashlib.sha256(json.dumps([query, context]).encode()).hexdigest()[:32]


def read_unlabelled(path: Path) -> Iterator[Unlabelled]:
    """Read the records of a file, in order, repeated ones included.

    Args:
        path: `*.jsonl` or `*.jsonl.gz`.

    Yields:
        Unlabelled: One after another.

    Raises:
        BadRecordError: A line is not as described; the message says which and why.
    """
    for number, line in _lines(path):
        yield _unlabelled(line, f"{path}:{number}")


def survey(path: Path) -> dict[str, str]:
    """Check a whole file, so that a mistake in its last line is found before the first request.

    Args:
        path: `*.jsonl` or `*.jsonl.gz`.

    Returns:
        The digest of every id, in order of first appearance. Repeated records count once.

    Raises:
        BadRecordError: A line is not as described, or one id stands for two different records.
    """
    seen: dict[str, str] = {}
    for number, line in _lines(path):
        record = _unlabelled(line, f"{path}:{number}")
        if seen.setdefault(record.id, record.digest) != record.digest:
            raise BadRecordError(
                f"{path}:{number}: the id {record.id!r} stands above with another query or context. Expected one"
                " record an id; rename one of them, or leave ids out."
            )
    if not seen:
        raise BadRecordError(f"{path} holds no record: expected one JSON object a line with query and context.")
    return seen


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        for number, line in text_lines(path):
            if line.strip():
                yield number, line
    except (OSError, DamagedError) as error:
        raise BadRecordError(
            f"cannot read {path} after line {number}: {error}. Expected UTF-8 text, one JSON object a line (gzip if"
            " the name ends in .gz). Check the path, and whether the file is complete."
        ) from None


def _unlabelled(line: str, where: str) -> Unlabelled:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRecordError(f"{where}: not JSON ({error}). Expected one JSON object a line.") from None
    if not isinstance(row, dict):
        raise BadRecordError(f"{where}: holds {type(row).__name__}, expected a JSON object with query and context.")
    query, context = _text(row, "query", where), _text(row, "context", where)
    lang = row.get("lang")
    if lang is not None and not isinstance(lang, str):
        raise BadRecordError(f"{where}: 'lang' is {lang!r}, expected a language code such as 'en'. Or leave it out.")
    name = row.get("id")
    if name is not None and (isinstance(name, bool) or not isinstance(name, (str, int))):
        raise BadRecordError(f"{where}: 'id' is {name!r}, expected a string. Or leave it out.")
    extra = {key: value for key, value in row.items() if key not in _REPLACED}
    identity = digest(query, context) if name in (None, "") else str(name)
    return Unlabelled(identity, query, context, lang or detect_language(context), extra)


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        what = "missing" if value is None else "blank" if isinstance(value, str) else f"{value!r:.60}"
        raise BadRecordError(f"{where}: {key!r} is {what}, expected a text. Mend the line or leave it out.")
    return value
