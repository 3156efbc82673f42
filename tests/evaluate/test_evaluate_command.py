"""The command: from data to a table, JSON, Markdown and a picture."""

from __future__ import annotations

import gzip
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from secateurs import Compressor, Threshold
from secateurs.evaluate.command import evaluate
from secateurs.evaluate.sample import digest

WORDS = ["the", "mill", "was", "built", "in", "1842", "by", "Ann", "Lee", "it", "burned", "twice", "nobody", "knows"]
RECORDS = 40  # of a file
app = typer.Typer()
app.command()(evaluate)


def rows(count: int, lang: str, seed: int) -> list[dict[str, Any]]:
    """Small documents; the evidence is a sentence of each, and every fifth has no answer."""
    rng = random.Random(seed)
    made = []
    for index in range(count):
        sentences = [" ".join(rng.choices(WORDS, k=6)).capitalize() + ". " for _ in range(rng.randint(2, 5))]
        start = len(sentences[0])
        evidence = [] if index % 5 == 4 else [[start, start + len(sentences[1]) - 1]]
        made.append(
            {
                "id": f"{lang}{index}",
                "lang": lang,
                "query": "Who built the mill?",
                "context": "".join(sentences),
                "evidence": evidence,
            }
        )
    return made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, lang, seed in [("alpha", "en", 1), ("beta", "zh", 2)]:
        lines = "".join(json.dumps(row) + "\n" for row in rows(RECORDS, lang, seed))
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return folder


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_measures_and_writes(data: Path, tiny_folder: Path, tiny: Compressor, tmp_path: Path):
    """Every setting, every system, every file and language is in the JSON, and its figures are the compressor's."""
    pytest.importorskip("matplotlib", reason="the picture needs the extra evaluate")
    out = tmp_path / "out"
    result = run(data, "--model", tiny_folder, "--peers", "first", "--calibrate", "--output", out, "--resamples", 20)
    assert result.exit_code == 0, result.output
    assert "evidence" in result.output and "oracle: best F1" in result.output
    report = json.loads((out / "evaluation.json").read_text())
    assert report["records"] == "report halves of the dev sample"
    ours, first = report["systems"]
    assert list(ours["settings"]) == ["default", "fixed", "calibrated", "units", "oracle"]
    assert list(first["settings"]) == ["fixed", "calibrated", "units", "oracle"]
    assert first["calibration_error"]["all"] is None and ours["calibration_error"]["all"] is not None
    assert set(ours["settings"]["fixed"]["languages"]) == {"en", "zh"}
    assert len(first["settings"]["fixed"]["difference_from_first"]["f1"]) == 2
    for picture in ("evaluation.png", "calibration.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    assert set(ours["reliability"]) == {"all", "en", "zh"} and first["reliability"] == {}
    markdown = (out / "evaluation.md").read_text()
    assert "![Evidence kept" in markdown and "(calibration.png)" in markdown and str(tmp_path) not in markdown
    assert set(report["controls"]) == {"random units", "truncated"}
    page = (out / "report.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) < 80 and "| without an answer |" in page and "| random units, at as many" in page
    code = next(line for line in page.splitlines() if line.startswith("Compressor.from_pretrained("))
    assert code in result.output.replace("\n", "") or code in result.output
    assert eval(code.partition("policy=")[2].partition(")")[0] + ")", {"Threshold": Threshold})  # it is code
    _check_misses(ours, data)
    _check_figures(ours, tiny)


def test_a_threshold_chosen_on_few_questions_says_so(tmp_path: Path, tiny_folder: Path):
    """Below thirty measured questions with an answer the line of code carries a warning; above it carries none."""
    for count, warned in ((12, True), (90, False)):
        path = tmp_path / f"{count}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows(count, "en", 3)), encoding="utf-8")
        wanted = ("--evidence", 0.5)  # which any threshold of a tiny model's keeps
        result = run(path, "--model", tiny_folder, "--calibrate", *wanted, "--resamples", 0, "--no-controls")
        assert result.exit_code == 0, result.output
        assert ("not to be trusted yet" in result.output) is warned


def _check_misses(ours: dict[str, Any], data: Path) -> None:
    """The miss of a file is a right sentence of one of its reported records, and no better than the best."""
    for name, miss in ours["misses"].items():
        lines = gzip.decompress((data / f"{name}.jsonl.gz").read_bytes()).splitlines()
        records = [json.loads(line) for line in lines]
        record = next(record for record in records if record["id"] == miss["id"])
        (start, end), *_ = record["evidence"]
        assert miss["evidence"] == record["context"][start:end].strip() and miss["score"] <= miss["best_score"]
    assert len(ours["misses"]) == 2


def _check_figures(ours: dict[str, Any], tiny: Compressor) -> None:
    """One file's figures at the calibrated threshold, from the compressor's own results."""
    threshold = ours["thresholds"]["calibrated"]
    report_half = sorted(rows(RECORDS, "en", 1), key=lambda row: digest(row["id"]))[1::2]
    spans = kept = before = after = 0
    for row in report_half:
        done = tiny.compress(row["query"], [row["context"]], policy=Threshold(threshold))[0]
        before, after = before + done.savings.before, after + done.savings.after
        spans += len(row["evidence"])
        kept += sum(any(a <= start and end <= b for a, b in done.spans) for start, end in row["evidence"])
    group = ours["settings"]["calibrated"]["files"]["alpha"]
    assert after < before, "this threshold cuts"
    assert group["records"] == len(report_half)
    assert group["figures"]["tokens_saved"] == pytest.approx((before - after) / before)
    assert group["figures"]["evidence_kept"] == pytest.approx(kept / spans)


def test_whole_files_at_a_given_threshold(data: Path, tiny_folder: Path, tmp_path: Path):
    """`--all --records all --threshold` reports every record at that threshold, halves or not."""
    pytest.importorskip("matplotlib", reason="the picture needs the extra evaluate")
    options = [
        "--all",
        "--records",
        "all",
        "--threshold",
        0.4,
        "--resamples",
        0,
        "--no-controls",
        "--output",
        tmp_path / "out",
    ]
    result = run(data / "alpha.jsonl.gz", "--model", tiny_folder, *options)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert report["records"] == "all records of the whole files"
    setting = report["systems"][0]["settings"]["given"]
    assert setting["mean"]["threshold"] == 0.4 and setting["files"]["alpha"]["records"] == RECORDS
    page = (tmp_path / "out" / "report.md").read_text()
    assert "No threshold was chosen on the records" not in page and "thresholds are chosen on half of them" in page


def test_sample_and_whole_file_have_the_same_halves(data: Path, tiny_folder: Path, tmp_path: Path):
    """A file that fits into the sample gives the same figures with --all."""
    pytest.importorskip("matplotlib", reason="the picture needs the extra evaluate")
    systems = []
    for option in ("--all", "--sample"):
        out = tmp_path / option
        assert (
            run(data, "--model", tiny_folder, option, "--output", out, "--no-controls", "--resamples", 0).exit_code
            == 0
        )
        text = (out / "evaluation.json").read_text()
        systems.append(json.loads(text, parse_float=lambda digits: round(float(digits), 9))["systems"])
    assert systems[0] == systems[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--peers", "gpt"], "unknown peer 'gpt'"),
        (["--threshold", "1.5"], "threshold must be in"),
        (["--resamples", "-1"], "--resamples must be at least 0"),
        (["--calibrate", "--evidence", "1.2"], "--evidence is 1.2"),
        (["--evidence", "0.9"], "--evidence 0.9 needs --calibrate"),
    ],
)
def test_wrong_use_is_found_before_anything_is_measured(data: Path, arguments: list[str], says: str):
    """A wrong option is a ValueError that says what would be right."""
    result = run(data, "--model", "/nowhere/at/all", *arguments)
    assert isinstance(result.exception, ValueError) and says in str(result.exception)


def test_one_record_has_no_report_half(tmp_path: Path, tiny_folder: Path):
    """Where no record is left to report on, the error says what to do."""
    (tmp_path / "one.jsonl").write_text(json.dumps(rows(1, "en", 0)[0]) + "\n")
    result = run(tmp_path / "one.jsonl", "--model", tiny_folder)
    assert "--records all" in str(result.exception)


def test_a_missing_extra_is_named_before_anything_is_measured(data: Path, tmp_path: Path, monkeypatch):
    """Without matplotlib, --output says which extra brings it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(data, "--model", "/nowhere/at/all", "--output", tmp_path / "out")
    assert "secateurs[evaluate]" in str(result.exception)
