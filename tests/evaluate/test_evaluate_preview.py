"""`secateurs evaluate preview`: what would be cut of documents nobody labelled, at five thresholds, as a page."""

from __future__ import annotations

import gzip
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structured import ALL

from secateurs import Compressor, Policy, Threshold
from secateurs.cli import main
from secateurs.evaluate.preview.levels import LEVELS, measure, spread, within
from secateurs.evaluate.preview.page import to_page
from secateurs.evaluate.preview.questions import read_questions
from secateurs.evaluate.records import BadRecordError

QUERY = "Who built the mill?"
MILL = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why."
PAIRS = [(QUERY, MILL), (QUERY, "The Moon causes the tides. Who knows?"), ("What causes tides?", "  "), ("Who?", "")]


def written(path: Path, *rows: Any) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def run(*arguments: object) -> int:
    """Run the command, and return its exit code."""
    with pytest.raises(SystemExit) as end:
        main(["evaluate", "preview", *map(str, arguments)])
    return int(end.value.code or 0)


@pytest.mark.parametrize("name", ["q.jsonl", "q.jsonl.gz"])
def test_a_line_is_a_query_with_its_documents(tmp_path: Path, name: str):
    """Documents are a list of texts or objects, or one; labels and other fields do not matter."""
    rows = [
        {"query": QUERY, "documents": [MILL, {"text": "It rained."}], "evidence": "x"},
        {"query": QUERY, "document": MILL},
        {"query": QUERY, "context": MILL, "evidence": [[0, 3]]},
        {"query": QUERY, "documents": []},
    ]
    found = list(read_questions(written(tmp_path / name, *rows)))
    assert [list(one.documents) for one in found] == [[MILL, "It rained."], [MILL], [MILL], []]
    assert {one.query for one in found} == {QUERY}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"documents": []}, "line 1: there is no 'query': expected"),
        ({"question": QUERY, "documents": []}, "there is no 'query': expected .*; is 'question' it?"),
        ({"query": " ", "documents": []}, "'query' is blank or no text"),
        ({"query": QUERY}, "there is no 'documents'"),
        ({"query": QUERY, "docs": []}, "is 'docs' it?"),
        ({"query": QUERY, "documents": MILL}, "'documents' is no list"),
        ({"query": QUERY, "documents": [MILL, None]}, r"'documents'\[1\] is none"),
        ({"query": QUERY, "documents": [{"body": MILL}]}, r"'documents'\[0\] is none"),
        ([1], "line 1"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, row: Any, says: str, capsys: pytest.CaptureFixture[str]):
    """What is wrong with a line is said with its number, and what was probably meant; the command ends with 2."""
    path = written(tmp_path / "q.jsonl", row)
    with pytest.raises(BadRecordError, match=says):
        list(read_questions(path))
    assert run(path, "--output", tmp_path / "p.html") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_five_thresholds_that_differ(tiny: Compressor):
    """Five thresholds are chosen by the scores, the checkpoint's own among them; a higher one never keeps more."""
    levels = measure(tiny, [*PAIRS, *((QUERY, text) for text in ALL)], [], lambda done: None)
    thresholds = [one.threshold for one in levels]
    assert thresholds == sorted(set(thresholds))
    assert len(thresholds) == LEVELS
    assert [one.threshold for one in levels if one.default] == [0.5]
    for lower, higher in pairwise(levels):
        for before, after in zip(lower.results, higher.results, strict=True):
            if "unchanged" not in (before.status, after.status):
                assert {one.start for one in after.kept} <= {one.start for one in before.kept}


@pytest.mark.parametrize("own", [None, 0.0, 1.0, 0.1])
def test_there_are_five_whatever_the_texts(tiny: Compressor, own: float | None):
    """Blank texts, one unit, a policy without a single threshold: there are five thresholds all the same."""
    for texts in ([""], [" "], ["It rained."], []):
        found = spread(tiny.compress(QUERY, texts, policy=Threshold(0.0)) if texts else [], own)
        assert len(found) == len(set(found)) == LEVELS
        assert all(0.0 <= one <= 1.0 for one in found)
        assert own is None or own in found


def test_a_budget_is_the_lowest_threshold_that_spends_no_more(tiny: Compressor):
    """At the threshold of a budget no more tokens are left; at the next lower score there are more."""
    pairs = [*PAIRS, *((QUERY, text) for text in ALL)]
    with Compressor.from_pretrained(tiny.checkpoint, device="cpu") as fresh:
        measure(fresh, pairs, [], lambda done: None)

        def left(threshold: float) -> int:
            done = fresh.compress_pairs(pairs, policy=Threshold(threshold))
            return sum(one.savings.after for one in done)

        whole = left(0.0)
        scores = {unit.score for one in fresh.compress_pairs(pairs, policy=Threshold(0.0)) for unit in one.sentences}
        assert within(fresh, pairs, whole) == 0.0
        for share in (0.8, 0.4, 0.05):
            found = within(fresh, pairs, int(share * whole))
            assert left(found) <= share * whole
            lower = [score for score in scores if score < found - 1e-4]
            assert not lower or left(max(lower)) > share * whole or left(max(lower)) == left(found)
        assert left(within(fresh, pairs, 0)) == left(1.0), "blank documents stay"


class Read(HTMLParser):
    """Reads which units a page marks for which letter."""

    def __init__(self) -> None:
        super().__init__()
        self.units: list[tuple[set[str], str]] = []
        self.tags: set[str] = set()
        self.open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        names = (dict(attrs).get("class") or "").split()
        if names[:1] == ["u"]:
            self.units.append((set(names[1:]), ""))
            self.open = True

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "span"

    def handle_data(self, data: str) -> None:
        if self.open:
            letters, text = self.units[-1]
            self.units[-1] = letters, text + data


def test_the_page_marks_what_stays(tiny: Compressor):
    """At each threshold the page marks what the compressor keeps there, and the model read each text once."""
    pairs = [(QUERY, MILL), *((QUERY, text) for text in ALL)]
    with Compressor.from_pretrained(tiny.checkpoint, device="cpu", policy=Policy.parse("Threshold(0.5)")) as fresh:
        levels = measure(fresh, pairs, [0.06, 0.5, 0.97], lambda done: None)
        assert fresh.cache.misses == len(pairs)
    page = to_page(pairs, levels, model="a & b")
    found = Read()
    found.feed(page)
    for letter, threshold in zip("abc", (0.06, 0.5, 0.97), strict=True):
        expected = [
            unit.text.strip()
            for one in tiny.compress(QUERY, [text for _, text in pairs], policy=Threshold(threshold))
            for unit in one.kept
            if unit.text.strip()
        ]
        assert [text for letters, text in found.units if letter in letters] == expected
    assert page.count("checked") == page.count("checked)") + 1, "one switch is on"
    assert "a &amp; b" in page


def test_no_document_writes_the_page(tiny: Compressor):
    """Whatever a query or a document says is text; the page fetches nothing, runs nothing, and is UTF-8."""
    evil = "</span><script>alert(1)</script><style>*{display:none}</style>\ud800 \u202e. It rained."
    levels = measure(tiny, [(evil, evil)], [], lambda done: None)
    page = to_page([(evil, evil)], levels, model=evil)
    assert "<script" not in page
    assert page.count("<style>") == 1
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|url\(", page)
    assert page.encode()


def test_the_command_writes_the_page_and_says_what_it_shows(
    tmp_path: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
):
    """The command writes one file, prints a line a threshold, and reads no more documents than it may."""
    path = written(tmp_path / "q.jsonl", *({"query": query, "documents": [text]} for query, text in PAIRS))
    output = tmp_path / "p.html"
    options = ("--model", tiny_folder, "--device", "cpu", "--output", output)
    assert run(path, *options) == 0
    shown = capsys.readouterr()
    assert len(re.findall(r"^ *[01](?:\.\d+)? ", shown.out, re.M)) == LEVELS
    assert "(default)" in shown.out
    assert f"open {output}" in shown.out
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run(path, *options, "--thresholds", "0.2, 0.4", "--documents", 2) == 0
    assert "The first 2 documents; 2 more were not read." in output.read_text(encoding="utf-8")
    capsys.readouterr()
    assert run(path, *options, "--budget", 10) == 0
    code = re.search(
        r"^Compressor.from_pretrained\(policy=(Threshold\([\d.e-]+\))\)  # (\d+) of", capsys.readouterr().out, re.M
    )
    assert code and isinstance(Policy.parse(code[1]), Threshold) and int(code[2]) <= 10
    for wrong, says in (
        (("--thresholds", "high"), "--thresholds 0.01,0.05,0.2"),
        (("--thresholds", "1.5"), "--thresholds must be in [0, 1], got 1.5"),
        (("--thresholds", ",".join(["0.1"] * 30)), "at most 20 can be shown"),
        (("--documents", 0), "--documents must be at least 1"),
        (("--budget", 0), "--budget must be at least 1"),
        (("--output", tmp_path / "no" / "p.html"), "name a file in a folder that is there"),
    ):
        assert run(path, *options, *wrong) == 2
        assert says in capsys.readouterr().err
    assert run(written(tmp_path / "empty.jsonl"), *options) == 2
    assert "there is no document in it" in capsys.readouterr().err
