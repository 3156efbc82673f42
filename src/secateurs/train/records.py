"""Labelled records, read from JSON lines: a query, a document, and what of it answers.

Records marked `ambiguous` or `low_agreement` are left out: labels that may be wrong teach nothing. Everyday records
(`query_lang`, `kind`, `group`) are passages of documents that `source` names, with whole units as evidence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateurs.result.span import Span
from secateurs.support.encodings import DamagedError, text_lines
from secateurs.train.config import ConfigError

MASKED = -1  # the label of a sentence that nobody could label
_LONGEST_DOCUMENT = 24_000  # characters; crops are taken of the rest
_LEFT_OUT = ("ambiguous", "low_agreement")
_TELLING = 12  # characters of evidence that no other passage holds by chance


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
        answers: Answer strings (of everyday records the evidence itself), in lower case: a passage that holds one is
            no negative.
        title: Of the article it comes from, or its source.
        lang: Language code of the document, without region.
        query_lang: Language code of the query.
        kind: Of an everyday query: Q, K, A, X or N; else empty.
        group: What must stay together wherever records are parted: of one document or, where nothing is said, of one
            text.
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
    query_lang: str = "?"
    kind: str = ""
    group: str = ""
    alone: bool = False
    licence: str = ""


def read_records(path: Path, *, every: int = 1, fraction: float = 1.0) -> Iterator[Record]:
    """Read the usable records of a file.

    Args:
        path: `*.jsonl` or `*.jsonl.gz`; a line has `query`, `context` and `evidence`, or `sentences` and `labels`.
        every: Take every n-th line.
        fraction: Take this share of the groups.

    Yields:
        Record: One after another.

    Raises:
        ConfigError: The file is missing, or a line is not as described.
    """
    try:
        for number, line in text_lines(path):
            if (number - 1) % every or not line.strip():
                continue
            record = _record(line, path, number)
            if record is not None and (fraction >= 1 or place_of(record.group) < fraction):
                yield record
    except (OSError, DamagedError) as error:
        raise ConfigError(
            f"cannot read the data file {path}: {error}. Check `data` and the sources' paths."
        ) from None


def place_of(group: str) -> float:
    """Return a group's place among all, in [0, 1): the same one each time, and spread evenly.

    Example:
        >>> round(place_of("a"), 3)
        0.791
    """
    return int(hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest()[:12], 16) / 16**12


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
        spans = tuple(Span(int(start), int(end)) for start, end in evidence)
        lang = str(raw.get("lang", "?"))[:2]
        return Record(
            id=str(raw.get("id", number)),
            query=raw["query"],
            context=raw["context"][:_LONGEST_DOCUMENT],
            evidence=spans,
            sentences=sentences,
            labels=labels,
            answers=_answers(raw, spans),
            title=str(raw.get("title") or (raw.get("source") if raw.get("group") else "") or ""),
            lang=lang,
            query_lang=str(raw.get("query_lang") or lang)[:2],
            kind=str(raw.get("kind") or ""),
            group=str(
                raw.get("group") or hashlib.sha256(raw["context"].encode("utf-8", "surrogatepass")).hexdigest()
            ),
            alone=bool(raw.get("context_dependent")),
            licence=str(raw.get("licence") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}, line {number}: not a labelled record ({error!r}), expected an object with query, context and "
            "evidence, or sentences and labels."
        ) from None


def _answers(raw: dict[str, Any], evidence: tuple[Span, ...]) -> tuple[str, ...]:
    """Return what no passage may hold that is to stand for "no answer"."""
    answers = [str(answer) for answer in raw.get("answers") or ()]
    if not answers and raw.get("group"):  # chunks of one document overlap
        texts = (raw["context"][start:end].strip() for start, end in evidence)
        answers = [text for text in texts if len(text) >= _TELLING]
    return tuple(answer.lower() for answer in answers)[:20]
