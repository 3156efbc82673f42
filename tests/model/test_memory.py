"""Memory: what is under way is bounded, however much comes at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tiny import tiny_checkpoint, word_tokenizer

# a process of its own, whose peak nothing else has raised
PROGRAM = """
import json, resource, sys
from pathlib import Path
from secateurs import Compressor

text = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why. "
what, size = sys.argv[2], int(sys.argv[3])
documents = [(text * 13 * size)[: 1000 * size]] if what == "one" else [f"Mill {n}. " + text * 4 for n in range(size)]
results = Compressor.from_pretrained(sys.argv[1]).compress("who built the mill?", documents)
assert [r.original for r in results] == documents
assert all(r.status != "error" for r in results), results[0].reason
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
status = Path("/proc/self/status")
if status.exists():  # there the other figure is also the parent's, from before this program was started
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    peak = int(line.split()[1]) * 1024
print(json.dumps(peak))
"""


@pytest.mark.parametrize(
    ("size", "most"), [(1_000, 0.5e9), pytest.param(10_000, 1.5e9, marks=pytest.mark.slow)], ids=["tenth", "whole"]
)
@pytest.mark.parametrize("what", ["one", "many"])
def test_memory_is_bounded(tmp_path, what, size, most):
    """A document of 10 million characters, or 10,000 documents, stay under 1.5 GB resident, torch included."""
    folder = tiny_checkpoint(tmp_path, max_length=512, width=4, layers=1, tokenizer=word_tokenizer())
    command = [sys.executable, "-c", PROGRAM, str(folder), what, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    peak = json.loads(done.stdout)
    print(f"{what}, {size}: {peak / 1e9:.2f} GB")
    assert peak < most
