"""What comes in is checked, line by line, before the first request."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from annotation import make_record, write

from secateurs.annotate.records import BadRecordError, read_unlabelled, survey

GOOD = json.dumps({"query": "q", "context": "c"})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r":2: not JSON"),
        ("[]", r":2: holds list, expected a JSON object"),
        ('{"query": "q"}', r":2: 'context' is missing"),
        ('{"query": " ", "context": "c"}', r":2: 'query' is blank"),
        ('{"query": "q", "context": ["c"]}', r":2: 'context' is \['c'\], expected a text"),
        ('{"query": "q", "context": "c", "lang": 5}', r":2: 'lang' is 5"),
        ('{"query": "q", "context": "c", "id": {}}', r":2: 'id' is \{\}"),
        ('{"query": "q", "context": "c", "id": true}', r":2: 'id' is True"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    """The error has the file, the line, what is wrong and what was expected."""
    path = tmp_path / "in.jsonl"
    path.write_text(f"{GOOD}\n{line}\n", encoding="utf-8")
    with pytest.raises(BadRecordError, match=r"in\.jsonl" + message):
        survey(path)


def test_one_id_for_two_records_is_an_error(tmp_path: Path) -> None:
    """The same id with the same text is a repetition; with another text it is a mistake."""
    one = make_record(1)
    assert list(survey(write(tmp_path / "in.jsonl", [one, one]))) == ["r1"]
    with pytest.raises(BadRecordError, match=r":3: the id 'r1' stands above"):
        survey(write(tmp_path / "in.jsonl", [one, one, {**one, "query": "other"}]))


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe"])
def test_a_file_without_records_is_an_error(tmp_path: Path, data: bytes) -> None:
    """Nothing to do is said, and so is a file that is not UTF-8."""
    (tmp_path / "in.jsonl").write_bytes(data)
    with pytest.raises(BadRecordError, match=r"in\.jsonl"):
        survey(tmp_path / "in.jsonl")


def test_compressed_and_broken_files(tmp_path: Path) -> None:
    """A gzip file is read by its name; half of one, a damaged one, or none, is an error."""
    path = tmp_path / "in.jsonl.gz"
    whole = gzip.compress(f"\n{GOOD}\n".encode() * 500)
    path.write_bytes(whole)
    assert len(survey(path)) == 1
    for damaged in (whole[: len(whole) // 2], whole[:10] + b"\xff" * 20):
        path.write_bytes(damaged)
        with pytest.raises(BadRecordError, match="complete"):
            survey(path)
    with pytest.raises(BadRecordError, match="No such file"):
        survey(tmp_path / "none.jsonl")


def test_an_id_of_its_own(tmp_path: Path) -> None:
    """A record without an id has one that depends on query and context alone; a number becomes a string."""
    rows = [
        {"query": "q", "context": "c"},
        {"context": "c", "query": "q", "id": None, "lang": "en"},
        {**make_record(1)},
    ]
    rows[2]["id"] = 7
    first, second, third = read_unlabelled(write(tmp_path / "in.jsonl", rows))
    assert first.id == second.id and len(first.id) == 32 and third.id == "7"


def test_surrogates_have_an_id(tmp_path: Path) -> None:
    """A lone surrogate in a text is no reason to stop."""
    (tmp_path / "in.jsonl").write_text('{"query": "q", "context": "a\\ud800b"}\n', encoding="utf-8")
    (record,) = read_unlabelled(tmp_path / "in.jsonl")
    assert record.context == "a\ud800b" and len(record.id) == 32
