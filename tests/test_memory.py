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
documents = {
    "one": [(text * 121_000)[:10_000_000]],
    "many": [f"Mill {n}. " + text * 4 for n in range(10_000)],
}[sys.argv[2]]
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


@pytest.mark.parametrize("what", ["one", "many"])
def test_memory_is_bounded(tmp_path, what):
    """One document of 10 million characters, or 10,000 documents, stay under 1.5 GB resident, torch included."""
    folder = tiny_checkpoint(tmp_path, max_length=512, width=4, layers=1, tokenizer=word_tokenizer())
    command = [sys.executable, "-c", PROGRAM, str(folder), what]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) < 1.5e9
