"""The requirements I1 and I2: what importing needs, and the ways out and back in."""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.workflow import (
    Context,
    JsonPickleSerializer,
    JsonSerializer,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from llama_parts import QUERY, vector_index
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from secateurs.llama_index import SecateursPostprocessor

IMPORTS = """
import json, sys
blocked = set(json.loads(sys.argv[1]))

class Block:
    def find_spec(self, name, path=None, target=None):
        first, *rest = name.split(".")
        if first in blocked or (first == "llama_index" and rest and rest[0] != "core"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Block())
from llama_index.core.tools import FunctionTool
from secateurs.llama_index import ExpandTool, SecateursPostprocessor, compress_callbacks, compress_tool
SecateursPostprocessor(threshold=0.5)
def look(query: str) -> str: return query
compress_tool(FunctionTool.from_defaults(look), expand=ExpandTool())
compress_callbacks(lambda result: "a query")
"""


def needed(requirement: Requirement, found: set[str]) -> set[str]:
    """Add the distributions a requirement brings along, its extras and their requirements included."""
    name = canonicalize_name(requirement.name)
    if name not in found or requirement.extras:
        found.add(name)
        extras = {"", *requirement.extras}
        for one in map(Requirement, distribution(name).requires or []):
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
                needed(one, found)
    return found


def test_I1_needs_only_llama_index_core():
    """A BaseNodePostprocessor; importing and making it, and the tools, needs llama-index-core and what that needs.

    The contract decides the path: `secateurs.llama_index`, no package in LlamaIndex's own namespace.
    """
    assert issubclass(SecateursPostprocessor, BaseNodePostprocessor)
    assert SecateursPostprocessor.__module__.startswith("secateurs.llama_index")
    allowed = needed(Requirement("llama-index-core"), {"secateurs", "sentencex", "cachetools"})  # our base's own
    owners = packages_distributions().items()
    blocked = [module for module, names in owners if not any(canonicalize_name(name) in allowed for name in names)]
    assert {"torch", "transformers", "tokenizers", "typer", "langchain_core", "langchain"} <= set(blocked)
    subprocess.run([sys.executable, "-c", IMPORTS, json.dumps(blocked)], check=True)


class Idle(Workflow):
    """A workflow that does nothing."""

    @step
    async def end(self, event: StartEvent) -> StopEvent:
        return StopEvent()


async def through_workflow(postprocessor: SecateursPostprocessor, serializer: Any) -> SecateursPostprocessor:
    """Put a postprocessor into a workflow's context, the context through JSON, and take it out again."""
    before = Context(Idle())
    await before.store.set("postprocessor", postprocessor)
    data = json.loads(json.dumps(before.to_dict(serializer=serializer)))
    restored: SecateursPostprocessor = await Context.from_dict(Idle(), data, serializer=serializer).store.get(
        "postprocessor"
    )
    return restored


@pytest.mark.parametrize("way", ["dict", "json", "pickle", "workflow", "workflow pickle"])
async def test_I2_round_trips(way: str, tiny_folder: Path, caplog: pytest.LogCaptureFixture):
    """Under a name of its own it comes back from every way out: with its settings, working, without a warning.

    The model is loaded only when it is used.
    """
    caplog.set_level(logging.WARNING)

    async def rebuilt(one: SecateursPostprocessor) -> SecateursPostprocessor:
        if way == "dict":
            return SecateursPostprocessor.from_dict(one.to_dict())
        if way == "json":
            return SecateursPostprocessor.from_json(one.to_json())
        if way == "pickle":
            return pickle.loads(pickle.dumps(one))  # type: ignore[no-any-return]
        return await through_workflow(one, JsonSerializer() if way == "workflow" else JsonPickleSerializer())

    found = vector_index().as_retriever(similarity_top_k=4).retrieve(QUERY)
    settings: dict[str, Any] = {"model": str(tiny_folder), "device": "cpu", "threshold": 0.4, "timeout": 60.0}
    first = SecateursPostprocessor(**settings, on_report=print)
    expected = first.postprocess_nodes(found, query_str=QUERY)
    again = await rebuilt(first)
    assert {name: getattr(again, name) for name in settings} == settings
    assert again.postprocess_nodes(found, query_str=QUERY) == expected
    assert await again.apostprocess_nodes(found, query_str=QUERY) == expected
    nowhere = await rebuilt(SecateursPostprocessor(model="/no/such/folder", on_error="raise"))
    assert nowhere.postprocess_nodes([], query_str=QUERY) == []
    with pytest.raises(Exception, match="/no/such/folder"):
        nowhere.postprocess_nodes(found, query_str=QUERY)
    assert not caplog.records
    others = {one.class_name() for one in BaseNodePostprocessor.__subclasses__() if one is not SecateursPostprocessor}
    assert SecateursPostprocessor.class_name() not in others
