"""Disks that are full, folders not to be written, processes that are killed: no half file, and it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slices
import torch
from train.conftest import CONFIG, eight_records
from watchdog import Ended, run_python

LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
sys.argv = ["secateurs", *{words!r}]
runpy.run_module("secateurs", run_name="__main__")
"""
QUERY = "Who built the mill?"


def secateurs(*words: object, size: int | None = None) -> Ended:
    """Run the command line, with files limited to so many bytes: a disk that is full then, whoever asks."""
    given = [str(word) for word in words]
    if size is None:
        return run_python(["-m", "secateurs", *given], seconds=110)
    return run_python(["-c", LIMITED.format(size=size, words=given)], seconds=110)


def check_refused(ended: Ended, name: str) -> None:
    """Check for exit code 2 and one line that names the file."""
    assert ended.status == 2, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line]
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("secateurs: cannot write ")
    assert name in lines[0]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document.txt"
    path.write_text("Ann Lee built the mill in 1842. It burned down twice. " * 40, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("format", "before"), [("text", None), ("text", "what was there"), ("json", "what was there"), ("html", None)]
)
def test_an_output_on_a_full_disk_is_not_half_written(
    tiny_folder: Path, document: Path, tmp_path: Path, format: str, before: str | None
) -> None:
    """Where the output does not fit the command says so with code 2, and what was there before is there still."""
    output = tmp_path / "out" / f"result.{format}"
    output.parent.mkdir()
    if before is not None:
        output.write_text(before, encoding="utf-8")
    words = ["compress", QUERY, document, "--model", tiny_folder, "--format", format, "--output", output]
    check_refused(secateurs(*words, size=1000), output.name)
    assert [path.name for path in output.parent.iterdir()] == [output.name] * (before is not None)
    assert before is None or output.read_text(encoding="utf-8") == before


def test_an_output_that_is_no_file_is_written_into(tiny_folder: Path, document: Path, tmp_path: Path) -> None:
    """A full device is told by its name, a link stays a link, and a device that takes all takes this too."""
    words = ["compress", QUERY, document, "--model", tiny_folder, "--format", "json", "--output"]
    check_refused(secateurs(*words, "/dev/full"), "/dev/full")
    link, target = tmp_path / "link.json", tmp_path / "target.json"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o640)
    link.symlink_to(target)
    assert secateurs(*words, link).status == 0
    assert link.is_symlink()
    assert json.loads(target.read_text(encoding="utf-8"))["query"] == QUERY
    assert target.stat().st_mode & 0o777 == 0o640
    piped = secateurs(*words, "/dev/stdout")
    assert piped.status == 0
    assert json.loads(piped.stdout)["query"] == QUERY


def train_config(folder: Path, model: Path, output: Path, *, save_seconds: float = 600.0) -> Path:
    """Write eight records, and a config that trains on them."""
    folder.mkdir(exist_ok=True)
    lines = [json.dumps(record, ensure_ascii=False) for record in eight_records()]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    quoted = {"data": json.dumps(str(folder)), "output": json.dumps(str(output)), "model": json.dumps(str(model))}
    path = folder / f"{output.name}.toml"
    text = CONFIG.format(**quoted, start="", run=f"save_seconds = {save_seconds}\nthreads = 1", dev="", average=0.9)
    path.write_text(text.replace("steps = 20", "steps = 60").replace("log_steps = 5", "log_steps = 1"), "utf-8")
    return path


@pytest.mark.sliced
def test_a_training_killed_with_kill_9_ends_bit_for_bit_like_one_that_was_not(
    tiny_folder: Path, tmp_path: Path
) -> None:
    """kill -9 of the command, twice, while it writes its state at every step: resumed, the checkpoint is the same."""
    whole = train_config(tmp_path / "data", tiny_folder, tmp_path / "whole")
    assert secateurs("train", whole).status == 0
    killed = train_config(tmp_path / "data", tiny_folder, tmp_path / "killed", save_seconds=1e-9)
    state, log = tmp_path / "killed" / "state.pt", tmp_path / "killed" / "log.jsonl"
    for steps in (5, 12) if slices.whole() else (12,):
        command = [sys.executable, "-m", "secateurs", "train", str(killed)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            before = log.stat().st_size if log.exists() else 0
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end:
                if log.exists() and log.read_bytes()[before:].count(b"\n") >= steps:
                    break
                time.sleep(0.002)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert 0 < torch.load(state, weights_only=True)["progress"]["step"] < 60
    again = secateurs("train", killed)
    assert again.status == 0, again.stderr
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        found = [(tmp_path / run / "checkpoint" / name).read_bytes() for run in ("whole", "killed")]
        assert found[0] == found[1], name
    assert not [path for path in (tmp_path / "killed").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("size", [2_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_a_training_on_a_full_disk_says_so_and_goes_on(tiny_folder: Path, tmp_path: Path, size: int) -> None:
    """Where state or checkpoint do not fit the command ends with code 2 and no half file; with room it goes on."""
    config = train_config(tmp_path / "data", tiny_folder, tmp_path / "run")
    ended = secateurs("train", config, size=size)
    assert ended.status == 2, ended.stderr
    assert "secateurs: cannot write " in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left <= {"log.jsonl", "state.pt"}
    assert secateurs("train", config).status == 0
    assert (tmp_path / "run" / "checkpoint" / "model.safetensors").is_file()


def test_an_evaluation_that_cannot_be_written_leaves_no_half_report(tiny_folder: Path, tmp_path: Path) -> None:
    """Where the report does not fit, none of it is taken for whole, and the line on stderr names it."""
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in eight_records()), encoding="utf-8")
    words = ["evaluate", data, "--all", "--records", "all", "--model", tiny_folder, "--resamples", 0]
    ended = secateurs(*words, "--output", tmp_path / "out", size=200)
    check_refused(ended, "evaluation.json")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_a_folder_in_the_files_place_is_refused_before_the_work(tiny_folder: Path, tmp_path: Path) -> None:
    """A file where the run's folder should be (nobody, not even root, may write into it) is one line and code 2."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file", encoding="utf-8")
    config = train_config(tmp_path / "data", tiny_folder, blocked / "run")
    ended = secateurs("train", config)
    assert ended.status == 2
    assert "blocked" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
