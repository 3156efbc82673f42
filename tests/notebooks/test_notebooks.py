"""The notebooks run from the first cell to the last, offline, and what is committed of them is what they print.

`python tests/test_notebooks.py` runs them all and keeps what they print.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MACHINE = re.compile(r"/(root|home|tmp|Users|usr|opt|work|var|build)/|site-packages|ipykernel_\d")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def named(path: Path) -> str:
    return path.stem


def run(path: Path) -> nbformat.NotebookNode:
    """Run every cell in a fresh kernel and return the notebook with its outputs."""
    notebook, where = read(path), {"metadata": {"path": FOLDER}}
    options = {"timeout": 300, "kernel_name": "python3", "record_timing": False, "coalesce_streams": True}
    return NotebookClient(notebook, resources=where, **options).execute()


def test_the_notebooks_are_numbered_without_a_gap():
    """A reader can take them in order."""
    assert [path.name[:3] for path in NOTEBOOKS] == [f"{number:02}-" for number in range(1, 9)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_is_short_says_what_it_is_and_ends_with_what_it_claims(path):
    """Fewer than 25 cells; a title first, an assertion last."""
    cells = read(path).cells
    assert len(cells) < 25
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert cells[-1].cell_type == "code"
    assert "assert " in cells[-1].source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_what_is_committed_was_run_in_order_and_names_no_machine(path):
    """Every code cell has run, once, without a failure or a warning, and no output holds a path of the machine."""
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            text = json.dumps({kind: data for kind, data in output.get("data", {}).items() if kind != "image/png"})
            assert not MACHINE.search(text + output.get("text", "")), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_runs(path):
    """Every cell runs in a fresh kernel, and its claims hold."""
    run(path)


if __name__ == "__main__":
    for each in NOTEBOOKS:
        print(each.name)
        nbformat.write(run(each), each)
