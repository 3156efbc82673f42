"""The examples in the docstrings of the LangChain adapters."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import agent_parts  # noqa: F401  # where langchain's agents are not installed, this skips the whole file
import pytest

import secateurs.langchain


@pytest.mark.parametrize(
    "name", [module.name for module in pkgutil.iter_modules(secateurs.langchain.__path__, "secateurs.langchain.")]
)
def test_docstring_examples_run(name: str):
    """The examples in docstrings give what they say."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0
