"""Outputs of tools, made for the tests: a fact in each, and a file of records that name it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

ROOMS = ["attic", "barn", "cellar", "dairy", "forge", "granary", "kitchen", "loft", "parlour", "stable"]

MILLER = "The miller is Bert Gray."


def made() -> list[dict[str, Any]]:
    """One output of each kind, with what was asked of it."""
    log = "".join(f"2031-02-0{day} 06:0{day} INFO wheel turns, {day} sacks\n" for day in range(1, 10))
    log += "2031-02-10 06:10 ERROR sluice gate jammed at 40 percent\n" + log
    rows = "".join(f"{number},{room},{10 * number}\n" for number, room in enumerate(ROOMS))
    parts = [{"part": room, "year": 1800 + number, "state": "swept and dry"} for number, room in enumerate(ROOMS)]
    page = "".join(f"<p>The {room} was swept on a Monday.</p>" for room in ROOMS)
    text = "\n\n".join(f"The {room} is painted white. Nobody sleeps there." for room in ROOMS)
    return [
        record("log", "logs", "What happened to the sluice gate?", "sluice gate jammed at 40 percent", log),
        record("rows", "tabular", "What is the number of the forge?", "4,forge,40", f"number,room,sacks\n{rows}"),
        record("parts", "json", "Of which year is the loft?", '"loft", "year": 1807', json.dumps({"parts": parts})),
        record(
            "page",
            "html",
            "Who owns the mill?",
            "Ann Lee",
            f"<html><body><h1>Rooms</h1>{page}<p>The mill is owned by Ann Lee.</p></body></html>",
        ),
        {
            **record(
                "text", "text", "What is the miller called?", "BERT  Gray", f"{text}\n\nThe miller is Bert Gray."
            ),
            "all_of": ["the miller"],
            "must_not": ["Nobody sleeps"],
        },
    ]


def record(name: str, kind: str, question: str, gold: str, output: str) -> dict[str, Any]:
    """Return a record as the benchmark writes it."""
    return {
        "id": name,
        "content_type": kind,
        "category": "single",
        "question": question,
        "gold": gold,
        "all_of": [],
        "must_not": [],
        "tool_output": output,
    }


def write(path: Path, rows: list[Any]) -> Path:
    """Write records, or lines as they are, into a file."""
    text = "".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


GOOD_NAMES = ["log", "rows", "parts", "page", "text"]
