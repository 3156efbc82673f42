"""Bulk without a cluster: inputs that change on the way, parts that are doubled, and a disk that is full."""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bulk.corpus import lines

from secateurs.bulk.files import Format, find_files
from secateurs.bulk.job import Job
from secateurs.bulk.output import Output, OutputError, check_parts, only_run
from secateurs.bulk.survey import survey, unify
from secateurs.bulk.worker import CompressShard, describe


@pytest.fixture
def job(tiny_folder: Path) -> Job:
    """Settings for the tiny checkpoint."""
    columns = {"document_column": "d", "query_column": "q"}
    return Job(**columns, model=str(tiny_folder), device="cpu", format=Format.jsonl, shard_rows=7)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet"])
@pytest.mark.parametrize("change", ["cut at a row", "cut anywhere", "replaced"])
def test_an_input_that_changes_after_the_survey_is_refused(tmp_path: Path, job: Job, name: str, change: str) -> None:
    """A file that was cut short or replaced while the run goes on is an error that says so: no row is lost."""
    path = tmp_path / name

    def fill(count: int, text: str) -> None:
        rows = [{"id": n, "q": "Who?", "d": text} for n in range(count)]
        if name.endswith("parquet"):
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            data = "".join(json.dumps(row) + "\n" for row in rows).encode()
            path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)

    fill(14, "Ann Lee.")
    (file,) = find_files(path)
    found = survey(file, job)
    if change == "cut anywhere":
        path.write_bytes(path.read_bytes()[:-12])
    else:
        fill(10 if change == "cut at a row" else 14, "Ann Lee." if change == "cut at a row" else "Bob Lee.")
    output = Output(tmp_path / "out", "jsonl", len(found.shards))
    with only_run(output.folder):
        batch = {name: [value] for name, value in describe(1, found.shards[1]).items()}
        answer = json.loads(CompressShard(job, output, pa.schema([]), "run")(batch)["receipt"][0])
    assert f"{name} has changed since the run began" in answer["failure"]
    assert not output.part(1).exists()


@pytest.mark.parametrize("name", ["part-00001 (copy).jsonl", "part-00007.jsonl", "part-00001.parquet", "all.jsonl"])
def test_a_second_copy_of_a_part_is_named(tmp_path: Path, name: str) -> None:
    """A table that is no part of the output would double rows for its readers: it is named and left where it is."""
    output = Output(tmp_path, "jsonl", 2)
    for fine in ("part-00000.jsonl", "part-00001.jsonl", "_totals.json", ".part-00000.jsonl.x.writing", "notes.txt"):
        (tmp_path / fine).write_text("")
    check_parts(output)
    (tmp_path / name).write_text("{}")
    with pytest.raises(OutputError, match="is no part of this output") as caught:
        check_parts(output)
    assert name in str(caught.value)
    assert (tmp_path / name).read_text() == "{}"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
@pytest.mark.parametrize("format", list(Format))
def test_a_part_on_a_full_disk_is_not_half_written(tmp_path: Path, job: Job, format: Format) -> None:
    """Where a part does not fit its worker says so and leaves nothing of it; with room it goes on."""
    import resource

    job = replace(job, format=format)
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines(6, bad=False)))
    found = survey(find_files(path)[0], job)
    output = Output(tmp_path / "out", format.value, 1)
    batch = {name: [value] for name, value in describe(0, found.shards[0]).items()}
    worker = CompressShard(job, output, unify([found.schema]), "run")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with only_run(output.folder):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            answer = json.loads(worker(batch)["receipt"][0])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert answer["failure"].startswith(f"cannot write {output.part(0)}: ")
        assert "What is finished is safe: make room" in answer["failure"]
        assert [one.name for one in output.folder.iterdir() if one.name[0] != "_"] == []
        receipt = json.loads(worker(batch)["receipt"][0])
    assert output.finished(0, "run") == receipt
