"""Benchmarks of tool output: a question, an output, and the facts that have to survive in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateurs.evaluate.records import BadRecordError, json_lines
from secateurs.evaluate.tool_output.check import folded, stands_in


@dataclass(frozen=True, slots=True)
class Case:
    """One output of a tool, and what was asked of it.

    Attributes:
        id: Unique over all files that are measured together.
        kind: What the output is, such as `"json"`; results are reported by kind.
        query: What the agent wants to know.
        text: The output.
        facts: All of them have to survive; at least one, and each stands in the output.
        decoys: What an answer must not name, such as the value before the last change. Counted, no failure: beside
            the fact itself it is a reader's to tell apart.
    """

    id: str
    kind: str
    query: str
    text: str
    facts: tuple[str, ...]
    decoys: tuple[str, ...] = ()


def read_cases(paths: Sequence[Path]) -> list[Case]:
    """Read the cases of some files, in order.

    Args:
        paths: `*.jsonl` or `*.jsonl.gz` files, one record a line.

    Returns:
        The cases, at least one.

    Raises:
        BadRecordError: A record is of no known benchmark or not complete, names a fact that its output does not
            hold, or an id is there twice; the message says where.
        ValueError: There is no record.
    """
    cases: list[Case] = []
    seen: dict[str, str] = {}
    for path in paths:
        for number, row in json_lines(path):
            where = f"{path}, line {number}"
            case = _read(row, where)
            if case.id in seen:
                raise BadRecordError(f"{where}: the id {case.id!r} was there before, in {seen[case.id]}.")
            seen[case.id] = where
            cases.append(case)
    if not cases:
        raise ValueError(f"no records in {', '.join(map(str, paths))}: expected one JSON object a line.")
    return cases


def _read(row: Mapping[str, Any], where: str) -> Case:
    for fields, read in _BENCHMARKS.items():
        if row.keys() >= set(fields):
            case = read(row, where)
            _check(case, where)
            return case
    expected = " or ".join(", ".join(fields) for fields in _BENCHMARKS)
    raise BadRecordError(f"{where}: has the fields {', '.join(sorted(row)) or 'of nothing'}, expected {expected}.")


def _check(case: Case, where: str) -> None:
    if not case.query.strip():
        raise BadRecordError(f"{where}: the question is blank. Every record needs one.")
    if not case.facts:
        raise BadRecordError(f"{where}: names no fact that has to survive, expected at least one.")
    output = folded(case.text)
    for fact in case.facts:
        if not stands_in(fact, output):
            raise BadRecordError(
                f"{where}: the fact {fact!r} does not stand in the output, so it cannot survive. Letter case and"
                " white space do not matter, everything else does."
            )


def _tofb(row: Mapping[str, Any], where: str) -> Case:
    """Read a record of the Tool-Output Faithfulness Benchmark.

    Source:
        Its data card: an answer passes if it holds `gold` and every one of `all_of`, and none of `must_not`.
    """
    gold = [_text(row, "gold", where)] if row.get("gold") is not None else []
    facts = [*gold, *_texts(row, "all_of", where)]
    name, kind = _text(row, "id", where), _text(row, "content_type", where)
    texts = (_text(row, "question", where), _text(row, "tool_output", where))
    return Case(name, kind, *texts, tuple(facts), tuple(_texts(row, "must_not", where)))


# The fields that tell a benchmark, and what reads its records.
_BENCHMARKS: dict[tuple[str, ...], Callable[[Mapping[str, Any], str], Case]] = {
    ("id", "content_type", "question", "gold", "tool_output"): _tofb,
}


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row[key]
    if not isinstance(value, str):
        raise BadRecordError(f"{where}: {key!r} is {_short(value)}, expected a string.")
    return value


def _texts(row: Mapping[str, Any], key: str, where: str) -> Iterator[str]:
    values = row.get(key)
    if values is None:
        return
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadRecordError(f"{where}: {key!r} is {_short(values)}, expected a list of strings.")
    yield from values


def _short(value: object) -> str:
    return repr(value)[:60]


def kinds(cases: Iterable[Case]) -> list[str]:
    """Return the kinds of some cases, in order of their first."""
    return list(dict.fromkeys(case.kind for case in cases))
