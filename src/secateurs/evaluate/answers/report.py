"""Results as JSON, as Markdown and as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.evaluate.answers.contexts import EXPLAINED, PRUNED
from secateurs.evaluate.answers.plan import AGREEMENT, EVIDENCE, GIVEN, NONE
from secateurs.evaluate.answers.results import Results, Row
from secateurs.evaluate.table import markdown, number, print_table

_HEADS = ("system", "setting", "saved", "right", "retained", "p", "no answer, wrongly", "no answer, rightly")
_MORE = ("not known", "evidence", "answer text", "tokens", "seconds")
_REFERENCES = {
    GIVEN: "a given answer",
    EVIDENCE: "the labelled evidence",
    AGREEMENT: "the answer to all documents: agreement, not accuracy",
    NONE: "nothing, since they cannot be answered",
}
_EXPLAINED = """\
Saved: share of the LLM tokens of the documents ({encoding}), all questions together. Right: questions with an \
answer that both judges call right, of those whose outcome is known. Retained: of what is right with all documents, \
the share that is right here{interval}. p: McNemar's, exact. No answer: \
the reader said that there is none, where there is one (wrongly) and where there is none (rightly). Not known: not \
answered, not judged, or the judges differ; never guessed. Evidence and answer text: shares of the labelled spans, \
and of the questions with an accepted answer, whose text stands in what the reader was shown. Controls get, question \
by question, as many LLM tokens as ours left."""


def to_json(results: Results) -> dict[str, Any]:
    """Return the results as JSON types."""
    return {
        "made": results.plan.made,
        "references": results.references,
        "judges": {
            "agreement": results.agreement.share,
            "kappa": results.agreement.kappa,
            "judged_twice": results.agreement.sentences,
            "disputed": results.disputed,
            "unreadable_verdicts": results.unread,
        },
        "readers": _who(results.answers.models, results.answers, results.asked[0]),
        "judged_by": _who(results.verdicts.models, results.verdicts, results.asked[1]),
        "rows": [_row(row) for row in results.rows],
        "languages": {name: [_row(row) for row in rows] for name, rows in results.languages.items()},
        "kinds": {name: [_row(row) for row in rows] for name, rows in results.kinds.items()},
    }


def _row(row: Row) -> dict[str, Any]:
    pairs = row.pairs._asdict() if row.pairs is not None else None
    retained = row.pairs.retained if row.pairs is not None else None
    return {
        **asdict(row),
        "pairs": pairs,
        "retained": retained,
        "interval": list(row.interval) if row.interval is not None else None,
    }


def _who(models: Sequence[str], journal: Any, asked: int) -> dict[str, Any]:
    return {
        "models": list(models),
        "prompts": asked,
        "answered": len(journal.said),
        "failed": _counted(journal.failed.values()),
        "problems": dict(sorted(journal.problems.items())),
        "prompt_tokens": journal.used("prompt_tokens"),
        "completion_tokens": journal.used("completion_tokens"),
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    some = list(names)
    return {name: some.count(name) for name in sorted(set(some))}


def notes(results: Results) -> list[str]:
    """Return what has to be known to read the tables, a sentence each: what was compared, and what went wrong."""
    made = results.plan.made
    kinds = [f"{count} with {_REFERENCES[kind]}" for kind, count in results.references.items()]
    said = [f"{len(results.plan.cases)} questions: {'; '.join(kinds)}."]
    shown = ", ".join(f"{name} is {value}" for name, value in made.get("thresholds", {}).items())
    if shown:
        said.append(f"Settings of {made.get('model')}: {shown}.")
    for who, journal, asked in (
        ("Readers", results.answers, results.asked[0]),
        ("Judges", results.verdicts, results.asked[1]),
    ):
        if not journal.said and not journal.failed and not journal.problems:
            said.append(f"{who}: nobody has answered any of {asked} prompts yet.")
            continue
        names = ", ".join(journal.models) or "read from files"
        used = journal.used("prompt_tokens"), journal.used("completion_tokens")
        tokens = f", {used[0]:,} tokens read and {used[1]:,} written" if any(used) else ""
        said.append(f"{who} ({names}): {len(journal.said)} of {asked} prompts answered{tokens}.")
        troubles = [f"{count} {name}" for name, count in _counted(journal.failed.values()).items()]
        troubles += [f"{count} {name}" for name, count in sorted(journal.problems.items())]
        if troubles:
            said.append(f"{who}, not used: {'; '.join(troubles)}.")
    if results.unread:
        said.append(f"Verdicts that cannot be read, and do not count: {results.unread}.")
    agreed, kappa = results.agreement.share, results.agreement.kappa
    if agreed is not None:
        beyond = f", kappa {kappa:.2f}" if kappa is not None else ""
        said.append(
            f"Two judges, the second shown answer and reference in swapped places, agree on {agreed:.1%} of"
            f" {results.agreement.sentences} answers{beyond}; {results.disputed} outcomes are in dispute and count as"
            " not known."
        )
    return said


def to_markdown(results: Results, picture: str | None = None, *, resamples: int) -> str:
    """Return the results as Markdown.

    Args:
        results: The results.
        picture: File name of the curve.
        resamples: Of the intervals.
    """
    lines = ["# Answers", ""]
    if picture is not None:
        lines += [f"![Answers against tokens saved]({picture})", ""]
    heads, rows = _filled((*_HEADS, *_MORE), [_cells(row) for row in results.rows], words=2)
    lines += [*markdown(heads, rows, left=2), ""]
    lines += [*(f"- {text}" for text in notes(results)), ""]
    for title, parts in (("language", results.languages), ("kind of question", results.kinds)):
        if len(parts) > 1:
            lines += [f"## By {title}", "", *markdown(*_parts(title, parts), left=3), ""]
    lines += ["## How to read this", "", _explained(results, resamples), ""]
    lines += [*(f"- {name}: {EXPLAINED[name]}" for name in dict.fromkeys(row.system for row in results.rows)), ""]
    return "\n".join(lines)


def show(results: Results, console: Console, *, resamples: int) -> None:
    """Print the table over all questions, that of ours by language, and what has to be known."""
    heads: tuple[str, ...] = _HEADS if results.read else ("system", "setting", "saved", *_MORE[1:4])
    filled = [dict(zip((*_HEADS, *_MORE), _cells(row), strict=True)) for row in results.rows]
    heads = tuple(head for head in heads if any(row[head] for row in filled))
    title = "Answers" if results.read else "Nobody was asked yet: what stands in the text"
    print_table(console, _rich(title, heads, results.rows), words=2)
    if len(results.languages) > 1:
        table = _table("By language", ("language", *heads))
        for name, rows in results.languages.items():
            for row in rows:
                if row.system in (PRUNED, "random"):
                    table.add_row(name, *_chosen(row, heads))
        print_table(console, table, words=3)
    for text in notes(results):
        console.print(Text(text))
    console.print(Text(_explained(results, resamples), style="dim"))


def _explained(results: Results, resamples: int) -> str:
    interval = f", with the middle 95 % of {resamples} paired resamples" if resamples else ""
    return _EXPLAINED.format(encoding=results.plan.made.get("encoding", "?"), interval=interval)


def _rich(title: str, heads: Sequence[str], rows: Iterable[Row]) -> Table:
    table = _table(title, heads)
    for row in rows:
        table.add_row(*_chosen(row, heads), style="bold" if row.system == PRUNED else None)
    return table


def _table(title: str, heads: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        left = head in ("system", "setting", "language")
        table.add_column(Text(head), justify="left" if left else "right")
    return table


def _chosen(row: Row, heads: Sequence[str]) -> list[str]:
    cells = dict(zip((*_HEADS, *_MORE), _cells(row), strict=True))
    return [cells[head] for head in heads]


def _parts(title: str, parts: Mapping[str, Sequence[Row]]) -> tuple[list[str], list[list[str]]]:
    rows = [[name, *_cells(row)] for name, some in parts.items() for row in some]
    return _filled((title, *_HEADS, *_MORE), rows, words=3)


def _filled(heads: Sequence[str], rows: list[list[str]], *, words: int) -> tuple[list[str], list[list[str]]]:
    """Leave the columns out, behind those of words, in which no row has anything."""
    stays = [place for place in range(len(heads)) if place < words or any(row[place] for row in rows)]
    return [heads[place] for place in stays], [[row[place] for place in stays] for row in rows]


def _cells(row: Row) -> list[str]:
    retained = number(row.pairs.retained) if row.pairs is not None else ""
    if retained and row.interval is not None:
        retained += f" [{row.interval.low:.2f}, {row.interval.high:.2f}]"
    judged = row.answerable > 0
    return [
        row.system,
        row.setting,
        f"{row.saved:.1%}",
        f"{row.right} of {row.answerable}" if judged else "",
        retained,
        "" if row.p is None or not judged else f"{row.p:.2g}",
        f"{row.abstained} of {row.answerable}" if judged else "",
        f"{row.rightly} of {row.unanswerable}" if row.unanswerable else "",
        str(row.unknown),
        number(row.evidence),
        number(row.answers),
        f"{row.tokens:,}",
        "" if row.seconds is None else f"{row.seconds:.2f}",
    ]
