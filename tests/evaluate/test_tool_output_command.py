"""The command: from records to tables, JSON and a picture; and what stands beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from outputs import GOOD_NAMES, job, made, write

from secateurs.cli.app import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "made.jsonl.gz", made())


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return int(exit_.value.code or 0)


def test_the_command_measures_and_writes(data: Path, tiny_folder: Path, tmp_path: Path, capsys):
    """Tables on the terminal; every way, kind, case and loss in the JSON; a picture; no path of the machine."""
    pytest.importorskip("matplotlib", reason="the picture needs the extra evaluate")
    out = tmp_path / "out"
    options = ["--model", tiny_folder, "--max-tokens", 30, "--device", "cpu", "--output", out]
    assert run("evaluate", "tool-output", data, *options) == 0
    said = capsys.readouterr().out
    assert "at most 30 LLM tokens an output" in said and "BM25 lines" in said and "Rule: a fact survives" in said
    text = (out / "tool-output.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text and str(tmp_path) not in said
    report = json.loads(text)
    assert list(report["data"]) == ["made"]
    [part] = report["parts"]
    assert (part["benchmark"], part["max_tokens"], part["signals"]) == ("TOFB", 30, True)
    assert part["agent"] is False
    ours, *others = part["ways"]
    assert ours["name"] == tiny_folder.name
    assert [one["name"] for one in others] == ["BM25 lines", "head", "tail", "grep", "random lines"]
    for way in part["ways"]:
        assert list(way["cases"]) == GOOD_NAMES and way["kinds"]["all"]["cases"] == len(GOOD_NAMES)
        assert all(case["after"] <= 30 for case in way["cases"].values())
    assert len(part["losses"]) == sum(len(case["lost"]) for case in ours["cases"].values())
    assert all(f"lost in {loss['case']}: " in said for loss in part["losses"])
    assert (out / "tool-output.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_says_whether_an_agent_asked(data: Path, tiny_folder: Path, capsys):
    """Figures of --agent are others, and called so: in the title, and in the JSON."""
    options = ["--model", tiny_folder, "--max-tokens", 30, "--device", "cpu"]
    assert run("evaluate", "tool-output", data, *options, "--agent") == 0
    assert "an output, asked as an agent asks" in " ".join(capsys.readouterr().out.split())


def test_two_benchmarks_are_measured_by_one_command(data: Path, tiny_folder: Path, tmp_path: Path, capsys):
    """Each has its own numbers of tokens; those of logs keep what must not be lost; one picture shows them all."""
    pytest.importorskip("matplotlib", reason="the picture needs the extra evaluate")
    out = tmp_path / "out"
    logs = write(tmp_path / "logs.jsonl", [job()])
    assert run("evaluate", "tool-output", data, logs, "--model", tiny_folder, "--output", out) == 0
    parts = json.loads((out / "tool-output.json").read_text(encoding="utf-8"))["parts"]
    found = [(part["benchmark"], part["max_tokens"], part["signals"]) for part in parts]
    assert found == [("TOFB", 128, True), ("LogDx", 3500, True), ("LogDx", 6000, True)]
    assert all(one["ways"][0]["cases"]["job"]["lost"] == [] for one in parts[1:])
    assert "LogDx: facts that survive in 3,500 LLM tokens" in capsys.readouterr().out


def test_the_measurement_on_labelled_data_needs_no_word_of_its_own(tmp_path: Path, tiny_folder: Path, capsys):
    """`evaluate DATA` is `evaluate labelled DATA`, whatever comes first; a folder named like a command is a path."""
    folder = tmp_path / "tool-output"
    folder.mkdir()
    row = {"query": "Who?", "context": "It was Ann. It rained.", "evidence": [[0, 11]]}
    write(folder / "one.jsonl", [{**row, "id": str(place)} for place in range(4)])
    options = ["--all", "--resamples", 0, "--model", tiny_folder]
    for words in ([folder, *options], [*options, folder], ["labelled", folder, *options]):
        assert run("evaluate", *words) == 0
        assert "Systems, mean over files" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tool-output"], "Missing argument 'FILE...'"),
        (["tool-output", "nowhere.jsonl"], "no such file: nowhere.jsonl"),
        (["tool-output", "DATA", "--max-tokens", "0"], "--max-tokens must be at least 1"),
        (["tool-output", "DATA", "--output", "DATA"], "is a file: name a folder"),
        (["tool-output", "DATA", "--encoding", "latin"], "unknown encoding"),
        ([], "Missing argument 'DATA...'"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(data: Path, words: list[str], says: str, capsys):
    """The line says what would be right."""
    assert run("evaluate", *(str(data) if word == "DATA" else word for word in words)) == 2
    said = capsys.readouterr().err
    assert says in said and len(said.splitlines()) == 1


def test_a_missing_extra_is_named_before_anything_is_measured(data: Path, tmp_path: Path, monkeypatch, capsys):
    """Without matplotlib, --output says which extra brings it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    words = ["evaluate", "tool-output", data, "--model", "/nowhere/at/all", "--output", tmp_path / "out"]
    assert run(*words) == 2
    assert "secateurs[evaluate]" in capsys.readouterr().err


def test_help_names_the_other_measurement(capsys):
    """Who asks for the help of `evaluate` learns of what stands beside it."""
    assert run("evaluate", "--help") == 0
    assert "evaluate tool-output" in capsys.readouterr().out
