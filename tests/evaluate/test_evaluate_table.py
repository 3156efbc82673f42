"""Tables on a terminal: no figure is lost for want of room."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.evaluate.table import print_table

HEADS = ("system", "setting", "evidence kept", "tokens saved", "documents/s", "seconds")
ROW = ("secateurs-xsmall", "default", "0.936", "0.389", "1,234.5", "")


def printed(width: int) -> str:
    table = Table(title="Systems", box=None, padding=(0, 2, 0, 0))
    for head in HEADS:
        table.add_column(Text(head), no_wrap=head not in HEADS[:2])
    table.add_row(*ROW)
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        print_table(console, table, words=2)
    return captured.get()


@pytest.mark.parametrize("width", [20, 40, 60, 67, 70, 80, 120])
def test_no_figure_is_cut_off(width: int) -> None:
    """At any width every figure and the name of its column are there, whole."""
    said = printed(width)
    assert "…" not in said
    assert all(figure in said for figure in ROW[2:])
    assert max(map(len, said.splitlines())) <= width


def test_a_narrow_console_gets_a_paragraph_a_row() -> None:
    """Where columns do not fit, each row says what it is about and names its figures; an empty cell is left out."""
    assert " ".join(printed(40).split()) == (
        "Systems secateurs-xsmall, default: evidence kept 0.936, tokens saved 0.389, documents/s 1,234.5"
    )
