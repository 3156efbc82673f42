"""The documents: the same everywhere, as long as they were drawn, no two alike."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from secateurs.bench.corpus import FEWEST, MIXED, QUERY, RECIPES, Recipe, histogram, make_corpus, make_long
from secateurs.bench.real import CHUNK, read_card, read_corpus


def letters(texts: Any) -> list[int]:
    """A tokenizer that takes five characters at a time."""
    return [-(-len(text) // 5) for text in texts]


def test_the_mixed_corpus_is_the_same_every_time():
    """64 documents from a seed, each as long as it was drawn, however it is scaled."""
    first, second = (make_corpus(MIXED, letters, overhead=10, scale=scale) for scale in (1.0, 0.1))
    assert first == second
    lengths = [letters([document])[0] + 10 for document in first.documents]
    assert len(lengths) == 64 and max(lengths) <= 512 and 130 < sum(lengths) / 64 < 210
    assert any("水" in document for document in first.documents)
    assert sum(histogram(lengths).values()) == 64


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_documents_are_distinct_and_in_range(recipe: Recipe):
    """No two documents are the same, and none is longer than its distribution's longest."""
    corpus = make_corpus(recipe, letters, overhead=10)
    assert len(set(corpus.documents)) == recipe.documents
    assert max(letters(corpus.documents)) + 10 <= recipe.lengths.longest


def test_scaling_changes_the_number_of_documents():
    """Fewer documents are the first of the many, and never so few that batching makes no difference."""
    small = RECIPES[-1]
    all_of_them, some = (make_corpus(small, letters, overhead=10, scale=scale) for scale in (1.0, 0.1))
    assert some.documents == all_of_them.documents[:100]
    assert small.count(0.001) == FEWEST


def test_a_long_document_has_exactly_the_characters():
    """The shorter one is the beginning of the longer."""
    (short,), (long,) = (make_long(letters, size).documents for size in (1_000, 100_000))
    assert len(short) == 1_000 and len(long) == 100_000 and long.startswith(short[:900])
    assert "\n\n" in long


def rows(name: str, count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"{name}{index}", "query": f"{name}?", "context": f"{name} {index // 2}.", "evidence": []}
        for index in range(count)
    ]


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    lines = "".join(json.dumps(record) + "\n" for record in records)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return path


def test_real_documents_come_evenly_from_all_files(tmp_path: Path):
    """Distinct documents, the files taking turns; the same ones whatever the order of the records."""
    write(tmp_path / "a.jsonl", rows("a", 40))
    write(tmp_path / "b.jsonl.gz", rows("b", 4))
    corpus = read_corpus([tmp_path], 8)
    assert len(set(corpus.documents)) == 8 and corpus.query == "a?"
    assert [document[0] for document in corpus.documents] == ["a", "b", "a", "b", "a", "a", "a", "a"]
    assert read_corpus([tmp_path], 100).documents[:8] == corpus.documents


def test_files_without_documents_are_refused(tmp_path: Path):
    """Blank documents are nothing to measure, and the message says so."""
    path = write(tmp_path / "blank.jsonl", [{"query": "q", "context": " \n", "evidence": []}])
    with pytest.raises(ValueError, match=r"--data blank\.jsonl holds no document"):
        read_corpus([path], 8)


def test_the_card_is_there_without_any_data():
    """The bundled model's card makes several documents, none blank, no character of a paragraph lost."""
    corpus = read_card()
    assert corpus.query == QUERY and len(corpus.documents) > 3 and all(map(str.strip, corpus.documents))
    whole = (len(document) <= CHUNK or "\n\n" not in document for document in corpus.documents)
    assert all(whole)
