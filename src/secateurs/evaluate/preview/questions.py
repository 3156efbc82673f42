"""Questions with the documents found for them, a line each; nobody labelled anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateurs.evaluate.records import BadRecordError, json_lines
from secateurs.support.hints import meant

_DOCUMENTS = ("documents", "document", "context")


@dataclass(frozen=True)
class Question:
    """A query with what was retrieved for it.

    Attributes:
        query: The query.
        documents: The documents.
    """

    query: str
    documents: Sequence[str]


def read_questions(path: Path) -> Iterator[Question]:
    """Read questions.

    Args:
        path: `*.jsonl` or `*.jsonl.gz`. A line has a `query`, and either `documents`, a list of texts or of objects
            with a `text`, or one `document` (or `context`, as labelled data call it). Other fields do not matter.

    Yields:
        Question: One after another.

    Raises:
        BadRecordError: A line is not as described; the message says where and why.
    """
    for number, row in json_lines(path):
        where = f"{path}, line {number}"
        query = row.get("query")
        if not isinstance(query, str) or not query.strip():
            raise BadRecordError(f"{where}: {_lacks(row, 'query', ('query', *_DOCUMENTS))}")
        yield Question(query, _documents(row, where))


def _documents(row: Mapping[str, Any], where: str) -> list[str]:
    name = next((name for name in _DOCUMENTS if name in row), None)
    if name is None:
        raise BadRecordError(f"{where}: {_lacks(row, 'documents', _DOCUMENTS)}")
    given = row[name] if name == "documents" else [row[name]]
    if not isinstance(given, list):
        raise BadRecordError(f"{where}: 'documents' is no list: expected texts, or objects with a 'text'.")
    texts = []
    for index, one in enumerate(given):
        text = one.get("text") if isinstance(one, dict) else one
        if not isinstance(text, str):
            raise BadRecordError(f"{where}: {name!r}[{index}] is none: expected a text, or an object with a 'text'.")
        texts.append(text)
    return texts


def _lacks(row: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
    """Say that a field is missing or blank, and which of those that are there was probably meant."""
    if name in row:
        return f"{name!r} is blank or no text: expected the question."
    close = next((one for one in row if meant(one, known) == name), None)
    hint = f"; is {close!r} it?" if close is not None else ""
    return f"there is no {name!r}: expected {{'query': ..., 'documents': [...]}} a line{hint}"
