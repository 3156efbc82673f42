"""The committed answers to 80 questions: their report is what the pages say of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from secateurs.cli import main

pytest.importorskip("matplotlib", reason="the picture needs the extra evaluate")

ROOT = Path(__file__).parents[2]
READ = ROOT / "tests" / "data" / "answers-read"


def test_what_the_pages_say_of_answers_is_what_the_files_report(tmp_path: Path):
    """Right answers and tokens saved, by system, as the files report them, stand on both pages."""
    run = shutil.copytree(READ, tmp_path / "run")
    with pytest.raises(SystemExit) as end:
        main(["evaluate", "answers", "--import", str(run), "--resamples", "0"])
    assert not end.value.code
    rows = json.loads((run / "answers.json").read_text(encoding="utf-8"))["rows"]
    pages = [(ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "src/secateurs/evaluate/README.md")]
    for row in rows:
        said = f"{row['right']} of {row['answerable']}"
        assert all(said in page for page in pages), (row["system"], row["setting"], said)
        assert row["unknown"] == 0
    for page, saved in zip(pages, (f"{rows[1]['saved']:.0%}", f"{rows[1]['saved']:.1%}"), strict=True):
        assert saved.replace("%", " %") in page
