"""The files of an annotation: what is done, and where the rest goes.

OUT holds the labelled records, OUT.rejected the records without a usable answer, and the failed prompts of records
that have labels from others (`"outcome": "partial"`); the report is made from the two. Whenever the process is
killed, a record stands once in OUT, or once as `"rejected"`, or is still to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secateurs.annotate.answers import Reason
from secateurs.annotate.labels import Labelled
from secateurs.annotate.lines import Lines, OutputError, Row, keep, rows
from secateurs.annotate.records import Unlabelled, digest
from secateurs.result.span import merge_spans
from secateurs.support.files import remove_unfinished


@dataclass(frozen=True)
class Paths:
    """The files of one annotation."""

    labelled: Path

    @property
    def rejected(self) -> Path:
        """`labels.jsonl` -> `labels.rejected.jsonl`."""
        return self.labelled.with_suffix(".rejected.jsonl")

    @property
    def report(self) -> Path:
        """`labels.jsonl` -> `labels.report.json`."""
        return self.labelled.with_suffix(".report.json")


@dataclass(frozen=True)
class Annotator:
    """Who labels, and how: written into every record, and the same for all records of a file.

    Attributes:
        model: The model's name on the server.
        prompt_version: Of the instructions.
        temperature: Of the sampling.
        two_orders: Whether every document was asked about twice.
    """

    model: str
    prompt_version: str
    temperature: float
    two_orders: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return what a record says of it."""
        return {"model": self.model, "prompt_version": self.prompt_version, "temperature": self.temperature}


@dataclass
class Output:
    """What is done, and where the rest goes.

    Attributes:
        labelled: OUT.
        rejected: Its neighbour.
        annotator: Who labels.
        done: The digest of every record that needs no further work, by id.
    """

    labelled: Lines
    rejected: Lines
    annotator: Annotator
    done: dict[str, str] = field(default_factory=dict)

    def add(self, record: Unlabelled, result: Labelled) -> None:
        """Write what came of a record.

        A kill between the two writes leaves a rejected line of an unfinished record; the next run drops it.
        """
        failures = [failure.to_dict() for failure in result.failures]
        if failures:
            outcome = "rejected" if result.rejected else "partial"
            self.rejected.append({**_base(record), "outcome": outcome, "failures": failures})
        if not result.rejected:
            self.labelled.append(_labelled(record, result, self.annotator))
        self.done[record.id] = record.digest

    def close(self) -> None:
        """Close both files."""
        self.labelled.close()
        self.rejected.close()


def open_output(paths: Paths, annotator: Annotator, *, retry_rejected: bool = False) -> Output:
    """Open the files of a new annotation, or of one that was stopped.

    Args:
        paths: Where they are.
        annotator: Who labels; must be the one that has labelled before.
        retry_rejected: Ask again about records that got no usable answer. Those that got no answer at all are
            asked again anyway.

    Returns:
        The open files, and what is done.

    Raises:
        OutputError: They cannot be used, or another annotator wrote them.
    """
    if paths.labelled.suffix == ".gz":
        raise OutputError(
            f"{paths.labelled} would be compressed: a line of it could not be synced. Name a .jsonl file."
        )
    if paths.labelled.exists() and not paths.labelled.is_file():
        raise OutputError(f"{paths.labelled} is not a file: name a file to append to.")
    labelled = Lines(paths.labelled)  # its lock guards all of them
    try:
        for path in (paths.rejected, paths.report):
            remove_unfinished(path.parent, path.name)
        done = _done(paths.labelled, annotator)
        rejected = _rejected(paths.rejected, done, retry_rejected)
        return Output(labelled, Lines(paths.rejected), annotator, done | rejected)
    except BaseException:
        labelled.close()
        raise


def _done(path: Path, annotator: Annotator) -> dict[str, str]:
    """Return what OUT holds; refuse to mix labels of two annotators in one file."""
    done: dict[str, str] = {}
    for number, row in enumerate(rows(path), start=1):
        if row.get("annotator") != annotator.to_dict() or ("orders" in row) is not annotator.two_orders:
            orders = ", in two orders" if "orders" in row else ""
            raise OutputError(
                f"{path}:{number} was labelled by {row.get('annotator')}{orders};"
                f" now it is {annotator}. Expected one annotator a file: name another output file."
            )
        if row["id"] in done:
            raise OutputError(f"{path}:{number} holds the id {row['id']!r} again: name another output file.")
        done[row["id"]] = digest(row["query"], row["context"])
    return done


def _rejected(path: Path, done: Mapping[str, str], retry: bool) -> dict[str, str]:
    """Return what needs no second try; drop the lines of all that gets one."""

    def stays(row: Row) -> bool:
        if row.get("outcome") == "partial" or row["id"] in done:
            return row["id"] in done
        answered = any(Reason(failure["reason"]).answered for failure in row.get("failures", ()))
        return answered and not retry

    if not path.exists():
        return {}
    Lines(path).close()  # cuts a torn line off
    keep(path, stays)
    return {row["id"]: digest(row["query"], row["context"]) for row in rows(path)}


def _base(record: Unlabelled) -> dict[str, Any]:
    return {"id": record.id, "lang": record.lang, "query": record.query, "context": record.context, **record.extra}


def _labelled(record: Unlabelled, result: Labelled, annotator: Annotator) -> dict[str, Any]:
    kept = [span for span, label in zip(result.spans, result.labels, strict=True) if label == 1]
    row = {
        **_base(record),
        "evidence": merge_spans(kept),
        "sentences": result.spans,
        "labels": result.labels,
        "reasoning": result.reasoning,
        "annotator": annotator.to_dict(),
    }
    return {**row, "orders": result.orders} if annotator.two_orders else row
