"""Labelled records become token arrays, once: unit by unit, exactly as the compressor cuts and tokenizes.

A unit is positive iff it overlaps an evidence span. What is frame and nothing else is not read, and has no label.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray

from secateurs.result.span import Span
from secateurs.segment import units
from secateurs.support.surrogates import replace_surrogates
from secateurs.train.config import ConfigError, SourceConfig
from secateurs.train.records import MASKED, Record, read_records
from secateurs.windows.tokenizer import Tokenizer

Ids = NDArray[np.int32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CLAUSE = re.compile(r"[,，;；。！？!?]\s*")


@dataclass(frozen=True, slots=True)
class Document:
    """The tokens of a document.

    Attributes:
        ids: Token ids, unit after unit; here and in the rest of this room a unit is called a sentence.
        starts: Where each sentence begins in `ids`, and the end.
        text: The document in lower case.

    Shape:
        ids: (tokens,), starts: (sentences + 1,).
    """

    ids: Ids
    starts: Ints
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """A labelled query for a document.

    Attributes:
        source: Index of its source.
        document: Index of its document.
        query: Token ids.
        keywords: Token ids of the query as one would type it into a search box.
        labels: 1, 0 or `MASKED` for each sentence.
        inside: Whether each token is in an evidence span.
        record: What it was made of; its `context` is empty.

    Shape:
        labels: (sentences,), inside: (tokens,).
    """

    source: int
    document: int
    query: Ids
    keywords: Ids
    labels: NDArray[np.int8]
    inside: Bools
    record: Record


@dataclass(frozen=True)
class SourceFacts:
    """What the card says of a source.

    Attributes:
        records: Usable records.
        sha256: Of the file.
        licences: Every licence its records name.
    """

    records: int
    sha256: str
    licences: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """All training data, as arrays; and what it is, a source each."""

    documents: list[Document]
    items: list[Item]
    facts: dict[str, SourceFacts]


def label_sentences(spans: Sequence[tuple[int, int]], evidence: Sequence[tuple[int, int]]) -> NDArray[np.int8]:
    """Return 1 for each sentence that overlaps an evidence span, else 0.

    Example:
        >>> label_sentences([(0, 5), (5, 9), (9, 12)], [(4, 6)]).tolist()
        [1, 1, 0]
    """
    labels = np.zeros(len(spans), dtype=np.int8)
    bounds = np.array(spans, dtype=np.int64).reshape(-1, 2)
    for start, end in evidence:
        labels |= ((bounds[:, 0] < end) & (bounds[:, 1] > start)).astype(np.int8)
    return labels


def read_units(text: str) -> list[Span]:
    r"""Cut a text as the compressor does, and leave out what is frame and nothing else: the model never reads it.

    Example:
        >>> [tuple(span) for span in read_units("```\nrm -r x\n```\n")]
        [(4, 12)]
    """
    return [Span(unit.start, unit.end) for unit in units(text) if not unit.pure]


def clauses(text: str, shortest: int = 8) -> list[Span]:
    """Cut a text behind commas and full stops, for texts that have commas where full stops belong.

    Example:
        >>> [tuple(span) for span in clauses("abcdefgh, ijklmnop, q.")]
        [(0, 10), (10, 20), (20, 22)]
    """
    spans: list[Span] = []
    at = 0
    for cut in [*(match.end() for match in _CLAUSE.finditer(text)), len(text)]:
        if cut - at >= shortest or (cut == len(text) and cut > at):
            spans.append(Span(at, cut))
            at = cut
    return spans


def as_keywords(query: str) -> str:
    """Write a question as people type it: lower case, no question mark.

    Example:
        >>> as_keywords("Who wrote Dracula?")
        'who wrote dracula'
    """
    return query.strip().rstrip("?？ ").lower() or query


@dataclass(frozen=True, slots=True)
class _Cut:
    """A document's sentences, and the characters of each token."""

    spans: tuple[Span, ...]
    offsets: Ints


class Preparer:
    """Turns records into arrays; documents that come up again are tokenized once.

    Args:
        tokenizer: The tokenizer of the model that is trained: it makes the ids.
        pipeline: The same tokenizer's own pipeline: it says which characters a token covers.
    """

    def __init__(self, tokenizer: Tokenizer, pipeline: tokenizers.Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._pipeline = pipeline

    def run(self, sources: Sequence[SourceConfig], folder: Path) -> Corpus:
        """Read and tokenize all sources.

        Args:
            sources: What to read.
            folder: What their paths are relative to.

        Returns:
            The corpus.
        """
        corpus = Corpus([], [], {})
        for index, source in enumerate(sources):
            path = folder / source.path
            records = list(read_records(path, every=source.every, fraction=source.fraction))
            if not records:
                raise ConfigError(f"{path} holds no usable record: leave the source out.")
            self._add(corpus, records, index, source)
            licences = sorted({record.licence for record in records} - {""})
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            corpus.facts[source.path] = SourceFacts(len(records), sha256, tuple(licences))
        return corpus

    def _add(self, corpus: Corpus, records: Sequence[Record], index: int, source: SourceConfig) -> None:
        known: dict[tuple[str, tuple[Span, ...]], int] = {}
        for record in records:
            known.setdefault((record.context, record.sentences), len(known))
        cutter = clauses if source.units == "clauses" else read_units
        all_spans = [spans or tuple(cutter(context)) for context, spans in known]
        first = len(corpus.documents)
        cuts = []
        for (context, _), spans in zip(known, all_spans, strict=True):
            document, cut = self._tokenize(context, spans)
            corpus.documents.append(document)
            cuts.append(cut)
        queries = self._encode([record.query for record in records])
        keywords = self._encode([as_keywords(record.query) for record in records])
        for record, query, words in zip(records, queries, keywords, strict=True):
            place = known[record.context, record.sentences]
            labels, inside = _labels(record, cuts[place])
            if not source.labelled:
                labels, inside = np.full_like(labels, MASKED), np.zeros_like(inside)
            light = replace(record, context="", evidence=(), sentences=(), labels=())
            item = Item(index, first + place, query.ids, words.ids, labels, inside, light)
            if len(corpus.documents[item.document].ids):
                corpus.items.append(item)

    def _tokenize(self, context: str, spans: Sequence[Span]) -> tuple[Document, _Cut]:
        if not spans:  # nothing but frame
            return Document(np.zeros(0, np.int32), np.zeros(1, np.int64), ""), _Cut((), np.zeros((0, 2), np.int64))
        parts = self._encode([context[start:end] for start, end in spans])
        ids = np.concatenate([part.ids for part in parts])
        offsets = np.concatenate([part.offsets + span.start for part, span in zip(parts, spans, strict=True)])
        starts = np.concatenate(([0], np.cumsum([len(part.ids) for part in parts]))).astype(np.int64)
        return Document(ids, starts, context.lower()), _Cut(tuple(spans), offsets)

    def _encode(self, texts: Sequence[str]) -> list[_Encoded]:
        tokens = self._tokenizer.encode(texts)
        ids = np.split(tokens.ids, np.cumsum(tokens.lengths)[:-1])
        encodings = self._pipeline.encode_batch(list(map(replace_surrogates, texts)), add_special_tokens=False)
        offsets = (np.array(one.offsets, dtype=np.int64).reshape(-1, 2) for one in encodings)
        return [_Encoded(some, where) for some, where in zip(ids, offsets, strict=True)]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """Tokens of a text and the characters they cover."""

    ids: Ids
    offsets: Ints


def _labels(record: Record, cut: _Cut) -> tuple[NDArray[np.int8], Bools]:
    labels = np.array(record.labels, np.int8) if record.labels else label_sentences(cut.spans, record.evidence)
    first, last = cut.offsets[:, 0], cut.offsets[:, 1]
    inside = np.zeros(len(cut.offsets), dtype=bool)
    for start, end in record.evidence:
        inside |= (first < end) & (last > start) & (last > first)
    return labels, inside
