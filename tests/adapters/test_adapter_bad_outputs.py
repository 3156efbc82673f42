"""What a tool may return that is no text one would read: it is cut or left, and never lost or broken."""

from __future__ import annotations

import time

import pytest

from secateurs import Compressor, Signals, ToolOutput
from secateurs.adapters.agent import AgentSettings
from secateurs.adapters.asking import Asking
from secateurs.adapters.runner import Runner
from secateurs.adapters.streams import split_texts
from secateurs.adapters.tool_output import Delivery, Shortener

ERROR = "ERROR sluice gate jammed at 40 percent"
COLOURED = "".join(f"\x1b[32mok\x1b[0m \x1b[1mwheel {n}\x1b[0m\n" for n in range(300)) + f"\x1b[31m{ERROR}\x1b[0m\n"
BARS = "".join(f"\rgrinding {n:>3}% [{'#' * (n // 5):<20}]" for n in range(101)) + f"\n{ERROR}\nexit code 7\n"
OUTPUTS = {
    "empty": "",
    "blank": " \n\t\n",
    "binary": "\x00\x01\x7fELF\x02" * 400 + ERROR,
    "half characters": "\ud800 wheel\n" * 300 + ERROR,
    "replaced": "\ufffd\ufffdwheel \ufffd\n" * 300 + f"{ERROR}\n",
    "mixed": "caf\xc3\xa9 wheel turns\r\n" * 200 + "水车转动\n" * 200 + f"错误：闸门卡住\r\n{ERROR}\n",
    "colours": COLOURED,
    "bars": BARS,
    "no letters": "=-" * 3000 + "\n" + "0 1 2 3\n" * 300,
    "brackets": "[" * 20_000,
}


def left(compressor: Compressor, text: str) -> str:
    """Return what an agent reads of an output."""
    shortener = Shortener("o200k_base", min_tokens=20, way_back=None, drops=False)
    job = shortener.job(Asking("wheel"), text, split_texts([text]))
    if job is None:
        return text
    delivery = Delivery(shortener, job, lambda made: "\n".join(made))
    settings = AgentSettings(compressor=compressor, policy="ToolOutput(100, policy=TopK(3) | Signals())")
    Runner().run(settings, "wheel", job.parts.texts, job.parts.ids, delivered=delivery)
    return text if delivery.shorter is None else "\n".join(delivery.shorter.output)


@pytest.mark.parametrize("name", OUTPUTS)
def test_odd_outputs_are_cut_or_left(tiny: Compressor, name: str):
    """Binary, half characters, mixed encodings, progress bars: never empty, never longer, and no signal is lost."""
    text = OUTPUTS[name]
    found = left(tiny, text)
    assert len(found) <= len(text) and (found.strip() != "" or not text.strip())
    if name in ("colours", "bars", "mixed", "replaced"):
        assert ERROR in found


def test_colours_stay_and_say_nothing(tiny: Compressor):
    """Colour codes of a kept line are kept verbatim; a line is the same signal with and without them."""
    assert f"\x1b[31m{ERROR}\x1b[0m" in left(tiny, COLOURED)
    plain = COLOURED
    for code in ("\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[0m"):
        plain = plain.replace(code, "")
    one, other = (tiny.compress("wheel", [text], policy=Signals())[0] for text in (COLOURED, plain))
    assert [unit.kept for unit in one.sentences] == [unit.kept for unit in other.sentences]


def test_one_endless_line(tiny: Compressor):
    """Five megabytes of one line are cut in time, and not read whole."""
    text = "wheel turns " * 417_000
    began = time.perf_counter()
    result = tiny.compress("wheel", [text], policy=ToolOutput())[0]
    assert result.savings.after <= 6000 and "lines_skipped" in result.warnings
    assert time.perf_counter() - began < 120
