"""The committed export: that it is whole, and of the model that ships."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from secateurs.checkpoints import BUNDLED, locate

NOTHING_LEFT = {"(there is no document)", "（没有文档）"}
EXPORT = Path(__file__).parents[1] / "data" / "answers"


def rows(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(EXPORT / name, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def test_it_is_of_the_weights_that_ship():
    """Whoever replaces the bundled model makes the export again; else its prompts would be another model's."""
    weights = hashlib.sha256(next(locate(BUNDLED).glob("*.safetensors")).read_bytes()).hexdigest()
    assert next(rows("plan.jsonl.gz"))["made"]["weights"] == hashlib.sha256(weights.encode()).hexdigest()[:16]


def test_every_prompt_of_the_plan_is_there_once():
    """200 questions with all documents and at three settings; no prompt is missing, doubled or of no question."""
    head, *plan = rows("plan.jsonl.gz")
    prompts = [row["id"] for row in rows("prompts.jsonl.gz")]
    wanted = {context["prompt"] for case in plan for context in case["contexts"] if context["answer"] is None}
    assert len(plan) == head["made"]["questions"] == 200
    assert all(len(case["contexts"]) == 1 + len(head["made"]["savings"]) for case in plan)
    assert len(prompts) == len(set(prompts))
    assert set(prompts) == wanted


def test_what_is_cut_is_a_part_of_what_was_there():
    """Each line of a compressed prompt has its characters, in their order, from the prompt with all documents."""
    asked = {row["id"]: row["messages"][-1]["content"] for row in rows("prompts.jsonl.gz")}
    _, *plan = rows("plan.jsonl.gz")
    for case in plan[::10]:
        full, *cut = (asked[context["prompt"]] for context in case["contexts"])
        for line in {line for prompt in cut for line in prompt.splitlines()} - NOTHING_LEFT:
            whole = iter(full)
            assert all(letter in whole for letter in line if not letter.isspace()), line
