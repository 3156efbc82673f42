"""The output survives kills, full disks and torn lines."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
import typer
from annotation import expected, make_record, read, write
from misbehaving import Server, fails_on
from slices import part

from secateurs.annotate.command import annotate
from secateurs.annotate.lines import Lines, OutputError
from secateurs.annotate.output import Annotator, Paths, open_output

Label = Callable[..., int]


def command(tmp_path: Path, server: Server, *options: str) -> list[str]:
    """Return the command line of a run."""
    files = [str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl")]
    where = ["--base-url", server.url, "--model", "fake", "--concurrency", "4", "--timeout", "2"]
    return [sys.executable, "-m", "secateurs", "annotate", *files, *where, *options]


@pytest.mark.sliced
def test_kill_9_at_any_moment_loses_and_doubles_nothing(tmp_path: Path, server: Server) -> None:
    """Killed again and again while it writes, and resumed, a run ends with each id once and the right labels."""
    tricks = ("", "", "500", "twice", "")
    records = [make_record(number, tricks[number % 5]) for number in range(150)]
    write(tmp_path / "in.jsonl", records)
    server.delay = 0.03
    out = tmp_path / "out.jsonl"
    rng = random.Random(7)
    kills = 0
    for _ in range(part(4, 2)):
        size = out.stat().st_size if out.exists() else 0
        process = subprocess.Popen(command(tmp_path, server), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and (not out.exists() or out.stat().st_size <= size):
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.25))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills >= part(4, 2) - 1
    done = len(read(out)) if out.read_bytes().endswith(b"\n") else 0
    assert done < 150
    server.delay = 0.0
    subprocess.run(command(tmp_path, server), check=True, stdout=subprocess.DEVNULL)
    rows, rejected = read(out), read(tmp_path / "out.rejected.jsonl")
    assert sorted(row["id"] for row in rows + rejected) == sorted(record["id"] for record in records)
    given = {record["id"]: record for record in records}
    assert all(row["labels"] == expected(given[row["id"]]) for row in rows)
    assert len(rejected) == 30 and len(rows) == 120


def test_a_line_torn_anywhere_is_made_good(label: Label, tmp_path: Path) -> None:
    """Cut after any byte of its last line, OUT ends as if it had never been cut."""
    records = [make_record(number) for number in range(3)]
    label(records, concurrency=1)
    out = tmp_path / "out.jsonl"
    whole = out.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    cuts = [start, start + 1, (start + len(whole)) // 2, len(whole) - 2, len(whole) - 1]
    for cut in cuts:
        out.write_bytes(whole[:cut])
        label(concurrency=1)
        assert out.read_bytes() == whole


def test_a_kill_at_every_moment_of_writing_ends_alike(label: Label, tmp_path: Path, server: Server) -> None:
    """Whatever has reached the files when a process dies, the next run ends with the lines of one never killed."""
    server.RequestHandlerClass = fails_on("poison", server.RequestHandlerClass)
    text = " ".join(f"Number {n} is about the {'poison' if n == 30 else 'mill'}." for n in range(60))
    long = {"id": "long", "query": "Where is the mill", "context": text}
    records = [make_record(1), long, make_record(2, "twice"), make_record(3, "422"), make_record(4)]
    files = [tmp_path / "out.jsonl", tmp_path / "out.rejected.jsonl"]
    options = {"concurrency": 1, "max_prompt_tokens": 800}
    label(records, **options)
    whole = [sorted(path.read_bytes().splitlines()) for path in files]
    assert [len(lines) for lines in whole] == [3, 3]
    rows = [(file, line) for file in (1, 0) for line in files[file].read_bytes().splitlines(keepends=True)]
    names = [record["id"] for record in records]
    writes = sorted(rows, key=lambda row: names.index(json.loads(row[1])["id"]))  # rejected comes before OUT
    for number, (file, line) in enumerate(writes):
        for cut in (0, 1, len(line) // 2, len(line) - 1):
            state = [b"".join(data for other, data in writes[:number] if other == index) for index in (0, 1)]
            state[file] += line[:cut]
            for path, data in zip(files, state, strict=True):
                path.write_bytes(data)
            label(**options)
            assert [sorted(path.read_bytes().splitlines()) for path in files] == whole


def test_a_kill_between_two_files_leaves_no_stale_line(label: Label, tmp_path: Path) -> None:
    """What was set aside of a record that was not finished is dropped, and the record is done again."""
    label([make_record(1)])
    (row,) = read(tmp_path / "out.jsonl")
    stale = {"id": "r1", "query": row["query"], "context": row["context"], "outcome": "partial", "failures": []}
    write(tmp_path / "out.rejected.jsonl", [stale])
    (tmp_path / "out.jsonl").write_bytes(b"")
    label()
    assert read(tmp_path / "out.rejected.jsonl") == [] and len(read(tmp_path / "out.jsonl")) == 1


@pytest.mark.parametrize("cut", range(12))
def test_lines_mend_what_a_kill_leaves(tmp_path: Path, cut: int) -> None:
    """Whole lines stay, half a line goes, and a whole line without its end gets one."""
    path = tmp_path / "lines"
    data = b'{"a": 1}\n{"b": 2}\n'
    path.write_bytes(data[: len(data) - cut])
    Lines(path).close()
    assert path.read_bytes() == (data if cut < 2 else data[:9] if cut < 10 else data[:9] if cut == 10 else b"")


def test_zeros_after_a_power_cut_are_cut_off(tmp_path: Path) -> None:
    """A file system may leave zeros where a line was to be."""
    path = tmp_path / "lines"
    path.write_bytes(b'{"a": 1}\n' + b"\0" * 100_000)
    Lines(path).close()
    assert path.read_bytes() == b'{"a": 1}\n'


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path, server: Server) -> None:
    """Where no more can be written the run ends with one line that says so; with room again it goes on."""
    resource = pytest.importorskip("resource", reason="limits the size of a file on POSIX")
    records = [make_record(number) for number in range(12)]
    write(tmp_path / "in.jsonl", records)

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    run = subprocess.run(command(tmp_path, server), preexec_fn=small, capture_output=True, text=True)
    assert run.returncode == 2
    assert "cannot write" in run.stderr and "same command again" in run.stderr and "Traceback" not in run.stderr
    kept = (tmp_path / "out.jsonl").read_bytes()
    assert 0 < len(read(tmp_path / "out.jsonl")) < 12 and kept.endswith(b"\n")
    again = subprocess.run(command(tmp_path, server), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "out.jsonl").read_bytes().startswith(kept)
    assert {row["id"] for row in read(tmp_path / "out.jsonl")} == {record["id"] for record in records}


def test_wrong_use_is_one_line(tmp_path: Path, server: Server) -> None:
    """A bad line of IN ends the command with code 2 before anything is asked or written."""
    (tmp_path / "in.jsonl").write_text('{"query": "q", "context": "c"}\n{"query": 1}\n', encoding="utf-8")
    run = subprocess.run(command(tmp_path, server), capture_output=True, text=True)
    assert run.returncode == 2 and run.stderr.count("\n") == 1
    assert "in.jsonl:2: 'query' is 1, expected a text" in run.stderr
    assert not server.requests and not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--concurrency", "0"], "--concurrency"),
        (["--temperature", "3"], "--temperature is 3.0: expected 0 to 2"),
        (["--timeout", "0"], "--timeout is 0.0: expected seconds"),
        (["--body", "[]"], "--body is []: expected an object"),
        (["--body", '{"model": "x"}'], "--body sets model"),
        (["--base-url", "localhost"], "--base-url is 'localhost': expected an address"),
    ],
)
def test_a_wrong_option_is_named(tmp_path: Path, options: list[str], message: str) -> None:
    """Each option that cannot be is refused by its name, before anything is written."""
    where = {"--base-url": "http://127.0.0.1:9/v1", "--model": "fake", **dict([options])}
    with pytest.raises(ValueError) as caught:
        app_annotate([str(write(tmp_path / "in.jsonl", [make_record(1)])), str(tmp_path / "out.jsonl")], where)
    assert message in str(caught.value) and not (tmp_path / "out.jsonl").exists()


def app_annotate(files: list[str], options: dict[str, str]) -> None:
    """Call the command in this process, as Typer does."""
    app = typer.Typer()
    app.command()(annotate)
    app([*files, *chain.from_iterable(options.items())], standalone_mode=False)


ANNOTATOR = Annotator("fake", "1", 0.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [("out.jsonl.gz", "compressed"), ("folder", "not a file"), ("none/out.jsonl", "cannot write .*folder")],
)
def test_an_output_that_cannot_be_is_refused(tmp_path: Path, name: str, message: str) -> None:
    """The error says what to name instead."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=message):
        open_output(Paths(tmp_path / name), ANNOTATOR)


@pytest.mark.parametrize(
    "line", ['{"id": "x"}', "nonsense", "[]", json.dumps({"id": 1, "query": "q", "context": "c"})]
)
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, line: str) -> None:
    """A file that annotate did not write is refused with its line, and stays as it is."""
    (tmp_path / "out.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(OutputError, match=r"out\.jsonl:1 was"):
        open_output(Paths(tmp_path / "out.jsonl"), ANNOTATOR)
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == line + "\n"


def test_an_unfinished_line_of_somebody_else_is_not_cut_off(tmp_path: Path) -> None:
    """A text that was named by mistake is not taken for a torn line."""
    (tmp_path / "notes.txt").write_text("my only copy", encoding="utf-8")
    with pytest.raises(OutputError, match="did not write"):
        open_output(Paths(tmp_path / "notes.txt"), ANNOTATOR)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "my only copy"


def test_a_lone_surrogate_is_written_and_read(tmp_path: Path) -> None:
    """What JSON can hold, OUT can hold."""
    lines = Lines(tmp_path / "lines")
    lines.append({"a": "x\ud800y", "b": "水"})
    lines.close()
    assert read(tmp_path / "lines") == [{"a": "x\ud800y", "b": "水"}]
