"""The docstrings of this room say what is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import secateurs.llama_index

MODULES = [module.name for module in pkgutil.iter_modules(secateurs.llama_index.__path__, "secateurs.llama_index.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str):
    """The examples in docstrings give what they say."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0
