"""`secateurs bulk` on a real Ray: what it gives, and that it gives the same whatever is killed on the way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from bulk.corpus import BAD, digest, good_row, write_corpus
from bulk.processes import children
from slices import whole

from secateurs.cli import main

# Ray warns of defaults of its own when its context is made
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")


def command(source: Path, output: Path, model: Path, *more: object) -> list[str]:
    columns = ["--query-column", "q", "--document-column", "d"]
    settings = ["--model", model, "--threshold", "0.95", "--workers", "2", *more]
    return [str(word) for word in ("bulk", source, output, *columns, *settings)]


@pytest.fixture
def bulk(capfd):
    """Run the command in this process; returns exit code, standard output and standard error."""

    def go(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(command(*arguments))
        out, err = capfd.readouterr()
        return int(exit_.value.code or 0), out, err

    return go


def rows(output: Path) -> list[dict[str, object]]:
    parts = sorted(output.glob("part-*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_bytes().splitlines()]


@pytest.mark.sliced
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(local_ray, tiny_folder, tmp_path, bulk):
    """Every good row is there once, in order, bad ones in the error file; what was lost or torn is made again."""
    source, output = write_corpus(tmp_path / "in", rows=60), tmp_path / "out"
    code, out, err = bulk(source, output, tiny_folder, "--shard-rows", 8, "--workers", 2 if whole() else 1)
    done = digest(output)
    assert code == 1, err  # there are bad rows
    errors = [json.loads(line) for line in (output / "_errors.jsonl").read_bytes().splitlines()]
    assert [(error["file"], error["row"], error["raw"]) for error in errors] == [
        ("a.jsonl", number, line) for number, (line, _) in BAD.items()
    ]
    good = [n for n in range(1, 61) if n not in BAD]
    assert [row["id"] for row in rows(output)] == [*good, *range(30)]
    totals = json.loads((output / "_totals.json").read_bytes())
    assert totals["rows"] == len(good) + 30
    assert totals["bad_rows"] == len(BAD)
    assert sum(totals["documents"].values()) == len(good) + 3 * 30
    assert f"{totals['savings']['saved']:,}" in out
    assert "shards" in err and "\x1b" not in out + err

    (output / "_totals.json").unlink()
    (output / "_shards" / "00000.json").unlink()
    (output / "_shards" / "00003.json").write_text("{}")
    (output / "part-00002.jsonl").write_text(rows_of := "torn")
    (output / "part-00009.jsonl").unlink()
    (output / "_shards" / ".00005.json.x.writing").write_text(rows_of)
    (output / ".part-00005.jsonl.x.writing").write_text(rows_of)
    code, again, err = bulk(source, output, tiny_folder, "--shard-rows", 8, "--workers", 1)
    assert digest(output) == done
    assert (code, again) == (1, out)
    assert "8 of 12 shards were finished by an earlier run" in err

    code, out, err = bulk(source, output, tiny_folder, "--shard-rows", 8, "--threshold", "0.9", "--top-k", 3)
    assert (code, out) == (2, "")
    assert "threshold was 0.95, now 0.9; top_k was None, now 3" in err
    with (source / "a.jsonl").open("a") as file:
        file.write("\n")
    code, out, err = bulk(source, output, tiny_folder, "--shard-rows", 8)
    assert (code, out) == (2, "")
    assert "was begun with something else: a.jsonl has changed. An output is resumed with" in err
    assert digest(output) == done


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"q": "a"}\n\n{"q": "b"}\n', "no row can be used; the first, {path}:1: no 'd': the keys are 'q'."),
        ("\n\n", "the input is empty: {path} holds no row."),
    ],
)
def test_an_input_without_a_usable_row_is_refused(local_ray, tiny_folder, tmp_path, bulk, lines, message):
    """Where not one row can be used it is the command that is wrong: nothing is written."""
    path = tmp_path / "in.jsonl"
    path.write_text(lines)
    code, out, err = bulk(path, tmp_path / "out", tiny_folder)
    assert (code, out) == (2, "")
    assert err.strip().splitlines()[-1] == "secateurs: " + message.format(path=path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl", "out", "--query", "q", "--document-column", "d"], "none.jsonl"),
        (["in.jsonl", "in.jsonl", "--query", "q", "--document-column", "d"], "lie in each other"),
        (["in.jsonl", "out", "--document-column", "d"], "either a query column or one query"),
        (["in.jsonl", "out", "--query", " ", "--document-column", "d"], "is blank"),
        (
            ["in.jsonl", "out", "--query", "q", "--document-column", "d", "--workers", "0"],
            "--workers must be at least",
        ),
        (["in.jsonl", "out", "--query", "q", "--document-column", "d", "--model", "none"], "no checkpoint at 'none'"),
        (["in.jsonl", "out", "--query", "q"], "Missing option '--document-column'"),
    ],
)
def test_wrong_use_is_found_before_ray_starts(tmp_path, monkeypatch, capfd, arguments, message):
    """Exit code 2, and one line that says what is wrong."""
    (tmp_path / "in.jsonl").write_text('{"d": "e"}\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(["bulk", *arguments])
    err = capfd.readouterr().err
    assert exit_.value.code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_worker_that_cannot_go_on_says_why(local_ray, tmp_path, bulk):
    """A checkpoint that cannot be loaded is one line and exit code 2, not pages of Ray's."""
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(good_row(1)))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "open_provence"}')
    code, out, err = bulk(source, tmp_path / "out", tmp_path / "model")
    assert (code, out) == (2, "")
    last = err.strip().splitlines()[-1]
    assert last.startswith("secateurs: no model.safetensors in ")
    assert last.endswith("What is finished is safe: mend what is wrong, then run the same command again.")
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(local_ray, tiny_folder, tmp_path, bulk):
    """kill -9 of one worker after another in the middle of a run: the bytes are those of a run without."""
    source = write_corpus(tmp_path / "in", rows=2400)
    code, out, err = bulk(source, tmp_path / "whole", tiny_folder, "--shard-rows", 50)
    assert code == 1, err
    killed, over = [], threading.Event()

    def kill() -> None:
        while len(killed) < 3 and not over.wait(0.1):
            finished = len(list((tmp_path / "out" / "_shards").glob("*.json")))
            workers = children("CompressShard")
            if finished > 8 * len(killed) and workers:
                os.kill(workers[0], signal.SIGKILL)
                killed.append(finished)

    killer = threading.Thread(target=kill)
    killer.start()
    code, again, err = bulk(source, tmp_path / "out", tiny_folder, "--shard-rows", 50)
    over.set()
    killer.join()
    assert len(killed) == 3
    assert code == 1, err
    assert again.endswith(out)  # before which Ray says that it has lost workers
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


@pytest.mark.slow
def test_a_command_killed_at_any_moment_goes_on_to_the_same_bytes(tiny_folder, tmp_path):
    """kill -9 of the whole command at random moments, then once more to the end: the bytes of a run left alone."""
    source, output = write_corpus(tmp_path / "in", rows=2400), tmp_path / "out"
    more = ("--shard-rows", 20)
    whole = finish(source, tmp_path / "whole", tiny_folder, *more)
    receipts = len(list((tmp_path / "whole" / "_shards").glob("*.json")))
    chance, seen = random.Random(7), 0
    for _ in range(3):
        seen = kill_after(chance.randint(0, 40), chance.random(), source, output, tiny_folder, *more)
    last = finish(source, output, tiny_folder, *more)
    assert 0 < seen < receipts, "no kill was in the middle"
    assert (last.returncode, last.stdout) == (1, whole.stdout), last.stderr
    assert digest(output) == digest(tmp_path / "whole")


def finish(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "secateurs", *command(*arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=300)


def kill_after(count: int, seconds: float, source: Path, output: Path, *arguments: object) -> int:
    """Kill a run some time after it has finished some more shards; returns how many are finished."""
    receipts = output / "_shards"
    before = len(list(receipts.glob("*.json")))
    words = [sys.executable, "-m", "secateurs", *command(source, output, *arguments)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(receipts.glob("*.json"))) <= before + count:
            time.sleep(0.01)
        time.sleep(seconds / 10)
        process.kill()
    return len(list(receipts.glob("*.json")))


@pytest.mark.slow
def test_a_table_of_one_file_is_done_with_exit_code_0(local_ray, tiny_folder, tmp_path, bulk):
    """JSON lines in, Parquet out, nothing wrong with any row: exit code 0 and an empty error file."""
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(good_row(n)) + "\n" for n in range(50)))
    code, _, err = bulk(source, tmp_path / "out", tiny_folder, "--format", "parquet")
    assert code == 0, err
    table = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert table.column("id").to_pylist() == list(range(50))
    assert (tmp_path / "out" / "_errors.jsonl").read_bytes() == b""
