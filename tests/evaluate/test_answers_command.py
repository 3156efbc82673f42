"""`secateurs evaluate answers` from end to end: files, a server that misbehaves, kills, and what is said of it."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reading import a_reader, answer_of, make_row, verdict_on, write_rows

from secateurs.cli import main

pytest.importorskip("matplotlib", reason="the picture needs the extra evaluate")
pytest.importorskip("bm25s", reason="the system bm25 needs the extra evaluate")

Run = Callable[..., int]
SYSTEMS = ("--systems", "full,pruned,random,truncated,bm25,re-rank,oracle")
FAST = ("--retries", 0, "--timeout", 60, "--concurrency", 4, "--resamples", 50)


@pytest.fixture
def run(tiny_folder: Path) -> Run:
    def call(*arguments: object) -> int:
        with pytest.raises(SystemExit) as end:
            main(["evaluate", "answers", *map(str, arguments)])
        return int(end.value.code or 0)

    return call


@pytest.fixture
def ours(tiny_folder: Path) -> tuple[object, ...]:
    return ("--model", tiny_folder, "--device", "cpu", *SYSTEMS)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def answered(path: Path, prompts: Path, say: Callable[[str], str]) -> None:
    """Answer every prompt of a file by a rule."""
    write_rows(path, [{"id": row["id"], "answer": say(row["messages"][1]["content"])} for row in lines(prompts)])


def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "answers.json").read_text(encoding="utf-8"))


def rows_of(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["system"], row["setting"]): row for row in found["rows"]}


def test_files_are_enough(run: Run, ours: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Export, answer, import, judge, import: the report has every system, language and kind, and again the same."""
    data = write_rows(tmp_path / "q.jsonl", [make_row(number) for number in range(12)])
    folder = tmp_path / "run"
    assert run(data, *ours, "--export", folder) == 0
    assert f"evaluate answers --import {folder}" in capsys.readouterr().out
    assert run("--import", folder) == 0
    assert "nobody has answered" in capsys.readouterr().out
    answered(folder / "answers.jsonl", folder / "prompts.jsonl", answer_of)
    assert run("--import", folder) == 0
    assert "judge-prompts.jsonl are not answered" in capsys.readouterr().out
    answered(folder / "verdicts.jsonl", folder / "judge-prompts.jsonl", verdict_on)
    assert run("--import", folder) == 0
    shown = capsys.readouterr().out
    assert "retained" in shown and "agree on 100.0%" in shown
    found = report(folder)
    rows = rows_of(found)
    full, random_ = rows["full", ""], rows["random", "0.85"]
    assert (full["right"], full["answerable"], full["retained"], full["saved"]) == (9, 9, 1.0, 0.0)
    assert (full["rightly"], full["unanswerable"], full["unknown"]) == (3, 3, 0)
    assert {name for name, _ in rows} == {"full", "pruned", "random", "truncated", "bm25", "re-rank"}
    assert 0 < random_["saved"] < 1 and random_["pairs"]["both"] + random_["pairs"]["lost"] == 9
    assert set(found["languages"]) == {"en", "zh"} and set(found["kinds"]) == {"K", "Q"}
    assert (folder / "answers.png").read_bytes().startswith(b"\x89PNG")
    assert "## By language" in (folder / "answers.md").read_text(encoding="utf-8")
    before = (folder / "answers.json").read_bytes()
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert run("--import", moved) == 0
    assert (moved / "answers.json").read_bytes() == before


def test_what_is_wrong_with_files_is_counted_and_never_guessed(
    run: Run, ours: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Missing, blank, doubled and strange answers, prose for verdicts: each is said, counted, and not used."""
    data = write_rows(tmp_path / "q.jsonl", [make_row(number) for number in range(8)])
    folder = tmp_path / "run"
    assert run(data, *ours, "--export", folder, "--gzip", "--systems", "full") == 0
    import gzip

    (folder / "prompts.jsonl").write_bytes(gzip.decompress((folder / "prompts.jsonl.gz").read_bytes()))
    prompts = lines(folder / "prompts.jsonl")
    good = [{"id": row["id"], "answer": answer_of(row["messages"][1]["content"])} for row in prompts]
    text = "".join(json.dumps(row) + "\n" for row in good[2:])
    text += json.dumps({**good[2], "answer": "another"}) + "\n" + json.dumps(good[3]) + "\n"
    text += json.dumps({"id": "unknown", "answer": "x"}) + '\n["no object"]\n{"id": "' + "\n"
    text += json.dumps({"id": good[0]["id"], "answer": " "}) + "\n"
    (folder / "answers.jsonl").write_text(text, encoding="utf-8")
    assert run("--import", folder) == 0
    judged = lines(folder / "judge-prompts.jsonl")
    verdicts = [{"id": row["id"], "answer": verdict_on(row["messages"][1]["content"])} for row in judged]
    verdicts[0]["answer"] = "I would say that it is right."
    write_rows(folder / "verdicts.jsonl", verdicts)
    assert run("--import", folder) == 0
    shown = capsys.readouterr().out.rpartition("Readers")[0] + capsys.readouterr().out
    found = report(folder)
    readers = found["readers"]
    assert readers["answered"] == 5 and readers["failed"] == {"two answers": 1}
    assert readers["problems"] == {
        "answers given twice": 1,
        "answers that are blank or no text": 1,
        "answers to prompts that the plan does not have": 1,
        "lines that are no JSON object": 2,
        "prompts with two different answers, none of which counts": 1,
    }
    assert found["judges"]["unreadable_verdicts"] == 1
    row = found["rows"][0]
    assert row["unknown"] == 4, "two missing, one doubled, one not judged by both"
    assert row["answerable"] + row["unanswerable"] == 4
    assert "retained" in shown


def test_a_server_that_misbehaves_is_told_of(
    run: Run, ours: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Refusals, cut answers, prose and swayed judges are counted by cause; the others are measured."""
    tricks = ["", "422", "refusal", "cut", "422", "prose", "swayed", "", ""]
    data = write_rows(tmp_path / "q.jsonl", [make_row(4 * number, trick) for number, trick in enumerate(tricks)])
    folder = tmp_path / "run"
    with a_reader() as server:
        ask = ("--base-url", server.url, "--reader", "r", "--judge", "a", "--judge", "b", "--api-key", "sk-x", *FAST)
        one = (data, *ours, "--systems", "full", "--output", folder)
        assert run(*one, *ask, "--prices", "1000000,0") == 1
        said = capsys.readouterr()
        assert "run the same command again" in said.err and "spent: $" in said.out
        found = report(folder)
        assert found["readers"]["failed"] == {"bad_request": 2, "cut_off": 1, "refusal": 1}
        assert found["readers"]["models"] == ["r"] and found["judged_by"]["models"] == ["a", "b"]
        assert found["readers"]["prompt_tokens"] == 10 * found["readers"]["answered"]
        assert (found["judges"]["disputed"], found["judges"]["unreadable_verdicts"]) == (1, 2)
        assert found["judges"]["judged_twice"] == 4 and found["judges"]["agreement"] == 0.75
        row = found["rows"][0]
        assert (row["right"], row["answerable"], row["unknown"]) == (3, 3, 6)
        assert server.keys == {"Bearer sk-x"}
        sent = len(server.requests)
        assert run(*one, *ask) == 1
        assert len(server.requests) == sent + 2, "what got no answer at all is asked again, and nothing else"
        assert run(*one, *ask, "--retry-failed") == 1
        assert len(server.requests) == sent + 2 + 4
        shutil.rmtree(folder)
        capsys.readouterr()
        many = write_rows(tmp_path / "many.jsonl", [make_row(4 * number, "422") for number in range(30)])
        assert run(many, *ours, "--systems", "full", "--output", folder, *ask, "--concurrency", 1) == 2
        assert "8 prompts in a row got no answer" in capsys.readouterr().err
        assert run(data, *ours, "--output", folder, *ask) == 2
        assert "holds another run" in capsys.readouterr().err


def test_a_silent_server_is_a_failure_that_is_told(
    run: Run, ours: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """What times out is not known, said, and asked again by the next run."""
    data = write_rows(tmp_path / "q.jsonl", [make_row(0, "slow")])
    with a_reader() as server:
        ask = ("--base-url", server.url, "--reader", "r", *FAST, "--timeout", 0.2)
        assert run(data, *ours, "--systems", "full", "--output", tmp_path / "run", *ask) == 1
        assert "1 prompts and 0 verdicts have no usable answer" in capsys.readouterr().err
        assert report(tmp_path / "run")["readers"]["failed"] == {"gave_up": 1}
        assert run("--import", tmp_path / "run", *ask, "--timeout", 60) == 0
        assert rows_of(report(tmp_path / "run"))["full", ""]["right"] == 1


def test_a_key_goes_to_its_own_server_only(run: Run, ours: tuple[object, ...], tmp_path: Path):
    """Judges with a server of their own never see the reader's key."""
    data = write_rows(tmp_path / "q.jsonl", [make_row(number) for number in range(4)])
    with a_reader() as reader, a_reader() as judge:
        ask = ("--base-url", reader.url, "--reader", "r", "--api-key", "sk-reader", "--judge-base-url", judge.url)
        end = run(
            data, *ours, "--output", tmp_path / "run", *ask, "--judge", "j", "--judge-api-key", "sk-judge", *FAST
        )
        assert end == 0
        assert reader.keys == {"Bearer sk-reader"} and judge.keys == {"Bearer sk-judge"}
        assert {body["model"] for body in judge.requests} == {"j"}


def test_a_kill_at_any_moment_loses_nothing(run: Run, ours: tuple[object, ...], tmp_path: Path):
    """Answers and verdicts cut off at any byte: the same command asks what is missing, and reports the same."""
    data = write_rows(tmp_path / "q.jsonl", [make_row(number) for number in range(4)])
    folder = tmp_path / "run"
    rng = random.Random(5)
    with a_reader() as server:
        ask = ("--base-url", server.url, "--reader", "r", *FAST, "--resamples", 0, "--concurrency", 1)
        assert run(data, *ours, "--systems", "full,pruned", "--output", folder, *ask) == 0
        expected, whole = rows_of(report(folder)), len(server.requests)
        answers, verdicts = (folder / name for name in ("answers.jsonl", "verdicts.jsonl"))
        for which in (answers, verdicts):
            data_before = which.read_bytes()
            cut = rng.randrange(len(data_before))
            which.write_bytes(data_before[:cut])
            if which == answers:
                verdicts.unlink()
            sent = len(server.requests)
            assert run("--import", folder, *ask) == 0
            assert len(server.requests) - sent <= whole - data_before[:cut].count(b"\n")
            again = rows_of(report(folder))
            for key, row in expected.items():
                assert {**row, "seconds": None} == {**again[key], "seconds": None}


def test_without_a_reference_it_is_agreement_and_said_so(
    run: Run, ours: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Unlabelled questions are compared with the answer to all documents, which counts as right by definition."""
    rows = [{key: value for key, value in make_row(n).items() if key != "answer"} for n in (0, 1, 4)]
    data = write_rows(tmp_path / "q.jsonl", rows)
    with a_reader() as server:
        ask = ("--base-url", server.url, "--reader", "r", *FAST)
        assert run(data, *ours, "--output", tmp_path / "run", *ask, "--systems", "full,random") == 0
    assert "agreement, not accuracy" in capsys.readouterr().out
    full = rows_of(report(tmp_path / "run"))["full", ""]
    assert (full["right"], full["answerable"]) == (3, 3)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ((), "name a FILE of questions"),
        (("--import", "x", "FILE"), "leave FILE out"),
        (("--import", "x", "--savings", "0.5"), "--savings was settled there"),
        (("--import", "x", "--model", "m"), "--model was settled there"),
        (("FILE", "--systems", "gpt"), "unknown system 'gpt'"),
        (("FILE", "--savings", "2"), "--savings is '2'"),
        (("FILE", "--savings", ""), "--savings is ''"),
        (("FILE", "--reader", "r"), "need --base-url"),
        (("FILE", "--base-url", "http://127.0.0.1:1"), "needs --reader"),
        (("FILE", "--base-url", "http://127.0.0.1:1", "--reader", "r"), "needs --output DIR"),
        (("FILE", "--base-url", "u", "--reader", "r", *["--judge", "j"] * 3), "--judge is given 3 times"),
        (("FILE", "--export", "a", "--output", "b"), "give one of them"),
        (("FILE", "--prices", "cheap"), "--prices is 'cheap'"),
        (("FILE", "--documents", "0"), "--documents must be at least 1"),
        (("FILE", "--timeout", "0"), "--timeout is 0.0"),
        (("--import", "nowhere"), "holds no plan.jsonl"),
        (("nowhere.jsonl",), "no such file"),
    ],
)
def test_wrong_use_is_one_line(
    run: Run, tmp_path: Path, wrong: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
):
    """What is wrong is said in one line before anything is measured; the command ends with 2."""
    data = write_rows(tmp_path / "q.jsonl", [make_row(1)])
    arguments = [
        str(data) if one == "FILE" else str(tmp_path / one) if one in ("x", "nowhere", "a", "b") else one
        for one in wrong
    ]
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and says in said
