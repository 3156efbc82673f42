"""What may import what, and what importing costs and changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import secateurs

ROOT = Path(__file__).parent.parent


def test_imports_point_one_way():
    """No file imports what its room may not know, lazily or for type checkers either: see `[tool.importlinter]`."""
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_command_line_loads_the_workshop_for_its_own_subcommand_alone():
    """`import secateurs.cli` loads no room of the workshop, and no door."""
    rooms = "train evaluate annotate bench bulk serve mcp ray langchain llama_index"
    code = (
        "import sys, secateurs.cli\n"
        f"loaded = {{f'secateurs.{{room}}' for room in {rooms!r}.split()}} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_loads_neither_torch_nor_a_framework():
    """`import secateurs` is light; policies and results are too."""
    code = (
        "import sys, secateurs\n"
        "from secateurs import Threshold, Savings, Compression\n"
        "import secateurs.cli\n"
        "heavy = {'torch', 'transformers', 'numpy', 'langchain_core', 'llama_index', 'tiktoken'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_changes_nothing():
    """Importing every module leaves seeds, environment, warning filters and log handlers as they were."""
    code = """
import logging, os, random, warnings
import numpy, rich.style, torch  # rich draws random bits when it is imported
before = (dict(os.environ), list(warnings.filters), list(logging.root.handlers), random.getstate(),
          torch.get_rng_state().tolist(), torch.get_num_threads(), torch.is_grad_enabled())
import secateurs.compressor, secateurs.cli, secateurs.result.html
after = (dict(os.environ), list(warnings.filters), list(logging.root.handlers), random.getstate(),
         torch.get_rng_state().tolist(), torch.get_num_threads(), torch.is_grad_enabled())
assert before == after
assert not logging.getLogger("secateurs").handlers
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_resolve():
    """Everything in __all__ is there, and nothing else is."""
    for name in secateurs.__all__:
        assert getattr(secateurs, name) is not None
    assert set(dir(secateurs)) == set(secateurs.__all__)
    try:
        _ = secateurs.nothing
    except AttributeError as error:
        assert "nothing" in str(error)
