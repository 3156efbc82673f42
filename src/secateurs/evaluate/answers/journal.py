"""What readers and judges said: read back, with all that is wrong with it counted. Nothing is guessed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secateurs.annotate.answers import Reason
from secateurs.evaluate.records import BadRecordError
from secateurs.support.encodings import DamagedError, text_lines
from secateurs.support.paths import exists

CONFLICT = "two answers"


@dataclass(frozen=True, slots=True)
class Said:
    """One answer.

    Attributes:
        answer: The text.
        model: Who said it; `""` where the file does not say.
        prompt_tokens: LLM tokens, as the server counted them.
        completion_tokens: The same, of the answer.
        seconds: How long it took; 0.0 where the file does not say.
    """

    answer: str
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


@dataclass
class Journal:
    """All answers.

    Attributes:
        said: By prompt.
        failed: Why there is none, by prompt.
        problems: What else was found, counted.
    """

    said: dict[str, Said] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)

    def to_ask(self, prompts: Collection[str], *, again: bool) -> list[str]:
        """Return what is still to be asked: what got no answer at all, and what got no usable one if asked again."""
        return [name for name in prompts if name not in self.said and self._passing(name, again=again)]

    def _passing(self, name: str, *, again: bool) -> bool:
        why = self.failed.get(name)
        if why is None:
            return True
        known = why in Reason.__members__.values()
        return known and (again or not Reason(why).answered)

    def missing(self, prompts: Collection[str]) -> int:
        """Return how many prompts have no usable answer."""
        return sum(name not in self.said for name in prompts)

    @property
    def models(self) -> list[str]:
        """Who answered."""
        return sorted({one.model for one in self.said.values() if one.model})

    def used(self, name: str) -> int:
        """Return the sum of a count of LLM tokens."""
        return sum(getattr(one, name) for one in self.said.values())


def read_journal(path: Path, known: Collection[str]) -> Journal:
    """Read answers, `{"id": ..., "answer": ...}` a line; other fields do not matter.

    Args:
        path: The file; it need not be there.
        known: Ids of the prompts.

    Raises:
        BadRecordError: The file is no text.
    """
    journal, ids = Journal(), set(known)
    for row in _rows(path, journal.problems):
        name = row.get("id")
        if not isinstance(name, str):
            journal.problems["lines without an id"] += 1
        elif name not in ids:
            journal.problems["answers to prompts that the plan does not have"] += 1
        elif isinstance(row.get("failed"), str):
            if name not in journal.said and journal.failed.get(name) != CONFLICT:
                journal.failed[name] = row["failed"]
        elif not isinstance(row.get("answer"), str) or not row["answer"].strip():
            journal.problems["answers that are blank or no text"] += 1
        else:
            _add(journal, name, row)
    return journal


def _add(journal: Journal, name: str, row: Mapping[str, Any]) -> None:
    before = journal.said.get(name)
    if journal.failed.get(name) == CONFLICT or (before is not None and before.answer != row["answer"]):
        journal.said.pop(name, None)
        journal.failed[name] = CONFLICT
        if before is not None:
            journal.problems["prompts with two different answers, none of which counts"] += 1
        return
    if before is not None:
        journal.problems["answers given twice"] += 1
        return
    journal.failed.pop(name, None)
    numbers = [_number(row.get(key)) for key in ("prompt_tokens", "completion_tokens", "seconds")]
    model = row.get("model")
    journal.said[name] = Said(
        row["answer"], model if isinstance(model, str) else "", int(numbers[0]), int(numbers[1]), numbers[2]
    )


def _number(value: object) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12
    return float(value) if good and isinstance(value, (int, float)) else 0.0


def _rows(path: Path, problems: Counter[str]) -> Iterator[dict[str, Any]]:
    if not exists(path):
        return
    try:
        for _, line in text_lines(path):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                yield row
            else:
                problems["lines that are no JSON object"] += 1
    except (OSError, DamagedError) as error:
        raise BadRecordError(f"cannot read {path}: {error}. Expected UTF-8 text, one JSON object a line.") from None
