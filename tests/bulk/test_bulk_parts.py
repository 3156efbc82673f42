"""The parts of a run, without a cluster: what comes in, how it is cut into shards, and what a worker writes."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from bulk.corpus import BAD, good_row, lines, write_corpus
from safetensors.torch import load_file, save_file
from slices import spread
from structured import ALL

from secateurs import DeviceError, Threshold, TopK
from secateurs.adapters.options import Wanted
from secateurs.bulk.files import File, Format, check_apart, find_files, output_format
from secateurs.bulk.job import Job
from secateurs.bulk.output import Output, OutputError, check_folder, only_run
from secateurs.bulk.records import Bad, Good, read_lines
from secateurs.bulk.survey import UnreadableError, survey, unify
from secateurs.bulk.worker import CompressShard, describe
from secateurs.ray.rows import COLUMNS


@pytest.fixture
def job(tiny_folder):
    """Settings for the tiny checkpoint."""
    return Job(
        document_column="d",
        query_column="q",
        model=str(tiny_folder),
        wanted=Wanted(threshold=0.95),
        device="cpu",
        format=Format.jsonl,
        shard_rows=7,
    )


@pytest.fixture
def work(tmp_path):
    """Do all shards of a file one after another, as an actor would; return the output and the receipts."""
    threads = torch.get_num_threads()

    def go(path, job, folder="out"):
        (file,) = find_files(path)
        found = survey(file, job)
        output = Output(tmp_path / folder, job.format.value, len(found.shards))
        with only_run(output.folder):
            worker = CompressShard(job, output, unify([found.schema]), "run")
            rows = [describe(number, shard) for number, shard in enumerate(found.shards)]
            batch = {name: [row[name] for row in rows] for name in rows[0]}
            return output, [json.loads(receipt) for receipt in worker(batch)["receipt"]]

    yield go
    torch.set_num_threads(threads)


def read(output: Output) -> list[dict[str, object]]:
    parts = [output.part(number) for number in range(output.shards)]
    if output.ending == "parquet":
        return [row for part in parts for row in pq.read_table(part).to_pylist()]
    return [json.loads(line) for part in parts for line in part.read_bytes().splitlines()]


def test_a_folder_is_searched_by_name_and_in_order(tmp_path):
    """Files of known formats count, in every folder; hidden ones and bookkeeping do not; the order is by name."""
    write_corpus(tmp_path / "in", rows=14)
    (tmp_path / "in" / "notes.txt").write_text("no")
    (tmp_path / "in" / ".hidden").mkdir()
    (tmp_path / "in" / ".hidden" / "c.parquet").write_text("no")
    (tmp_path / "in" / "0.PARQUET").write_bytes(b"")
    found = find_files(tmp_path / "in")
    assert [file.name for file in found] == ["0.PARQUET", "a.jsonl", "more/b.jsonl.gz"]
    assert output_format(found, None) is Format.jsonl
    assert output_format(found[:1], None) is Format.parquet
    assert output_format(found, Format.parquet) is Format.parquet


@pytest.mark.parametrize(
    ("name", "message"), [("none", "no such file"), ("notes.txt", "no known format"), ("", "no input")]
)
def test_what_is_no_input_is_refused(tmp_path, name, message):
    """A path that is not there, a file of another kind, a folder without any: each says what was expected."""
    (tmp_path / "notes.txt").write_text("no")
    with pytest.raises(ValueError, match=message):
        find_files(tmp_path / name)


@pytest.mark.parametrize(("source", "output"), [("in", "in"), ("in", "in/out"), ("out/in.jsonl", "out")])
def test_input_and_output_lie_apart(tmp_path, source, output):
    """Output inside the input would be the next run's input, and the other way round."""
    with pytest.raises(ValueError, match="lie in each other"):
        check_apart(tmp_path / source, tmp_path / output)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"query": "also"}, "either a query column or one query"),
        ({"threshold": 2}, "threshold must be in"),
        ({"policy": "Keep(1)"}, "not a policy"),
        ({"top_n": 1}, "needs rerank=True"),
        ({"shard_rows": 0}, "shard_rows must be at least 1"),
        ({"encoding": "morse"}, "unknown encoding 'morse'"),
        ({"device": "cuda:1"}, "which GPU a worker gets is Ray's to say"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
    ],
)
def test_settings_are_checked_before_anything_starts(job, settings, message):
    """Wrong settings are refused when the job is made."""
    chosen = {name: value for name, value in settings.items() if hasattr(job.wanted, name)}
    others = {name: value for name, value in settings.items() if name not in chosen}
    with pytest.raises((ValueError, DeviceError), match=message):
        replace(job, wanted=Wanted(**chosen) if chosen else job.wanted, **others)


def test_a_job_writes_down_what_it_was_asked(job):
    """The manifest's settings are JSON of what was asked, flat; a field that says nothing leaves no trace."""
    wanted = Wanted(policy=Threshold(0.2) | TopK(1), neighbours=(1, 2), max_total_tokens=9, rerank=True)
    facts = replace(job, wanted=wanted).to_dict()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["policy"] == "Threshold(0.2) | TopK(1)"
    assert (facts["neighbours"], facts["max_total_tokens"], facts["rerank"]) == ([1, 2], 9, True)
    plain = job.to_dict()
    assert facts.keys() - plain.keys() == {"policy", "neighbours", "max_total_tokens", "rerank"}
    assert (plain["threshold"], plain["top_k"]) == (0.95, None), "as runs begun before had it"


def test_the_documents_of_a_row_share_a_budget(tmp_path, job, work, tiny):
    """A budget for all documents of a row and their order come out as in one call, a column more for the order."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"q": "Who?", "d": ALL}) + "\n")
    asked = replace(job, wanted=Wanted(threshold=0.0, max_total_tokens=40, rerank=True, top_n=3))
    (row,) = read(work(path, asked)[0])
    expected = tiny.compress("Who?", ALL, policy=Threshold(0.0), max_total_tokens=40)
    assert row["secateurs_text"] == [one.text for one in expected]
    assert len(row["secateurs_order"]) <= 3


def test_what_top_n_leaves_out_is_saved_whole(tmp_path, job, work):
    """The totals count what comes back: a document that --top-n leaves out costs nothing, as everywhere else."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"q": "Who?", "d": ALL}) + "\n")
    asked = replace(job, wanted=Wanted(threshold=0.0, rerank=True, top_n=2))
    output, (receipt,) = work(path, asked)
    (row,) = read(output)
    each, back = row["secateurs_savings"], row["secateurs_order"]
    assert len(back) == 2 < len(each)
    assert receipt["savings"]["before"] == sum(one["before"] for one in each)
    assert receipt["savings"]["after"] == sum(each[index]["after"] for index in back)


def test_bad_lines_are_told_from_good_ones(tmp_path, job):
    """Each bad line has its position and its reason, a blank one is neither, and the rest goes on."""
    path = tmp_path / "a.jsonl"
    path.write_bytes("\n".join(lines(20)).encode() + b'\n{"q": "x", "d": "caf\xe9"}\n')
    found = list(read_lines(File("a.jsonl", path, Format.jsonl), job, offset=0, first=0, rows=100))
    bad = {one.row: one for one in found if isinstance(one, Bad)}
    assert sorted(bad) == [*BAD, 22]
    for number, (line, reason) in BAD.items():
        assert bad[number].reason.startswith(reason)
        assert bad[number].raw == line
    assert bad[22].reason == "not UTF-8 (byte 20 is 0xe9)"
    path.write_bytes(b'\xef\xbb\xbf{"q": "x", "d": "caf\xe9"}\n')
    (marked,) = read_lines(File("a.jsonl", path, Format.jsonl), job, offset=0, first=0, rows=1)
    assert marked.reason == "not UTF-8 (byte 23 is 0xe9)"
    assert [one.row["id"] for one in found if isinstance(one, Good)] == [1, 2, 4, 7, 11, *range(13, 21)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_shards_tile_a_file(tmp_path, job, name):
    """Read shard by shard or in one go, the rows are the same, with a byte order mark and without a last newline."""
    data = b"\xef\xbb\xbf" + "\n".join(lines(23)).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    (file,) = find_files(tmp_path / name)
    shards = survey(file, job).shards
    assert [(shard.first, shard.rows) for shard in shards] == [(0, 7), (7, 7), (14, 7), (21, 3)]
    pieces = [
        one
        for shard in shards
        for one in read_lines(file, job, offset=shard.offset, first=shard.first, rows=shard.rows)
    ]
    assert pieces == list(read_lines(file, job, offset=0, first=0, rows=100))
    assert sum(isinstance(one, Good) for one in pieces) == 23 - len(BAD)


def test_rows_come_out_as_they_were_written(tmp_path, job, work, tiny):
    """Each good row is in the output once, in order, byte for byte up to the added columns; bad ones are noted."""
    path = tmp_path / "a.jsonl"
    odd = '{ "q":"Who?", "big": 12345678901234567890.10, "d" : "Ann \\ud800 Lee. It \\u6c34." , "q2": "\\ud83d" }'
    path.write_text("\n".join([*lines(20), odd, '{"q": "a", "d": "b"}  ']), encoding="utf-8")
    output, receipts = work(path, job)
    written = [line for n in range(output.shards) for line in output.part(n).read_text().splitlines()]
    good = [line for n, line in enumerate(lines(20), start=1) if line and n not in BAD]
    assert [line.partition(', "secateurs_text"')[0] for line in written] == [
        *(line.removesuffix("}") for line in good), odd.removesuffix(" }"), '{"q": "a", "d": "b"'
    ]  # fmt: skip
    rows = read(output)
    assert rows[-2]["secateurs_text"] in (rows[-2]["d"], "")
    for row in rows:
        (expected,) = tiny.compress(row["q"], [row["d"]], policy=Threshold(0.95))
        assert (row["secateurs_text"], row["secateurs_status"]) == (expected.text, expected.status)
    assert [error["row"] for receipt in receipts for error in receipt["errors"]] == list(BAD)
    assert sum(receipt["rows"] for receipt in receipts) == len(rows)
    saved = sum(receipt["savings"]["saved"] for receipt in receipts)
    assert saved == sum(row["secateurs_savings"]["saved"] for row in rows) > 0


def test_a_mark_is_one_of_a_runs_settings(tmp_path, job, work, tiny):
    """With `elision` the mark stands where something was cut, in the rows of every shard."""
    marking = replace(job, wanted=Wanted(elision="[…]", threshold=0.0, top_k=1))
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"q": "Who?", "d": text}) + "\n" for text in ALL), encoding="utf-8")
    output, _ = work(path, marking)
    expected = tiny.compress("Who?", ALL, policy=Threshold(0.0) & TopK(1), elision="[…]")
    assert [row["secateurs_text"] for row in read(output)] == [one.text for one in expected]
    assert any("[…]" in one.text for one in expected)
    assert marking.to_dict()["elision"] == "[…]"
    with pytest.raises(ValueError, match="elision must be a printable mark"):
        replace(job, wanted=Wanted(elision=""))


def test_json_becomes_a_table_with_one_type_a_column(tmp_path, job, work):
    """Written as Parquet, columns that differ from shard to shard have their common type in every part."""
    rows = [{**good_row(n), "x": n} for n in range(7)] + [{**good_row(n), "x": n / 2, "y": "z"} for n in range(7, 10)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    output, _ = work(path, replace(job, format=Format.parquet))
    schemas = [pq.read_schema(output.part(number)) for number in range(output.shards)]
    assert schemas[0] == schemas[1]
    found = read(output)
    assert [row["x"] for row in found] == [row["x"] for row in rows]
    assert [row["y"] for row in found] == [None] * 7 + ["z"] * 3
    as_lines, _ = work(path, job, "lines")
    for row, other in zip(found, read(as_lines), strict=True):
        assert {name: row[f"secateurs_{name}"] for name in COLUMNS} == {
            name: other[f"secateurs_{name}"] for name in COLUMNS
        }


def test_a_table_goes_through_with_its_types(tmp_path, job, work):
    """From Parquet to Parquet all columns keep their types; rows without a query or a document are receipted."""
    table = pa.table(
        {
            "q": pa.array(["Who?", None, "Who?", " ", *["Who?"] * 16]),
            "d": pa.array([["A b. C d."], ["x"], None, ["x"], *[[f"Ann {n}. Lee."] for n in range(16)]]),
            "when": pa.array([date(2024, 5, 1)] * 20),
            "price": pa.array([Decimal("1.10")] * 20),
            "raw": pa.array([b"\x00"] * 20),
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=6)
    output, receipts = work(path, replace(job, format=Format.parquet))
    parts = [pq.read_table(output.part(number)) for number in range(output.shards)]
    whole = pa.concat_tables(parts)
    assert whole.select(table.column_names).equals(table.filter(pa.array([n not in (1, 2, 3) for n in range(20)])))
    errors = [(error["row"], error["reason"]) for receipt in receipts for error in receipt["errors"]]
    assert errors == [
        (2, "'q' holds a null: expected a text"),
        (3, "'d' holds a null: expected a text or a list of texts"),
        (4, "'q' is blank: expected a query"),
    ]
    assert whole.schema.field("secateurs_text").type == pa.list_(pa.string())


def test_a_table_becomes_json(tmp_path, job, work):
    """From Parquet to JSON lines dates and decimals are text, and what is no number is null."""
    table = pa.table(
        {
            "q": ["Who?"] * 2,
            "d": ["Ann. Lee.", "Lee."],
            "x": [{"when": date(2024, 5, 1), "price": Decimal("1.10")}] * 2,
            "y": [float("nan"), 0.5],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    output, _ = work(tmp_path / "a.parquet", job)
    found = read(output)
    assert [row["x"] for row in found] == [{"when": "2024-05-01", "price": "1.10"}] * 2
    assert [row["y"] for row in found] == [None, 0.5]


@pytest.mark.parametrize(
    ("name", "data", "settings", "message"),
    [
        ("a.jsonl.gz", gzip.compress(b'{"q": "a", "d": "b"}\n' * 9, mtime=0)[:-9], {}, "is complete"),
        ("a.jsonl.gz", gzip.compress(b"")[:10] + b"\xff" * 20, {}, "is complete"),
        ("a.jsonl.gz", b"plain", {}, "Not a gzipped file"),
        ("a.parquet", b"PAR1 and no more", {}, "cannot use"),
        ("a.jsonl", b'{"q": "a", "d": "b", "x": 1}\n{"q": "a", "d": "b", "x": "y"}\n', {"format": Format.parquet},
         "lines 1 to 2 have no common columns"),
        ("a.jsonl", b'{"q": "a", "d": "b", "x": 1}\n' * 7 + b'{"q": "a", "d": "b", "x": "y"}\n',
         {"format": Format.parquet}, "has no common columns"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named(tmp_path, job, name, data, settings, message):
    """A damaged file, or one that does not fit the format asked for, ends the run with its name and what to do."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match=message):
        survey(
            File(name, path, Format.parquet if name.endswith("parquet") else Format.jsonl), replace(job, **settings)
        )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"q": ["a"]}), "there is no column 'd'"),
        (pa.table({"q": ["a"], "d": [1]}), "'d' holds int64"),
        (pa.table({"q": ["a"], "d": ["b"], "secateurs_text": ["c"]}), "'secateurs_text' already"),
        (pa.table({"q": ["a"], "d": ["b"], "x": [{"y": [b"z"]}]}), "binary column"),
    ],
)
def test_a_table_without_the_right_columns_is_refused(tmp_path, job, table, message):
    """What is wrong with a Parquet file's columns is found before the first row is compressed."""
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UnreadableError, match=message):
        survey(File("a.parquet", tmp_path / "a.parquet", Format.parquet), job)


def test_a_table_that_has_an_order_already_is_refused(tmp_path, job):
    """With --rerank a column is added more: a table with one of that name would come out with two."""
    table = pa.table({"q": ["a"], "d": ["b"], "secateurs_order": [[0]]})
    pq.write_table(table, tmp_path / "a.parquet")
    file = File("a.parquet", tmp_path / "a.parquet", Format.parquet)
    assert survey(file, job).usable
    with pytest.raises(UnreadableError, match="'secateurs_order' already"):
        survey(file, replace(job, wanted=Wanted(rerank=True)))


def test_a_lone_surrogate_is_no_reason_to_stop(tmp_path, job, work):
    """Where Parquet cannot store a text that JSON can, its row is bad and the others go on."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "a", "d": "b"}\n{"q": "a", "d": "x \\ud800"}\n{"q": "a", "d": "\\ud83d\\ude00"}\n')
    output, receipts = work(path, replace(job, format=Format.parquet))
    assert [row["d"] for row in read(output)] == ["b", "\U0001f600"]
    assert receipts[0]["errors"][0]["reason"].startswith("holds a lone surrogate")


def test_a_worker_whose_every_document_fails_stops(tmp_path, job, tiny_folder):
    """Twenty failures without a success are the machine's: nothing is written as if it had been compressed."""
    broken = shutil.copytree(tiny_folder, tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    tensors["pruning_head.classifier.weight"] *= 3e38  # finite, but what it makes is not
    save_file(tensors, broken / "model.safetensors")
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines(30, bad=False)))
    (file,) = find_files(path)
    found = survey(file, replace(job, shard_rows=25))
    output = Output(tmp_path / "out", "jsonl", len(found.shards))
    with only_run(output.folder):
        worker = CompressShard(replace(job, model=str(broken)), output, pa.schema([]), "run")
        batch = {name: [value] for name, value in describe(0, found.shards[0]).items()}
        answers = [json.loads(worker(batch)["receipt"][0])["failure"] for _ in range(5)]
        assert not output.part(0).exists()
    assert all("all 25 documents of a.jsonl, rows 1 to 25, failed" in answer for answer in answers[:4])
    # as Ray would give it for ever to one worker after another
    assert "4 workers died of a.jsonl, rows 1 to 25" in answers[4]


def test_a_damaged_part_is_not_finished(tmp_path, job, work):
    """A part counts with its receipt, its bytes and its run; without any of them it is done again."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines(6, bad=False)))
    output, receipts = work(path, job)
    assert output.finished(0, "run") == receipts[0]
    assert output.finished(0, "another run") is None
    data = output.part(0).read_bytes()
    for damage in (data[:-1], b"", data.replace(b"mill", b"Mill")):
        output.part(0).write_bytes(damage)
        assert output.finished(0, "run") is None
    output.part(0).write_bytes(data)
    output.receipt(0).write_text("{")
    assert output.finished(0, "run") is None


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    """A folder that holds files and no manifest is refused; a new, an empty and a begun one are not."""
    output = Output(tmp_path / "out", "jsonl", 1)
    check_folder(output)
    output.folder.mkdir()
    check_folder(output)
    (output.folder / "thesis.txt").write_text("")
    with pytest.raises(OutputError, match=r"holds thesis\.txt and is no output of this command"):
        check_folder(output)
    assert [path.name for path in output.folder.iterdir()] == ["thesis.txt"]
    output.manifest.write_text("{}")
    check_folder(output)


def test_one_run_at_a_time(tmp_path):
    """A second run on the same folder is refused as long as the first is there."""
    with only_run(tmp_path), pytest.raises(OutputError, match="another run is writing"), only_run(tmp_path):
        pass
    with only_run(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    """A file in the folder's place is said so, not shown as a traceback."""
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="Name a folder you may write to"), only_run(tmp_path / "out"):
        pass


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_lines_in_an_encoding_with_a_mark(job, work, tmp_path, encoding, name):
    """JSON lines as PowerShell writes them give what the same lines in UTF-8 give, in shards as well."""
    text = "\n".join(lines(20))
    outputs = []
    for folder, coding in (("plain", "utf-8"), ("marked", encoding)):
        (tmp_path / folder).mkdir()
        raw = text.encode(coding)
        (tmp_path / folder / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        output, receipts = work(tmp_path / folder / name, job, f"{folder}-out")
        outputs.append([output.part(number).read_bytes() for number in range(len(receipts))])
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 3


def test_half_a_pair_in_utf_16_is_a_bad_line(job, work, tmp_path):
    """Half a surrogate pair spoils the line it stands in, and no other; a file cut in half a character is refused."""
    path = tmp_path / "a.jsonl"
    rows = [json.dumps(good_row(number)) for number in range(4)]
    path.write_bytes("\n".join([rows[0], '{"d": "\ud800"}', *rows[1:]]).encode("utf-16", "surrogatepass"))
    _, [receipt] = work(path, job)
    assert [(one["row"], one["reason"][:9]) for one in receipt["errors"]] == [(2, "not UTF-8")]
    path.write_bytes("\n".join(rows).encode("utf-16")[:-1])
    with pytest.raises(UnreadableError, match="truncated data"):
        work(path, job, "again")


def test_a_link_out_of_the_input_is_refused(tmp_path):
    """What a folder only links to, outside of itself, is not read, and so not copied; a link named as IN is."""
    source = tmp_path / "in"
    source.mkdir()
    (tmp_path / "secret.jsonl").write_text("root:x:0:0\n")
    (source / "a.jsonl").write_text("{}\n")
    (source / "b.jsonl").symlink_to("a.jsonl")
    assert [file.name for file in find_files(source)] == ["a.jsonl", "b.jsonl"]
    (source / "c.jsonl").symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(ValueError, match=r"c\.jsonl is a link out of .*Put the file itself there"):
        find_files(source)
    assert [file.path for file in find_files(source / "c.jsonl")] == [source / "c.jsonl"]


DYING = """
import json, os, sys
from dataclasses import replace
from pathlib import Path
import pyarrow as pa
from secateurs.adapters.options import Wanted
from secateurs.bulk.files import Format, find_files
from secateurs.bulk.job import Job
from secateurs.bulk.output import Output, only_run
from secateurs.bulk.survey import survey, unify
from secateurs.bulk.worker import CompressShard, describe

path, out, format, limit = sys.argv[1:]
job = Job(document_column="d", query_column="q", wanted=Wanted(threshold=0.5), device="cpu",
          format=Format(format), shard_rows=100)
found = survey(find_files(Path(path))[0], job)
output = Output(Path(out), format, 1)
worker = CompressShard(job, output, unify([found.schema]), "run")

def kept(text):
    savings = {"before": 9, "after": 9, "saved": 0, "saved_fraction": 0.0, "encoding": "o200k_base", "exact": True}
    lists = {"warnings": [], "spans": [[0, len(text)]], "sentences": [[0, len(text)]], "scores": [0.5], "frames": []}
    return {"text": text, "status": "unchanged", "reason": "nothing_cut", "ranking_score": None, **lists,
            "savings": savings}

class Dying:
    # what compresses, as far as a worker knows
    left = int(limit)
    def rows(self, queries, documents):
        Dying.left -= 1
        if any("KILLS" in one for one in documents) or Dying.left == 0:
            os._exit(9)
        return [kept(one) for one in documents]

worker._loaded = Dying()
with only_run(output.folder):
    print(worker({name: [value] for name, value in describe(0, found.shards[0]).items()})["receipt"][0])
"""


def die(path, out, format="jsonl", limit=0):
    """Let a worker in a process of its own do the only shard of a file; return its answer, None if it died."""
    words = [sys.executable, "-c", DYING, str(path), str(out), format, str(limit)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 9), done.stderr
    return json.loads(done.stdout) if done.returncode == 0 else None


@pytest.mark.parametrize("format", spread(["jsonl", "parquet"], 2))
def test_a_row_that_kills_its_worker_is_left_out(tmp_path, format):
    """A row of which workers die twice is an error with its place; the others come out as they do without it."""
    rows = [{"q": f"who wrote {n} ?", "d": f"the book {n} . it rained ."} for n in range(6)]
    deadly = [*rows[:3], {"q": "who ?", "d": "this KILLS ."}, *rows[3:]]
    for name, some in (("all", rows), ("deadly", deadly)):
        if format == "parquet":
            pq.write_table(pa.Table.from_pylist(some), tmp_path / f"{name}.parquet")
        else:
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    expected = die(tmp_path / f"all.{format}", tmp_path / "expected", format)
    answers = [die(tmp_path / f"deadly.{format}", tmp_path / "out", format) for _ in range(4)]
    assert answers[:3] == [None] * 3
    receipt = answers[3]
    raw = json.dumps(deadly[3]) if format == "jsonl" else None
    reason = "2 workers died of it: it was not tried again"
    assert receipt["errors"] == [{"file": f"deadly.{format}", "row": 4, "reason": reason, "raw": raw}]
    assert (receipt["rows"], receipt["part"]["sha256"]) == (6, expected["part"]["sha256"])
    assert [one.name for one in (tmp_path / "out" / "_shards").iterdir()] == ["00000.json"]


def test_workers_that_are_killed_from_outside_lose_no_row(tmp_path):
    """A worker that dies at another row each time, or of the shard as a whole, leaves none out."""
    rows = [{"q": f"who wrote {n} ?", "d": f"the book {n} . it rained ."} for n in range(6)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    expected = die(path, tmp_path / "expected")
    assert die(path, tmp_path / "out", limit=1) is None
    assert die(path, tmp_path / "out", limit=3) is None
    assert die(path, tmp_path / "out", limit=3) is None
    receipt = die(path, tmp_path / "out")
    assert receipt == expected
    assert receipt["errors"] == []
