"""What one call of an adapter did, for whoever listens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from secateurs.errors import beginning, printable, shorten
from secateurs.result.compression import Compression
from secateurs.result.savings import Savings

_LONGEST_LINE = 200  # characters of an error, where a report is printed


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What one call of an adapter did; printed, it is a line.

    Attributes:
        query: The query the documents were compressed for.
        compressions: One result for each document that came in, in order; empty if the call failed as a whole.
        savings: Their sum; a document that `top_n` left out counts as saved whole.
        dropped_ids: Ids of the documents that were left out (None where a document had no id).
        error: What went wrong with the call as a whole, else None.
    """

    query: str
    compressions: Sequence[Compression]
    savings: Savings
    dropped_ids: Sequence[str | None] = ()
    error: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return shorten(f"not compressed, {printable(self.error)}", _LONGEST_LINE)
        kept = sum(len(one.kept) for one in self.compressions)
        units = sum(len(one.sentences) for one in self.compressions)
        failed = sum(one.status == "error" for one in self.compressions)
        said = f"{_documents(len(self.compressions))}: {kept:,} of {units:,} units kept, {self.savings}"
        said += f", {len(self.dropped_ids):,} left out" if self.dropped_ids else ""
        return said + (f", {failed:,} failed" if failed else "")

    def __repr__(self) -> str:
        return f"<Report of {beginning(self.query)}: {self}>"


def _documents(number: int) -> str:
    return "1 document" if number == 1 else f"{number:,} documents"


def report_to_dict(report: Report) -> dict[str, Any]:
    """Return a report as JSON types, without the documents' text: what goes out as an event."""
    return {
        "query": report.query,
        "compressions": [without_text(compression) for compression in report.compressions],
        "savings": report.savings.to_dict(),
        "dropped_ids": list(report.dropped_ids),
        "error": report.error,
    }


def without_text(compression: Compression) -> dict[str, Any]:
    """Return a result as JSON types, without any text of the document."""
    data = compression.to_dict()
    del data["text"]
    for sentence in data["sentences"]:
        del sentence["text"]
    return data
