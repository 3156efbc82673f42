"""The folder of a run: who is asked what, written before anybody is asked; and how it is read back.

`plan.jsonl` (or `.gz`): what was measured, then a line a case, with what each system left of it. `prompts.jsonl`:
what a reader is asked, each prompt once. `answers.jsonl`: its answers. `judge-prompts.jsonl` and `verdicts.jsonl`:
the same for the judges. With these five files a run is reported again, to the digit, without data, model or network.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from secateurs.evaluate.answers.cases import Case
from secateurs.evaluate.answers.contexts import FULL, Context
from secateurs.evaluate.answers.draft import Draft
from secateurs.evaluate.answers.prompts import Messages, no_answer_reference, prompt_id, reader_prompt
from secateurs.evaluate.records import BadRecordError, json_lines
from secateurs.evaluate.tool_output.check import folded, stands_in
from secateurs.support.files import replace_file
from secateurs.support.paths import exists

GIVEN, EVIDENCE, AGREEMENT, NONE = "given", "evidence", "full answer", "unanswerable"


@dataclass(frozen=True)
class Planned:
    """What one system left of a case.

    Attributes:
        system: Its name.
        setting: Its setting.
        prompt: Id of the prompt that shows it.
        tokens: LLM tokens of what is left of the documents.
        evidence: Evidence spans whose text stands in it.
        answer: Whether an accepted answer stands in it; None where there is none.
    """

    system: str
    setting: str
    prompt: str
    tokens: int
    evidence: int
    answer: bool | None


@dataclass(frozen=True)
class PlannedCase:
    """A case, and what is asked about it.

    Attributes:
        id: Of the case.
        query: The query.
        query_lang: Its language code.
        languages: Its row in a table by language.
        kind: Its kind; `""` where there is none.
        reference: What a judge compares with; `""` where that is the answer to all documents.
        reference_kind: `"given"`, `"evidence"`, `"full answer"` or `"unanswerable"`.
        documents: How many.
        tokens: LLM tokens of all documents.
        spans: Evidence spans.
        seconds: What scoring took.
        contexts: What each system left.
    """

    id: str
    query: str
    query_lang: str
    languages: str
    kind: str
    reference: str
    reference_kind: str
    documents: int
    tokens: int
    spans: int
    seconds: float
    contexts: tuple[Planned, ...]

    @property
    def answerable(self) -> bool:
        """Whether the documents are meant to answer."""
        return self.reference_kind != NONE

    @property
    def full(self) -> Planned | None:
        """What shows all documents; None where that is not asked."""
        return next((one for one in self.contexts if one.system == FULL), None)


@dataclass(frozen=True)
class Plan:
    """A run.

    Attributes:
        made: What was measured: JSON types.
        cases: The cases.
        prompts: What a reader is asked, by id.
    """

    made: Mapping[str, Any]
    cases: Sequence[PlannedCase]
    prompts: Mapping[str, Messages]


def planned(draft: Draft, contexts: Iterable[Context], prompts: dict[str, Messages]) -> PlannedCase:
    """Plan one case; what is asked is added to the prompts.

    Args:
        draft: The case.
        contexts: What each system left of it.
        prompts: All prompts so far.
    """
    case, evidence = draft.case, [folded(text) for text in draft.case.evidence]
    found = []
    for context in contexts:
        messages = reader_prompt(case.query, context.texts, lang=case.query_lang)
        name = prompt_id(messages)
        prompts[name] = messages
        left = folded("\n".join(context.texts))
        answer = any(stands_in(one, left) for one in case.answers) if case.answers else None
        whole = sum(text in left for text in evidence)
        tokens = sum(map(draft.count, context.texts))
        found.append(Planned(context.system, context.setting, name, tokens, whole, answer))
    reference, kind = _reference(case)
    facts = (case.id, case.query, case.query_lang, case.languages, case.kind, reference, kind, len(case.documents))
    return PlannedCase(*facts, sum(draft.tokens), len(evidence), round(draft.seconds, 4), tuple(found))


def _reference(case: Case) -> tuple[str, str]:
    if case.unanswerable:
        return no_answer_reference(case.unanswerable, lang=case.query_lang), NONE
    if case.answers:
        return case.answers[0], GIVEN
    if case.evidence:
        return "\n\n".join(text.strip() for text in case.evidence), EVIDENCE
    return "", AGREEMENT


@dataclass(frozen=True)
class Folder:
    """Where a run is kept."""

    path: Path

    @property
    def answers(self) -> Path:
        """What readers answered."""
        return _either(self.path / "answers.jsonl")

    @property
    def verdicts(self) -> Path:
        """What judges answered."""
        return _either(self.path / "verdicts.jsonl")

    @property
    def judge_prompts(self) -> Path:
        """What judges are asked."""
        return self.path / "judge-prompts.jsonl"

    @property
    def plan(self) -> Path:
        """What was measured."""
        return _either(self.path / "plan.jsonl")

    @property
    def prompts(self) -> Path:
        """What readers are asked."""
        return _either(self.path / "prompts.jsonl")

    def write(self, plan: Plan, *, compressed: bool = False) -> None:
        """Write plan and prompts, the plan last: where it is, all is."""
        self.path.mkdir(parents=True, exist_ok=True)
        end = ".gz" if compressed else ""
        prompts = ({"id": name, "messages": messages} for name, messages in plan.prompts.items())
        write_lines(self.path / f"prompts.jsonl{end}", prompts)
        write_lines(self.path / f"plan.jsonl{end}", [{"made": plan.made}, *map(asdict, plan.cases)])

    def read(self) -> Plan:
        """Read plan and prompts.

        Raises:
            BadRecordError: They are not there, or not ours.
        """
        if not exists(self.plan) or not exists(self.prompts):
            raise BadRecordError(
                f"{self.path} holds no plan.jsonl with its prompts.jsonl: name a folder that --export or --output"
                " has written."
            )
        made: Mapping[str, Any] = {}
        cases = []
        for number, row in json_lines(self.plan):
            if number == 1:
                made = row.get("made", {})
                continue
            cases.append(_read(row, f"{self.plan}, line {number}"))
        if not made or not cases:
            raise BadRecordError(
                f"{self.plan} is no plan: the first line says what was measured, a case a line then."
            )
        prompts = {str(row.get("id")): row.get("messages") for _, row in json_lines(self.prompts)}
        lost = [one.prompt for case in cases for one in case.contexts if one.prompt not in prompts]
        if lost:
            raise BadRecordError(f"{self.prompts} lacks the prompt {lost[0]} of the plan: is it complete?")
        return Plan(made, cases, prompts)  # type: ignore[arg-type]  # only sent on, as it stands


def _read(row: Mapping[str, Any], where: str) -> PlannedCase:
    try:
        return PlannedCase(**{**row, "contexts": tuple(Planned(**one) for one in row["contexts"])})
    except (TypeError, KeyError) as error:
        raise BadRecordError(f"{where}: not a case of ours ({error}).") from None


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines, whole or not at all; compressed, if the name ends in `.gz`, to the same bytes each time."""
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "replace")
    packed = gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data
    replace_file(path, lambda part: part.write_bytes(packed))


def _either(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if exists(packed) and not exists(path) else path
