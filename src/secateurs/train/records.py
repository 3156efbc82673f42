"""Labelled records, read from JSON lines: a query, a document, and what of it answers.

Records marked `ambiguous` or `low_agreement` are left out: labels that may be wrong teach nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateurs.result.span import Span
from secateurs.support.encodings import open_text
from secateurs.train.config import ConfigError

MASKED = -1  # the label of a sentence that nobody could label
_LONGEST_DOCUMENT = 24_000  # characters; crops are taken of the rest
_LEFT_OUT = ("ambiguous", "low_agreement")


@dataclass(frozen=True, slots=True)
class Record:
    """A query, a document, and what of it answers.

    Attributes:
        id: Unique within its file; its sha256 decides the order of the dev sample.
        query: The query.
        context: The document.
        evidence: Spans in code points.
        sentences: The record's own sentences, where an annotator labelled them; else empty.
        labels: Their labels, 1, 0 or `MASKED`.
        answers: Answer strings, in lower case: a passage that holds one is no negative.
        title: Of the article it comes from.
        lang: Language code, without region.
        alone: The query makes no sense beside other documents.
        licence: Of the text, as the data says.
    """

    id: str
    query: str
    context: str
    evidence: tuple[Span, ...]
    sentences: tuple[Span, ...] = ()
    labels: tuple[int, ...] = ()
    answers: tuple[str, ...] = ()
    title: str = ""
    lang: str = "?"
    alone: bool = False
    licence: str = ""


def read_records(path: Path, *, every: int = 1) -> Iterator[Record]:
    """Read the usable records of a file.

    Args:
        path: `*.jsonl` or `*.jsonl.gz`; a line has `query`, `context` and `evidence`, or `sentences` and `labels`.
        every: Take every n-th line.

    Yields:
        Record: One after another.

    Raises:
        ConfigError: The file is missing, or a line is not as described.
    """
    try:
        with open_text(path) as file:
            for number, line in enumerate(file):
                if number % every or not line.strip():
                    continue
                record = _record(line, path, number + 1)
                if record is not None:
                    yield record
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read the data file {path}: {error}. Check `data` and the sources' paths."
        ) from None


def _record(line: str, path: Path, number: int) -> Record | None:
    try:
        raw: dict[str, Any] = json.loads(line)
        if any(raw.get(key) for key in _LEFT_OUT) or not raw["query"].strip() or not raw["context"].strip():
            return None
        sentences = tuple(Span(int(start), int(end)) for start, end in raw.get("sentences") or () if "labels" in raw)
        labels = tuple(MASKED if label is None else int(label) for label in raw.get("labels") or ())
        evidence = raw.get("evidence")
        if evidence is None:
            evidence = [span for span, label in zip(sentences, labels, strict=True) if label == 1]
        if len(labels) != len(sentences):
            raise ValueError(f"{len(labels)} labels for {len(sentences)} sentences")
        return Record(
            id=str(raw.get("id", number)),
            query=raw["query"],
            context=raw["context"][:_LONGEST_DOCUMENT],
            evidence=tuple(Span(int(start), int(end)) for start, end in evidence),
            sentences=sentences,
            labels=labels,
            answers=tuple(str(answer).lower() for answer in raw.get("answers") or ())[:20],
            title=str(raw.get("title") or ""),
            lang=str(raw.get("lang", "?"))[:2],
            alone=bool(raw.get("context_dependent")),
            licence=str(raw.get("licence") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}, line {number}: not a labelled record ({error!r}), expected an object with query, context and "
            "evidence, or sentences and labels."
        ) from None
