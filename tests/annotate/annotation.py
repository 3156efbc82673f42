"""Records to annotate, what the server's rule says of them, and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

WORDS = ("mill", "tide", "moon", "rain")


def make_record(number: int, trick: str = "") -> dict[str, Any]:
    """Return a record whose needed sentences hold the query's last word; every fifth has none."""
    word = WORDS[number % 4] if number % 5 else "nothing"
    sentences = [f"Line {number}.{index} is about the {WORDS[(number * index) % 4]}." for index in range(1, 6)]
    query = f"[{trick}] What of {number} is about {word}?" if trick else f"What of {number} is about {word}?"
    return {"id": f"r{number}", "query": query, "context": " ".join(sentences), "licence": "MIT"}


def expected(record: dict[str, Any]) -> list[int]:
    """Return the labels that the server's rule gives."""
    word = record["query"].rstrip("?").split()[-1]
    return [int(word in sentence) for sentence in record["context"].split(". ")]


def write(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines; none where there is no file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
