"""The adapters' fields are spelled out once, and everyone who asks is told what they mean."""

from __future__ import annotations

import doctest
import inspect
from dataclasses import fields
from typing import Any

import pytest
from llama_index.core.tools import FunctionTool

import secateurs.adapters.fields
from secateurs.adapters.fields import AgentFields, DocumentFields, described
from secateurs.adapters.settings import Settings
from secateurs.langchain import SecateursCompressor
from secateurs.langchain.middleware import ContextCompressionMiddleware
from secateurs.llama_index import SecateursPostprocessor, compress_callbacks, compress_tool
from secateurs.llama_index.cutter import CutterFields
from secateurs.llama_index.tools import ToolFields

DOORS = [
    (SecateursCompressor, DocumentFields),
    (SecateursPostprocessor, DocumentFields),
    (ContextCompressionMiddleware, AgentFields),
    (compress_tool, ToolFields),
    (compress_callbacks, CutterFields),
]
MODELS: list[type[Any]] = [SecateursCompressor, SecateursPostprocessor]


@pytest.mark.parametrize("kind", [Settings, ToolFields])
def test_every_field_says_what_it_means(kind: type[Any]) -> None:
    """A sentence stands under every field."""
    assert [one.name for one in fields(kind) if not described(kind).get(one.name, "").endswith(".")] == []


@pytest.mark.parametrize(("door", "kind"), DOORS)
def test_help_has_every_field(door: Any, kind: type[Any]) -> None:
    """`help()` shows each field of a door with what it means."""
    said = " ".join((inspect.getdoc(door) or "").split())
    for name, text in described(kind).items():
        assert f" {name}: {text}" in said


@pytest.mark.parametrize("model", MODELS)
def test_a_schema_has_every_field(model: type[Any]) -> None:
    """The JSON schema shows what each field means, and no field that JSON cannot hold."""
    shown = model.model_json_schema()["properties"]
    for name, text in described(DocumentFields).items():
        assert model.model_fields[name].description == text
        if name in ("compressor", "on_report"):
            assert name not in shown
        else:
            assert shown[name]["description"] == text


@pytest.mark.parametrize("model", [*MODELS, Settings])
def test_an_adapters_fields_are_the_fields(model: type[Any]) -> None:
    """Every field has the same default in an adapter as where it is spelled out."""
    made = model()
    assert {one.name: getattr(made, one.name) for one in fields(DocumentFields)} == {
        one.name: one.default for one in fields(DocumentFields)
    }


@pytest.mark.parametrize(("function", "kind"), DOORS[3:])
def test_a_tools_keywords_are_the_fields(function: Any, kind: type[Any]) -> None:
    """The signature names every field, by keyword only; another is a TypeError."""
    _, *keywords = inspect.signature(function).parameters.values()
    assert {(one.name, one.default) for one in keywords} == {(one.name, one.default) for one in fields(kind)}
    assert {one.kind for one in keywords} == {inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(TypeError, match="has no field 'treshold': did you mean 'threshold'"):
        function(FunctionTool.from_defaults(repr, name="look"), treshold=0.5)  # which can be called, as a query can


def test_configurable_fields_say_the_same() -> None:
    """LangChain's configurable fields have the types and the texts of the fields."""
    for spec in SecateursCompressor().as_runnable().config_specs:
        assert spec.description == described(DocumentFields)[spec.id]
        assert spec.annotation == SecateursCompressor.model_fields[spec.id].annotation


def test_docstring_examples_run() -> None:
    """The examples give what they say."""
    assert doctest.testmod(secateurs.adapters.fields).failed == 0
