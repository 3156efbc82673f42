"""Names people type, in LlamaIndex: a near miss is told what it missed; the fields survive being written down."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from llama_index.core.tools import FunctionTool
from pydantic import ValidationError

from secateurs.llama_index import SecateursPostprocessor, compress_callbacks, compress_tool

TOOL = FunctionTool.from_defaults(lambda query: query, name="look", description="Look it up.")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("treshold", "threshold"), ("similarity_cutoff", "threshold"), ("context_before", "neighbours"),
     ("target_token", "max_total_tokens"), ("elison", "elision")],
)  # fmt: skip
def test_a_near_miss_is_told_which_name_was_meant(typed: str, meant: str):
    """Postprocessor, tool and callbacks name the field that is close, or that LlamaIndex calls so elsewhere."""
    says = rf"has no field '{typed}': did you mean '{meant}'\?"
    wrong: dict[str, Any] = {typed: 1}
    with pytest.raises(ValidationError, match=f"SecateursPostprocessor {says}"):
        SecateursPostprocessor(**wrong)
    with pytest.raises(TypeError, match=f"compress_tool {says}"):
        compress_tool(TOOL, **wrong)
    with pytest.raises(TypeError, match=f"compress_callbacks {says}"):
        compress_callbacks(lambda result: None, **wrong)


def test_the_fields_survive_being_written_down():
    """What says which units stay, an order and a mark come back from a dict, from JSON and from a pickle."""
    given: dict[str, Any] = {
        "policy": "(Default() | TopK(1)) & TokenBudget(90)", "when_empty": "best", "neighbours": (1, 0),
        "elision": "[…]", "max_total_tokens": 500, "rerank": True, "top_n": 3,
    }  # fmt: skip
    first = SecateursPostprocessor(**given)
    for again in (
        SecateursPostprocessor.from_dict(first.to_dict()),
        SecateursPostprocessor.from_json(first.to_json()),
        pickle.loads(pickle.dumps(first)),
    ):
        assert {name: getattr(again, name) for name in given} == {name: getattr(first, name) for name in given}
