"""What importing the service's parts costs, and what they may import."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import secateurs.serve


def run(code: str) -> None:
    """Run code in a fresh interpreter."""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", ["secateurs.serve", "secateurs.serve.command", "secateurs.remote"])
def test_importing_is_light(module):
    """The command's help and the remote compressor need neither torch nor the web framework."""
    run(
        f"import sys, {module}\n"
        "heavy = {'torch', 'transformers', 'fastapi', 'uvicorn', 'prometheus_client', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )


def test_a_remote_compressor_needs_no_torch():
    """Making one, and an adapter with it, loads no torch."""
    run(
        "import sys\n"
        "from secateurs.remote import RemoteCompressor\n"
        "from secateurs.adapters.settings import Settings\n"
        "Settings(compressor=RemoteCompressor('http://localhost:1'))\n"
        "assert not {'torch', 'transformers', 'fastapi'} & set(sys.modules)"
    )


@pytest.mark.parametrize(
    ("absent", "code", "feature"),
    [
        ("fastapi", "import secateurs.serve; secateurs.serve.create_app", "the HTTP service"),
        ("prometheus_client", "import secateurs.serve; secateurs.serve.create_app", "the HTTP service"),
        ("uvicorn", "import secateurs.serve.server", "the HTTP service"),
        ("httpx", "from secateurs.remote import RemoteCompressor; RemoteCompressor('http://x')", "RemoteCompressor"),
    ],
)
def test_without_the_extra_the_error_says_what_to_install(absent, code, feature):
    """A missing package is a MissingExtraError with the pip line."""
    run(
        f"import sys\nsys.modules[{absent!r}] = None\n"
        "from secateurs import MissingExtraError\n"
        "try:\n"
        f"    {code}\n"
        "except MissingExtraError as error:\n"
        f"    assert {feature!r} in str(error) and 'secateurs[serve]' in str(error), error\n"
        "else:\n"
        "    raise SystemExit('no error')"
    )


def test_public_names_resolve():
    """Everything in __all__ is there, and nothing else is."""
    for name in secateurs.serve.__all__:
        assert getattr(secateurs.serve, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = secateurs.serve.nothing


MODULES = [f"secateurs.serve.{one.name}" for one in pkgutil.iter_modules(secateurs.serve.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    """The examples in the service's docstrings give what they say."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", ["secateurs.remote", *MODULES])
def test_the_service_knows_the_compressor_and_its_results_only(name):
    """Nothing of the service knows torch, a framework, or how a model is run, made or measured."""
    path = Path(importlib.import_module(name).__file__ or "")
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    banned = ("torch", "numpy", "transformers", "langchain", "llama_index")
    rooms = ("model", "scorer", "windows", "checkpoints", "drafts", "train", "evaluate", "annotate", "bench")
    for module in found:
        assert not module.startswith((*banned, *(f"secateurs.{room}" for room in rooms))), module
