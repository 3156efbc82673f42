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


def job() -> dict[str, Any]:
    """Return a log of a CI job with a failure of each kind in it, as LogDx-CI writes one."""
    lines = [
        *(f"2031-02-03T06:00:{second:02d}.000Z wheel {second} turns" for second in range(60)),
        "2031-02-03T06:01:00.000Z \x1b[31mFAIL\x1b[0m tests/wheel_test.py::test_turns",
        "2031-02-03T06:01:01.000Z mill/wheel.py:12: in turn",
        "2031-02-03T06:01:02.000Z \x1b[1m3\x1b[0m tests run: 2 passed, 1 failed",
        "2031-02-03T06:01:03.000Z ##[error]Process completed with exit code 7.",
    ]

    def signal(kind: str, at: int, importance: str = "critical", **facts: Any) -> dict[str, Any]:
        return {"type": kind, "importance": importance, "evidence_lines": [[at, at]], **facts}

    signals = [
        signal("failed_test", 61, value="wheel_test::turns", aliases=["wheel_test.py::test_turns"]),
        signal("stack_location", 62, file="mill/wheel.py", line=12),
        signal("assertion", 63, value="3 tests run: 2 passed, 1 failed"),
        signal("exit_code", 64, value="7"),
        signal("command", 1, "optional", value="wheel 0"),
    ]
    facts = {"framework": "pytest", "category": "test", "query": "Why did it fail?", "signals": signals}
    return {"id": "job", "context": "\n".join(lines), **facts}


def write(path: Path, rows: list[Any]) -> Path:
    """Write records, or lines as they are, into a file."""
    text = "".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


GOOD_NAMES = ["log", "rows", "parts", "page", "text"]
