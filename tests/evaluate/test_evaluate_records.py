"""Data: both forms, streamed; bad records say where they are."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from secateurs.evaluate.measure import file_names, find_files, measure, whole
from secateurs.evaluate.peers import keep_first
from secateurs.evaluate.records import BadRecordError, Record, read_records
from secateurs.evaluate.sample import digest, encoder_length, strict, take_sample
from secateurs.evaluate.systems import ScoreSystem

GOOD: dict[str, Any] = {"id": "a", "lang": "en", "query": "q", "context": "One. Two.", "evidence": [[0, 3], [5, 9]]}
PROVENCE: dict[str, Any] = {
    "id": "p",
    "query": "q",
    "texts": ["One. Two.", "Three."],
    "context_spans": [[[0, 5], [5, 9]], [[0, 6]]],
    "context_spans_relevance": [[0, 1], [0]],
    "labels": [1, 0],
}


def write(path: Path, rows: list[Any]) -> Path:
    text = "".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["data.jsonl", "data.jsonl.gz"])
def test_evidence_records_are_read(tmp_path: Path, name: str):
    """A record keeps its fields; what is missing has a default."""
    rows = [GOOD, "\n", {"query": "q", "context": "x", "evidence": [], "ambiguous": True}]
    first, second = read_records(write(tmp_path / name, rows))
    assert first == Record("a", "en", "q", "One. Two.", ((0, 3), (5, 9)))
    assert second == Record(f"{name}:3", "?", "q", "x", (), ambiguous=True)


def test_a_query_in_another_language_has_a_row_of_its_own(tmp_path: Path):
    """The language of the query counts where it is not that of the document."""
    rows = [{**GOOD, "query_lang": lang} for lang in ("en", "zh", None)]
    found = [record.languages for record in read_records(write(tmp_path / "data.jsonl", rows))]
    assert found == ["en", "zh query, en documents", "en"]
    with pytest.raises(BadRecordError, match="'query_lang' is 3"):
        list(read_records(write(tmp_path / "bad.jsonl", [{**GOOD, "query_lang": 3}])))


def test_records_of_one_document_are_in_one_half(tmp_path: Path):
    """Halves go by the order of groups, and of ids where a record names no group."""
    rows = [{**GOOD, "id": str(place), "group": f"g{place // 3}"} for place in range(30)]
    rows += [{**GOOD, "id": f"alone{place}"} for place in range(30)]
    path = write(tmp_path / "data.jsonl", rows)
    run = measure(ScoreSystem("first", keep_first), [path], load=whole, count=len).files[0]
    names = sorted({row.get("group", row["id"]) for row in rows}, key=digest)
    assert run.places.tolist() == [names.index(row.get("group", row["id"])) for row in rows]
    halves = [set(run.half(which).places.tolist()) for which in ("calibration", "report")]
    assert not halves[0] & halves[1] and sum(map(len, halves)) == len(names)


def test_a_record_with_an_undecided_sentence_is_ambiguous(tmp_path: Path):
    """A label of null is not a 0: such a record is left out of strict scoring."""
    rows = [{**GOOD, "labels": [1, None]}, {**GOOD, "labels": [1, 0]}]
    assert [r.ambiguous for r in read_records(write(tmp_path / "data.jsonl", rows))] == [True, False]


def test_open_provence_rows_make_one_record_a_text(tmp_path: Path):
    """Relevant spans are the evidence; a row with an unknown span is ambiguous for that text."""
    unknown = {**PROVENCE, "id": "u", "context_spans_relevance": [[-1, 1], [0]]}
    records = list(read_records(write(tmp_path / "data.jsonl", [PROVENCE, unknown])))
    assert [(r.id, r.context, r.evidence, r.ambiguous) for r in records] == [
        ("p#0", "One. Two.", ((5, 9),), False),
        ("p#1", "Three.", (), False),
        ("u#0", "One. Two.", ((5, 9),), True),
        ("u#1", "Three.", (), False),
    ]


def test_parquet_gives_the_same_records_as_jsonl(tmp_path: Path):
    """The format of the file makes no difference."""
    pa = pytest.importorskip("pyarrow", reason="Parquet needs the extra evaluate")
    from pyarrow import parquet

    rows = [{**PROVENCE, "id": str(index), "teacher_scores": [0.5]} for index in range(600)]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet", row_group_size=100)
    write(tmp_path / "data.jsonl", rows)
    assert list(read_records(tmp_path / "data.parquet")) == list(read_records(tmp_path / "data.jsonl"))


def test_reading_is_lazy(tmp_path: Path):
    """A record is handed out before the next line is looked at."""
    stream = read_records(write(tmp_path / "data.jsonl", [GOOD, "nonsense\n"]))
    assert next(stream).id == "a"
    with pytest.raises(BadRecordError, match=r"line 2: not JSON"):
        next(stream)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("[1]\n", "holds list"),
        ({"context": "x", "evidence": []}, "'query' is missing"),
        ({**GOOD, "query": " "}, "the query is blank"),
        ({**GOOD, "context": 3}, "'context' is 3"),
        ({**GOOD, "evidence": None}, "'evidence' is missing"),
        ({"query": "q", "context": "c"}, "no 'evidence': .*secateurs evaluate preview FILE"),
        ({"query": "q", "documents": ["c"]}, "no 'evidence': .*secateurs evaluate preview FILE"),
        ({**GOOD, "evidence": [[0, 10]]}, r"holds \[0, 10\], expected .* <= 9"),
        ({**GOOD, "evidence": [[3, 3]]}, r"holds \[3, 3\]"),
        ({**GOOD, "evidence": [[4, 6], [0, 2]]}, r"holds \[0, 2\], expected .* 6 <= start"),
        ({**GOOD, "evidence": [[True, 2]]}, "holds"),
        ({**GOOD, "evidence": ["ab"]}, "holds 'ab'"),
        ({**GOOD, "lang": 3}, "'lang' is 3"),
        ({**PROVENCE, "context_spans": [[]]}, "2 texts, 1 context_spans"),
        ({**PROVENCE, "context_spans_relevance": [[1], [0]]}, r"text 0: .* is \[1\], expected 2"),
        ({**PROVENCE, "context_spans_relevance": [[1, 2], [0]]}, "expected 2 of 0, 1 or -1"),
        ({**PROVENCE, "texts": ["One. Two.", None]}, "text 1: is None"),
    ],
)
def test_a_bad_record_says_file_line_and_what_was_expected(tmp_path: Path, row: Any, says: str):
    """The message names the file, the line and the fault."""
    path = write(tmp_path / "data.jsonl", [GOOD, row])
    with pytest.raises(BadRecordError, match=says) as caught:
        list(read_records(path))
    assert f"{path}, line 2" in str(caught.value)


def test_a_damaged_file_is_a_clear_error(tmp_path: Path):
    """A gzip file that was cut short or damaged, one that is not UTF-8, JSON too deep, no table: each is named."""
    path = write(tmp_path / "data.jsonl.gz", [GOOD] * 500)
    for damaged in (path.read_bytes()[:-20], path.read_bytes()[:10] + b"\xff" * 20):
        path.write_bytes(damaged)
        with pytest.raises(BadRecordError, match=r"data\.jsonl\.gz.*Is the file complete"):
            list(read_records(path))
    deep = write(tmp_path / "deep.jsonl", [GOOD, f"{'[' * 100_000}\n"])
    with pytest.raises(BadRecordError, match=r"deep\.jsonl, line 2: not JSON"):
        list(read_records(deep))
    (tmp_path / "data.parquet").write_bytes(b"no table")
    with pytest.raises(BadRecordError, match=r"data\.parquet: .*Is it a Parquet file"):
        list(read_records(tmp_path / "data.parquet"))
    (tmp_path / "latin.jsonl").write_bytes(b'{"query": "\xe9"}\n')
    with pytest.raises(BadRecordError, match="UTF-8"):
        list(read_records(tmp_path / "latin.jsonl"))


def record(name: str, *, ambiguous: bool = False) -> Record:
    return Record(name, "en", "q", "x", (), ambiguous)


def test_the_sample_is_the_first_by_hash_within_the_budget():
    """Order of sha256(id), ambiguous out, at most so many, ending before the record that would pass the budget."""
    records = [record(str(index), ambiguous=index % 5 == 0) for index in range(100)]
    order = sorted(strict(records), key=lambda r: hashlib.sha256(r.id.encode()).hexdigest())
    sizes = {r.id: 1 + place % 7 for place, r in enumerate(order)}

    def naive(most: int, tokens: int) -> list[Record]:
        taken: list[Record] = []
        for item in order[:most]:
            if sum(sizes[r.id] for r in taken) + sizes[item.id] > tokens:
                break
            taken.append(item)
        return taken

    for most, tokens in [(10, 1000), (200, 1000), (50, 40), (50, 0)]:
        got = take_sample(records[::-1], lambda r: sizes[r.id], most=most, tokens=tokens)
        assert got == naive(most, tokens)


def test_tokens_are_those_of_query_and_document():
    """The sample's budget counts the bundled tokenizer's tokens of both sides, without control tokens."""
    length = encoder_length()
    both = length(Record("a", "en", "Who built the mill?", "It was Ann Lee.", ()))
    alone = length(Record("a", "en", "Who built the mill?", "", ()))
    assert 4 <= alone < both < 20


def test_folders_and_files_are_found(tmp_path: Path):
    """A folder means its data files; two files of one name are told apart by their folder."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "x.jsonl.gz", [GOOD])
    (tmp_path / "a" / "note.txt").write_text("")
    paths = find_files([tmp_path / "a", tmp_path / "b" / "x.jsonl.gz"])
    assert sorted(file_names(paths).values()) == ["a/x.jsonl.gz", "b/x.jsonl.gz"]
    assert list(file_names([tmp_path / "x.jsonl", tmp_path / "y.parquet"]).values()) == ["x", "y"]
    with pytest.raises(ValueError, match="not named like data"):
        find_files([tmp_path / "a" / "note.txt"])
    with pytest.raises(FileNotFoundError, match="no such file"):
        find_files([tmp_path / "c.jsonl"])
    with pytest.raises(ValueError, match="holds no data"):
        find_files([tmp_path])
