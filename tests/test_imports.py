"""What may import what, and what importing costs and changes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import secateurs

ROOT = Path(next(iter(secateurs.__path__)))

PLAIN = (
    "errors",
    "policy",
    "remote",
    "support",
    "segment",
    "result",
    "adapters/originals",
    "adapters/slots",
    "adapters/failure",
    "cli/terminal",
    "model/batching",
    "pipeline/overlap",
    "serve/page",
    "serve/steps",
    "windows/aggregate",
)
FORBIDDEN = {
    **dict.fromkeys(PLAIN, ("torch", "transformers", "langchain", "llama_index", "secateurs.model.pruner")),
    "model/device": ("secateurs.", "langchain", "llama_index"),
    "windows": ("langchain", "llama_index", "secateurs.compressor", "secateurs.model"),
    "model": ("langchain", "llama_index", "secateurs.compressor", "secateurs.policy"),
    "checkpoints": ("langchain", "llama_index", "secateurs.compressor", "secateurs.model.scorer"),
    "pipeline": ("torch", "langchain", "llama_index", "secateurs.model.pruner", "secateurs.compressor"),
    "compressor": ("langchain", "llama_index", "secateurs.langchain", "secateurs.llama_index"),
    "ray": ("torch", "langchain", "llama_index", "secateurs.model", "secateurs.windows"),
    "adapters": ("torch", "langchain", "llama_index", "secateurs.model", "secateurs.windows"),
    "mcp": ("torch", "langchain", "llama_index", "secateurs.model", "secateurs.windows"),
    "langchain": ("torch", "llama_index", "secateurs.model", "secateurs.windows"),
    "llama_index": ("torch", "langchain", "secateurs.model", "secateurs.windows"),
}
ALLOWED = {"model/device": ("secateurs.errors",)}
ROOMS = ("secateurs.train", "secateurs.evaluate", "secateurs.annotate", "secateurs.bench", "secateurs.bulk")


def imports(path: Path) -> set[str]:
    """Modules named in a file's imports, those inside functions and for type checking included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def files(room: str) -> list[Path]:
    single = ROOT / f"{room}.py"
    return [single] if single.exists() else sorted((ROOT / room).rglob("*.py"))


def test_imports_point_one_way():
    """No room imports what stands above it."""
    for room, banned in FORBIDDEN.items():
        for path in files(room):
            for module in imports(path):
                allowed = module.startswith(ALLOWED.get(room, ("\0",)))
                assert allowed or not module.startswith(banned), f"{path.name} imports {module}"


def test_only_the_command_line_imports_the_workshop():
    """train, evaluate, annotate and bench are imported by nobody but the command line, inside a subcommand."""
    for path in ROOT.rglob("*.py"):
        relative = path.relative_to(ROOT)
        if relative.parts[0] in ("train", "evaluate", "annotate", "bench", "bulk", "cli"):
            continue
        for module in imports(path):
            assert not module.startswith(ROOMS), f"{relative} imports {module}"


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
