"""Questions with what was retrieved for them: JSON lines, checked before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateurs.evaluate.records import BadRecordError, check_spans, json_lines, languages
from secateurs.result.span import Span
from secateurs.segment.prose import detect_language
from secateurs.support.hints import meant

_UNKNOWN_REASON = {"en": "the documents do not say", "zh": "文档中没有说明"}


@dataclass(frozen=True, slots=True)
class Document:
    """A retrieved document.

    Attributes:
        text: The document.
        evidence: Spans that answer, in code points, sorted and disjoint; `()` where none does; None where nobody
            has labelled it.
        source: Where it comes from; `""` where the data does not say.
    """

    text: str
    evidence: tuple[Span, ...] | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A query, what was retrieved for it, and what is known of its answer.

    Attributes:
        id: Unique.
        query: The query.
        documents: What was retrieved, nearest first.
        answers: Accepted answers; the first is shown to a judge. `()` where there is none.
        unanswerable: Why the documents do not answer; `""` where they do, or nobody knows.
        query_lang: Language code of the query.
        lang: Language code of the documents.
        kind: A name of a kind of query; `""` where the data does not say.
    """

    id: str
    query: str
    documents: tuple[Document, ...]
    answers: tuple[str, ...] = ()
    unanswerable: str = ""
    query_lang: str = "en"
    lang: str = "en"
    kind: str = ""

    @property
    def evidence(self) -> list[str]:
        """The texts that answer, where documents are labelled."""
        return [
            document.text[span.start : span.end] for document in self.documents for span in document.evidence or ()
        ]

    @property
    def labelled(self) -> bool:
        """Whether any of its documents is labelled."""
        return any(document.evidence is not None for document in self.documents)

    @property
    def languages(self) -> str:
        """Its row in a table by language: `"en"`, or `"zh query, en documents"`."""
        return languages(self.query_lang, self.lang)


def read_cases(paths: Iterable[Path]) -> list[Case]:
    """Read the cases of some files, in order.

    Args:
        paths: `*.jsonl` or `*.jsonl.gz`. A line has a `query` and `documents`, a list of texts or of objects with a
            `text` and, where somebody labelled it, its `evidence`; or, as labelled data have it, one `context` with
            its `evidence`. Optional: `id`, `answer` or `answers`, `unanswerable` (true, or the reason), `query_lang`,
            `lang`, `kind`.

    Raises:
        BadRecordError: A line is not as described, or an id stands twice.
    """
    cases: list[Case] = []
    seen: dict[str, str] = {}
    for path in paths:
        for number, row in json_lines(path):
            where = f"{path}, line {number}"
            case = _case(row, where, f"{path.name}:{number}")
            if case.id in seen:
                raise BadRecordError(
                    f"{where}: the id {case.id!r} stands at {seen[case.id]}, too. Expected one question an id: rename"
                    " one of them, or leave ids out."
                )
            seen[case.id] = where
            cases.append(case)
    if not cases:
        raise BadRecordError(f"{', '.join(map(str, paths))}: there is no question in it.")
    return cases


def _case(row: Mapping[str, Any], where: str, fallback: str) -> Case:
    query = row.get("query")
    if not isinstance(query, str) or not query.strip():
        close = next((one for one in row if meant(one, ("query",)) == "query"), None)
        hint = f"; is {close!r} it?" if "query" not in row and close is not None else ""
        raise BadRecordError(f"{where}: 'query' is missing or blank: expected the question{hint}")
    documents = _documents(row, where)
    name = row.get("id")
    if name is not None and (isinstance(name, bool) or not isinstance(name, (str, int))):
        raise BadRecordError(f"{where}: 'id' is {name!r}, expected a text. Or leave it out.")
    lang = _text(row, "lang", where) or detect_language("\n".join(one.text for one in documents))
    query_lang = _text(row, "query_lang", where) or (lang if "lang" in row else detect_language(query))
    answers = _answers(row, where)
    return Case(
        fallback if name in (None, "") else str(name),
        query,
        documents,
        answers,
        _why(row, where, documents, answers, query_lang),
        query_lang,
        lang,
        _text(row, "kind", where),
    )


def _documents(row: Mapping[str, Any], where: str) -> tuple[Document, ...]:
    if "documents" not in row and "context" in row:
        given: Any = [{"text": row["context"], "evidence": row.get("evidence"), "source": row.get("source")}]
    else:
        given = row.get("documents")
    if not isinstance(given, list) or not given:
        raise BadRecordError(f"{where}: 'documents' is no list, or empty: expected what was retrieved, one or more.")
    found = []
    for index, one in enumerate(given):
        place = f"{where}: 'documents'[{index}]"
        one = {"text": one} if isinstance(one, str) else one
        if not isinstance(one, dict) or not isinstance(one.get("text"), str):
            raise BadRecordError(f"{place} is none: expected a text, or an object with a 'text'.")
        labels = one.get("evidence")
        evidence = None if labels is None else tuple(check_spans(labels, len(one["text"]), f"{place}: 'evidence'"))
        found.append(Document(one["text"], evidence, str(one.get("source") or "")))
    return tuple(found)


def _answers(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    given = row.get("answers") if row.get("answer") is None else [row["answer"]]
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise BadRecordError(f"{where}: 'answers' is {str(given)[:60]}, expected texts ('answer' for one).")
    return tuple(dict.fromkeys(one for one in given if one.strip()))


def _why(row: Mapping[str, Any], where: str, documents: Sequence[Document], answers: Sequence[str], lang: str) -> str:
    """Return why a question cannot be answered; `""` where it can, or where nobody said."""
    given = row.get("unanswerable")
    if given is not None and not isinstance(given, (bool, str)):
        raise BadRecordError(f"{where}: 'unanswerable' is {str(given)[:60]}, expected true, false or the reason.")
    if isinstance(given, str) and given.strip():
        why = given
    elif given is True or (given is None and "context" in row and documents[0].evidence == () and not answers):
        said = row.get("why")
        why = said if isinstance(said, str) and said.strip() else _UNKNOWN_REASON["zh" if lang[:2] == "zh" else "en"]
    else:
        return ""
    if answers:
        raise BadRecordError(f"{where}: has an answer and is 'unanswerable': expected one of the two.")
    return why


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRecordError(f"{where}: {name!r} is {str(value)[:60]}, expected a text. Or leave it out.")
    return value or ""
