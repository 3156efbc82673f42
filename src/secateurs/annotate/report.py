"""What came out of an annotation, counted from its files: the same after ten kills as after none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from secateurs.annotate.agreement import Agreement, compare
from secateurs.annotate.answers import Reason
from secateurs.annotate.lines import rows
from secateurs.annotate.output import Annotator, Paths


@dataclass
class Report:
    """Counts over the output files.

    Attributes:
        annotator: Who labelled.
        input: Different records of the input.
        labelled: Records in OUT.
        partial: Of these, records some of whose prompts failed.
        without_evidence: Of these, records without a needed sentence, every label known.
        rejected: Records without any label.
        unanswered: Of these, records that the next run asks again.
        kept: Sentences labelled 1.
        dropped: Sentences labelled 0.
        unknown: Sentences labelled null, their prompt failed or the orders disagree.
        reasons: Prompts without a usable answer, by reason.
        langs: Records in OUT by language.
        agreement: Of the two orders.
        traffic: Requests, retries and LLM tokens of the last run alone.
    """

    annotator: Annotator
    input: int
    labelled: int = 0
    partial: int = 0
    without_evidence: int = 0
    rejected: int = 0
    unanswered: int = 0
    kept: int = 0
    dropped: int = 0
    unknown: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    langs: Counter[str] = field(default_factory=Counter)
    agreement: Agreement = field(default_factory=Agreement)
    traffic: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        agreement = None
        if self.annotator.two_orders:
            counts = self.agreement
            agreement = {"sentences": counts.sentences, "share": counts.share, "kappa": counts.kappa}
        return {
            "annotator": self.annotator.to_dict(),
            "records": {
                "input": self.input,
                "labelled": self.labelled,
                "partial": self.partial,
                "without_evidence": self.without_evidence,
                "rejected": self.rejected,
                "unanswered": self.unanswered,
            },
            "sentences": {"kept": self.kept, "dropped": self.dropped, "unknown": self.unknown},
            "reasons": dict(sorted(self.reasons.items())),
            "langs": dict(sorted(self.langs.items())),
            "agreement": agreement,
            "last_run": dict(sorted(self.traffic.items())),
        }


def make_report(paths: Paths, annotator: Annotator, *, records: int, traffic: Mapping[str, int]) -> Report:
    """Count what the files of an annotation hold.

    Args:
        paths: Where they are.
        annotator: Who labelled.
        records: Different records of the input.
        traffic: The endpoint's counts.

    Returns:
        The report.
    """
    report = Report(annotator, records, traffic=traffic)
    for row in rows(paths.labelled):
        labels = row["labels"]
        report.labelled += 1
        report.langs[row["lang"]] += 1
        if all(label == 0 for label in labels):
            report.without_evidence += 1
        report.kept += labels.count(1)
        report.dropped += labels.count(0)
        report.unknown += labels.count(None)
        if annotator.two_orders:
            report.agreement += compare(*row["orders"])
    for row in rows(paths.rejected):
        reasons = [Reason(failure["reason"]) for failure in row["failures"]]
        report.reasons.update(str(reason) for reason in reasons)
        if row["outcome"] == "partial":
            report.partial += 1
            continue
        report.rejected += 1
        if not any(reason.answered for reason in reasons):
            report.unanswered += 1
    return report


def show(report: Report, console: Console) -> None:
    """Print a report as a table."""
    facts = report.to_dict()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("count", justify="right")
    for group in ("records", "sentences", "reasons", "last_run"):
        for name, count in facts[group].items():
            table.add_row(f"{_TITLES[group]}: {name.replace('_', ' ')}", f"{count:,}")
    console.print(table)
    if facts["agreement"]:
        share, kappa = report.agreement.share, report.agreement.kappa
        console.print(
            f"two orders: {report.agreement.sentences:,} sentences, "
            f"{'-' if share is None else f'{share:.1%}'} agree, "
            f"Cohen's kappa {'undefined' if kappa is None else f'{kappa:.3f}'}"
        )


_TITLES = {
    "records": "records",
    "sentences": "sentences",
    "reasons": "prompts set aside",
    "last_run": "this run",
}
