"""The pipeline over whole documents of labelled data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from everyday import by_languages, chosen, measure, recall, retrieve, write
from vectors import WordVectors

from secateurs import Compressor
from secateurs.evaluate.answers.cases import read_cases

SAMPLE = Path(__file__).parents[1] / "data" / "wiki-sample.jsonl"


def test_the_figures_hang_together(tiny: Compressor, tmp_path: Path):
    """All documents keep all that was retrieved, the oracle too, for less; more documents never keep less."""
    pytest.importorskip("matplotlib", reason="the picture needs the extra evaluate")
    every = read_cases([SAMPLE])
    corpus = list(dict.fromkeys(one.text for case in every for one in case.documents))
    asked = chosen(every, 6)
    assert chosen(every, 4) == asked[:4]
    cases = retrieve(asked, corpus, WordVectors(corpus), 4)
    assert all(len(case.documents) == 4 for case in cases)
    found = measure(cases, tiny)
    rows = {(row.system, row.setting): row for row in found.rows}
    assert (rows["full", ""].saved, rows["full", ""].evidence) == (0.0, 1.0)
    assert rows["oracle", ""].evidence == 1.0 and rows["oracle", ""].saved > 0
    for way in ("fewer", "re-rank"):
        assert rows[way, "top 1"].evidence <= rows[way, "top 2"].evidence <= rows[way, "top 3"].evidence
        assert rows[way, "top 1"].saved > rows[way, "top 2"].saved > rows[way, "top 3"].saved
    facts = {name: recall(some) for name, some in by_languages(cases).items()}
    assert facts["all"]["questions"] == 6 and sum(one["questions"] for one in facts.values()) == 12
    write(found, {"embedding": "words", "corpus": len(corpus), "documents": 4, "retrieved": facts}, tmp_path)
    assert json.loads((tmp_path / "everyday.json").read_text(encoding="utf-8"))["rows"].keys() == facts.keys()
    assert (tmp_path / "everyday.png").read_bytes().startswith(b"\x89PNG")
