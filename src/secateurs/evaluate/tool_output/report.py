"""Results on tool output as JSON and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.evaluate.table import print_table
from secateurs.evaluate.tool_output.cases import Case, kinds
from secateurs.evaluate.tool_output.check import RULE
from secateurs.evaluate.tool_output.measure import Outcome, Run

ALL = "all"  # the row of all kinds together


@dataclass(frozen=True, slots=True)
class Summary:
    """What is left of the outputs of one kind, cut in one way.

    Attributes:
        cases: How many.
        survived: Cases of which every fact survives.
        facts: Facts of all cases.
        found: Facts that survive.
        decoys: Cases in whose output something stands that an answer must not name.
        parsed: Outputs that parsed before, as JSON or as HTML.
        parses: Those of them that parse as the same after.
        before: LLM tokens before, all cases together.
        after: LLM tokens after.
        most: LLM tokens after of the longest of them.
    """

    cases: int
    survived: int
    facts: int
    found: int
    decoys: int
    parsed: int
    parses: int
    before: int
    after: int
    most: int

    @property
    def recall(self) -> float:
        """Share of the facts that survive."""
        return self.found / self.facts if self.facts else 0.0


@dataclass(frozen=True)
class Part:
    """One benchmark, measured at one number of tokens.

    Attributes:
        name: The benchmark's.
        most: LLM tokens that each way had for an output.
        signals: Whether the compressor kept what must not be lost beside the best lines.
        cases: The cases.
        runs: The compressor's run first.
        agent: Whether the compressor was asked as an agent asks: a call's arguments and words beside the question.
    """

    name: str
    most: int
    signals: bool
    cases: Sequence[Case]
    runs: Sequence[Run]
    agent: bool = False

    def summaries(self, run: Run) -> dict[str, Summary]:
        """Return the summaries of one run, by kind, and of all kinds together."""
        pairs = list(zip(self.cases, run.outcomes, strict=True))
        some = {kind: summary(one for case, one in pairs if case.kind == kind) for kind in kinds(self.cases)}
        return {**some, ALL: summary(run.outcomes)}


@dataclass(frozen=True)
class Report:
    """Everything that is written out.

    Attributes:
        version: Of this package.
        data: sha256 of each file, by its name.
        encoding: The tiktoken encoding of the LLM tokens.
        seed: Of the random lines.
        parts: What was measured.
    """

    version: str
    data: dict[str, str]
    encoding: str
    seed: int
    parts: Sequence[Part]


def summary(outcomes: Iterable[Outcome]) -> Summary:
    """Sum outcomes up."""
    some = list(outcomes)
    return Summary(
        len(some),
        sum(not one.lost for one in some),
        sum(one.facts for one in some),
        sum(one.facts - len(one.lost) for one in some),
        sum(one.decoys > 0 for one in some),
        sum(one.parsed is not None for one in some),
        sum(one.parses for one in some),
        sum(one.before for one in some),
        sum(one.after for one in some),
        max((one.after for one in some), default=0),
    )


def to_json(report: Report) -> dict[str, Any]:
    """Return the results as JSON types."""
    return {
        "secateurs": report.version,
        "encoding": report.encoding,
        "seed": report.seed,
        "data": report.data,
        "rule": RULE,
        "parts": [_part(part) for part in report.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "benchmark": part.name,
        "max_tokens": part.most,
        "signals": part.signals,
        "agent": part.agent,
        "ways": [_way(part, run) for run in part.runs],
        "losses": [asdict(loss) for run in part.runs for loss in run.losses],
    }


def _way(part: Part, run: Run) -> dict[str, Any]:
    return {
        "name": run.way,
        "failed": list(run.failed),
        "kinds": {kind: asdict(one) for kind, one in part.summaries(run).items()},
        "cases": {case.id: asdict(one) for case, one in zip(part.cases, run.outcomes, strict=True)},
    }


def show(report: Report, console: Console) -> None:
    """Print, part by part, the compressor's results, all ways side by side, and what was lost."""
    for part in report.parts:
        asked = ", asked as an agent asks" if part.agent else ""
        title = f"{part.name}: {part.runs[0].way}, at most {part.most:,} LLM tokens an output{asked}"
        print_table(console, _table(title, *_first(part)))
        title = f"{part.name}: facts that survive in {part.most:,} LLM tokens, by way"
        print_table(console, _table(title, *_ways(part)))
        for loss in part.runs[0].losses:
            console.print(Text(f"lost in {loss.case}: {loss.fact!r}: {loss.why} ({loss.cause})"))
    console.print(Text(f"Rule: {RULE}. LLM tokens: {report.encoding}.", style="dim"))


def _first(part: Part) -> tuple[list[str], list[list[str]]]:
    heads = [
        "kind",
        "cases",
        "survive",
        "facts",
        "recall",
        "parsed",
        "still parse",
        "decoys",
        "tokens before",
        "after",
    ]
    rows = []
    for kind, one in part.summaries(part.runs[0]).items():
        counts = [one.cases, one.survived, f"{one.found}/{one.facts}", f"{one.recall:.3f}"]
        counts += [one.parsed, one.parses, one.decoys]
        rows.append([kind, *map(str, counts), f"{one.before:,}", f"{one.after:,}"])
    return heads, rows


def _ways(part: Part) -> tuple[list[str], list[list[str]]]:
    columns = [part.summaries(run) for run in part.runs]
    rows = [
        [kind, *(f"{column[kind].found}/{column[kind].facts}" for column in columns)]
        for kind in [*kinds(part.cases), ALL]
    ]
    rows.append(["recall", *(f"{column[ALL].recall:.3f}" for column in columns)])
    rows.append(["whole cases", *(f"{column[ALL].survived}/{column[ALL].cases}" for column in columns)])
    rows.append(["still parse", *(f"{column[ALL].parses}/{column[ALL].parsed}" for column in columns)])
    rows.append(["most tokens", *(f"{column[ALL].most:,}" for column in columns)])
    return ["kind", *(run.way for run in part.runs)], rows


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, head in enumerate(heads):
        table.add_column(Text(head), justify="right" if place else "left")
    for row in rows:
        table.add_row(*map(Text, row), style="bold" if row[0] == ALL else None)
    return table
