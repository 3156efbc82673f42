"""Names people type: those of LangChain's own classes are read, and a near miss is told what it missed."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from langchain_core.documents import Document
from langchain_core.load import dumps, loads
from langchain_core.runnables import RunnableLambda
from pydantic import ValidationError

from secateurs.adapters.fields import DocumentFields, described
from secateurs.langchain import CompressingRetriever, SecateursCompressor
from secateurs.langchain.middleware import ContextCompressionMiddleware

FOUND: Any = RunnableLambda(lambda query: [Document("Ann wrote it. It rained")])


def test_the_names_of_langchains_own_retriever_are_read():
    """`base_retriever` and `base_compressor` are `retriever` and `compressor`, written down under these names."""
    cutter = SecateursCompressor(compressor=FakeCompressor())
    theirs: dict[str, Any] = {"base_retriever": FOUND, "base_compressor": cutter}
    retriever = CompressingRetriever(**theirs)
    assert (retriever.retriever, retriever.compressor) == (FOUND, cutter)
    assert [one.page_content for one in retriever.invoke("Who wrote?")] == ["Ann wrote it. "]
    assert "base_retriever" not in dumps(retriever)
    assert CompressingRetriever.model_fields.keys() >= {"retriever", "compressor", "k"}


def test_a_thing_is_not_given_twice():
    """Both names of one thing are refused, whatever is given."""
    both: dict[str, Any] = {"base_retriever": FOUND, "retriever": FOUND}
    with pytest.raises(ValidationError, match="base_retriever and retriever are one thing, and both were given"):
        CompressingRetriever(**both)


MISSES = {
    "treshold": "threshold",
    "Threshold": "threshold",
    "similarity_threshold": "threshold",
    "topk": "top_k",
    "max_token": "max_tokens",
    "target_token": "max_total_tokens",
    "neighbors": "neighbours",
    "whenempty": "when_empty",
    "model_name": "model",
    "on_err": "on_error",
    "timeouts": "timeout",
    "polic": "policy",
}


@pytest.mark.parametrize(("typed", "meant"), MISSES.items())
def test_a_near_miss_is_told_which_name_was_meant(typed: str, meant: str):
    """The error for an unknown field names the one that is close, in every class that has it."""
    for kind in (SecateursCompressor, ContextCompressionMiddleware):
        with pytest.raises((ValidationError, TypeError)) as caught:
            kind(**{typed: 1})
        assert f"{kind.__name__} has no field {typed!r}: did you mean {meant!r}?" in str(caught.value)


def test_what_is_near_nothing_is_told_what_there_is():
    """Where no field is close, the error lists them all."""
    with pytest.raises(ValidationError, match=r"has no field 'colour': it has .*threshold, top_k.*neighbours"):
        SecateursCompressor(colour="red")  # type: ignore[call-arg]  # that is the test
    nothing: dict[str, Any] = {"retreiver": FOUND}
    with pytest.raises(ValidationError, match=r"has no field 'retreiver': did you mean 'retriever'\?"):
        CompressingRetriever(**nothing)


@pytest.mark.parametrize("name", ["x" * 100_000, "\ud800", "a\nb", "__class__"])
def test_an_odd_name_is_no_trouble(name: str):
    """Whatever a name is, the answer is an error of ours, soon and short."""
    with pytest.raises((ValidationError, TypeError)) as caught:
        ContextCompressionMiddleware(**{name: 1})
    assert len(str(caught.value)) < 1200


def test_help_shows_every_field():
    """`help()` and the signature show all fields of an adapter, each with what it means."""
    for kind in (SecateursCompressor, ContextCompressionMiddleware):
        shown = " ".join(inspect.getdoc(kind).split())
        for name in inspect.signature(kind).parameters.keys() & described(DocumentFields).keys():
            assert f"{name}: {described(DocumentFields)[name]}" in shown, name
    assert "neighbours" in inspect.signature(ContextCompressionMiddleware).parameters


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")  # LangChain says so at every call
def test_the_fields_survive_being_written_down():
    """What says which units stay, and a mark, come back from LangChain's `dumps`."""
    given: dict[str, Any] = {
        "policy": "(Default() | TopK(1)) & TokenBudget(90)", "when_empty": "best", "neighbours": [1, 0],
        "elision": "[…]", "max_total_tokens": 500, "rerank": True, "top_n": 3,
    }  # fmt: skip
    first = SecateursCompressor(**given)
    again = loads(dumps(first), allowed_objects=[SecateursCompressor], valid_namespaces=["secateurs"])
    assert again == first
    assert SecateursCompressor.model_validate(first.model_dump()) == first
    assert SecateursCompressor.model_validate_json(first.model_dump_json()) == first
    properties = SecateursCompressor.model_json_schema()["properties"]
    assert given.keys() <= properties.keys()
    assert all(properties[name]["description"] for name in described(DocumentFields).keys() & properties.keys())
