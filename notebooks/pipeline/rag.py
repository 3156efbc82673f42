"""What both pipelines share: passages, questions, an encoder, the prompt, and the shape of a pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from secateurs.evaluate.records import Record, read_records
from secateurs.evaluate.sample import digest
from secateurs.result.span import Span

TEMPLATE = """Answer the question from the documents and from nothing else.

{documents}

Question: {query}
Answer: """


@dataclass(frozen=True)
class Passage:
    """What is indexed: a paragraph of a document.

    Attributes:
        id: Made from the text, so that a paragraph of two documents is indexed once.
        text: The paragraph.
    """

    id: str
    text: str


@dataclass(frozen=True)
class Evidence:
    """Where a part of the answer stands: code points of one passage."""

    passage: str
    span: Span


@dataclass(frozen=True)
class Question:
    """A query and all the evidence for it.

    Attributes:
        group: The file it comes from.
        lang: Its language.
        query: The query.
        evidence: At least one.
    """

    group: str
    lang: str
    query: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Corpus:
    """What is retrieved from, and what is asked."""

    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Kept:
    """What became of a retrieved passage.

    Attributes:
        id: The passage.
        text: What goes into the prompt.
        spans: Which code points of the passage these are.
    """

    id: str
    text: str
    spans: tuple[Span, ...]


class Encoder(Protocol):
    """Turns texts into vectors: `vectors.WordVectors`, or `secateurs.evaluate.embeddings.Encoder` for a model."""

    def queries(self, texts: Sequence[str]) -> Any:
        """Embed queries; a float array of (texts, width), each row of length 1."""

    def sentences(self, texts: Sequence[str]) -> Any:
        """Embed passages; a float array of (texts, width), each row of length 1."""


class Pipeline(Protocol):
    """The steps from a query to the prompt, one at a time. Its documents are the framework's own."""

    def find(self, query: str) -> Sequence[Any]:
        """Embed the query and search."""

    def compress(self, query: str, documents: Sequence[Any]) -> Sequence[Any]:
        """Cut what was found."""

    def prompt(self, query: str, documents: Sequence[Any]) -> str:
        """Write what the LLM would read."""

    def kept(self, documents: Sequence[Any]) -> list[Kept]:
        """Say what documents are: which passages, and which parts of them."""


def read_corpus(paths: Sequence[Path], questions: int) -> Corpus:
    """Read passages and questions from labelled data, as `secateurs evaluate` takes it.

    Every paragraph of every document is a passage. From each file come equally many questions, those whose records
    are first in order of sha256(id); ambiguous records and those without an answer ask nothing.

    Args:
        paths: The files.
        questions: How many at most, all files together.

    Raises:
        ValueError: There are no questions in the files.
    """
    passages: dict[str, Passage] = {}
    asked: list[Question] = []
    for path in paths:
        records = list(read_records(path))
        for record in records:
            passages.update((one.id, one) for _, one in _paragraphs(record))
        name = path.name.partition(".")[0]
        found = (_question(record, name) for record in sorted(records, key=lambda record: digest(record.id)))
        asked += islice((one for one in found if one is not None), questions // len(paths))
    if not asked:
        raise ValueError(f"no question with an answer in {', '.join(path.name for path in paths)}")
    return Corpus(tuple(passages.values()), tuple(asked))


def _paragraphs(record: Record) -> Iterator[tuple[int, Passage]]:
    """Cut a document at its blank lines: where each paragraph starts, and the paragraph."""
    for match in re.finditer(r"(?:(?!\n\n).)*\S(?:(?!\n\n).)*", record.context, re.DOTALL):
        yield match.start(), Passage(digest(match.group())[:16], match.group())


def _question(record: Record, group: str) -> Question | None:
    if record.ambiguous:
        return None
    evidence = []
    for start, passage in _paragraphs(record):
        end = start + len(passage.text)
        inside = (span for span in record.evidence if start <= span.start and span.end <= end)
        evidence += [Evidence(passage.id, Span(span.start - start, span.end - start)) for span in inside]
    return Question(group, record.lang, record.query, tuple(evidence)) if evidence else None


def survives(evidence: Evidence, kept: Iterable[Kept]) -> bool:
    """Return whether a piece of evidence is whole in what was kept."""
    return any(
        one.id == evidence.passage
        and any(span.start <= evidence.span.start and evidence.span.end <= span.end for span in one.spans)
        for one in kept
    )
