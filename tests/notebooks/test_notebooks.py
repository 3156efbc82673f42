"""The notebooks run from the first cell to the last, offline, and what is committed of them is what they print.

`python tests/notebooks/test_notebooks.py` runs them all and keeps what they print.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

sys.path.append(str(Path(__file__).parents[1]))  # where this is run as a program
import slices
from slices import whole

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MACHINE = re.compile(r"/(root|home|tmp|Users|usr|opt|work|var|build)/|site-packages|ipykernel_\d")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def named(path: Path) -> str:
    return path.stem


def client(notebook: nbformat.NotebookNode) -> NotebookClient:
    """Return what runs cells; those with the tag `slow` only where the slow tests were asked for."""
    options = {"timeout": 300, "kernel_name": "python3", "record_timing": False, "coalesce_streams": True}
    skipped = "skip-execution" if whole() else "slow"
    where = {"metadata": {"path": FOLDER}}
    return NotebookClient(notebook, resources=where, skip_cells_with_tag=skipped, **options)


@pytest.fixture(scope="module")
def kernel() -> Iterator[NotebookClient]:
    """One kernel for all notebooks: half of what most of them take is the import of what all of them import."""
    shared = client(nbformat.v4.new_notebook())
    with shared.setup_kernel():
        yield shared


def run_in(shared: NotebookClient, notebook: nbformat.NotebookNode) -> None:
    """Run every cell in a kernel that other notebooks ran in, whose names are forgotten first."""
    for cells in ([nbformat.v4.new_code_cell("%reset -f")], notebook.cells):
        shared.nb = nbformat.v4.new_notebook(cells=cells)
        shared.reset_execution_trackers()
        for index, cell in enumerate(cells):
            shared.execute_cell(cell, index)


def test_the_notebooks_are_numbered_without_a_gap():
    """A reader can take them in order."""
    assert [path.name[:3] for path in NOTEBOOKS] == [f"{number:02}-" for number in range(1, 10)]


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


@pytest.mark.sliced
@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_runs(path, request):
    """Every cell runs, and its claims hold; under -m slow the long ones, too, and each notebook in a fresh kernel."""
    if whole():
        client(read(path)).execute()
    else:
        run_in(request.getfixturevalue("kernel"), read(path))


if __name__ == "__main__":
    slices.ask("slow")
    for each in NOTEBOOKS:
        print(each.name)
        nbformat.write(client(read(each)).execute(), each)
