"""How far a run is, and what it came to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from secateurs.bulk.output import Facts
from secateurs.bulk.survey import Shard
from secateurs.result.savings import Savings

_SECONDS = 15.0  # between two lines where there is no terminal


@dataclass
class Totals:
    """What receipts add up to.

    Attributes:
        rows: Rows in the parts.
        bad_rows: Rows in the error file.
        documents: Documents by status.
        savings: LLM tokens; None before the first receipt.
    """

    rows: int = 0
    bad_rows: int = 0
    documents: Counter[str] = field(default_factory=Counter)
    savings: Savings | None = None

    def add(self, receipt: Facts) -> None:
        """Add a finished shard."""
        self.rows += receipt["rows"]
        self.bad_rows += len(receipt["errors"])
        self.documents.update(receipt["documents"])
        facts = receipt["savings"]
        savings = Savings(facts["before"], facts["after"], facts["encoding"], facts["exact"])
        self.savings = savings if self.savings is None else self.savings + savings

    def to_dict(self) -> dict[str, Any]:
        """Return the totals as JSON types."""
        savings = None if self.savings is None else self.savings.to_dict()
        return {"rows": self.rows, "bad_rows": self.bad_rows, "documents": dict(self.documents), "savings": savings}


class Progress:
    """Shows a run: a bar on a terminal, now and then a line elsewhere.

    Args:
        console: Where to; standard error, as a rule.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            TextColumn("compressing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rows, {task.fields[saved]} of the tokens saved,"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._totals = Totals()
        self._shards: Sequence[Shard] = ()
        self._rows = self._done = self._finished = 0
        self._said = 0.0

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show what is being waited for, on a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(f"{what} ..."):
            yield

    def begin(self, shards: Sequence[Shard], finished: Mapping[int, Facts]) -> None:
        """Begin.

        Args:
            shards: All of them.
            finished: Receipts of those that an earlier run has finished.
        """
        self._shards = shards
        self._rows = sum(shard.rows for shard in shards)
        self._task = self._bar.add_task("", total=self._rows, saved="0%")
        for receipt in finished.values():
            self._count(receipt)
        if self._finished and not self._console.is_terminal:
            self._say(f"{self._finished:,} of {len(shards):,} shards were finished by an earlier run")
        self._said = time.monotonic()
        self._bar.start()

    def add(self, receipt: Facts) -> None:
        """Count a finished shard."""
        self._count(receipt)
        now = time.monotonic()
        if not self._console.is_terminal and (now - self._said >= _SECONDS or self._finished == len(self._shards)):
            self._said = now
            self._say(
                f"{self._finished:,} of {len(self._shards):,} shards, {self._done:,} of {self._rows:,} rows, "
                f"{self._saved()} of the tokens saved"
            )

    def end(self) -> None:
        """Take the bar away."""
        self._bar.stop()

    def _count(self, receipt: Facts) -> None:
        self._totals.add(receipt)
        self._finished += 1
        self._done += self._shards[receipt["shard"]].rows
        self._bar.update(self._task, completed=self._done, saved=self._saved())

    def _saved(self) -> str:
        return "0%" if self._totals.savings is None else self._totals.savings.percent

    def _say(self, line: str) -> None:
        self._console.print(f"secateurs: {line}", highlight=False, soft_wrap=True)


def show(totals: Totals, console: Console) -> None:
    """Print what a run came to."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("count", justify="right")
    table.add_row("rows", f"{totals.rows:,}")
    table.add_row("rows in _errors.jsonl", f"{totals.bad_rows:,}")
    for status, count in totals.documents.items():
        table.add_row(f"documents {status}", f"{count:,}")
    if totals.savings is not None:
        savings = totals.savings
        table.add_row("tokens before", f"{savings.before:,}")
        table.add_row("tokens after", f"{savings.after:,}")
        table.add_row("tokens saved", f"{savings.saved:,} ({savings.percent})")
    console.print(table)
    if totals.savings is not None:
        exact = "" if totals.savings.exact else ", an approximation: the encoding could not be loaded"
        console.print(f"tokens: {totals.savings.encoding}{exact}", style="dim", highlight=False)
