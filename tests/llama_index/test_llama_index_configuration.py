"""What is configured wrong is heard of, in LlamaIndex: a node is never passed through for ever in silence."""

from __future__ import annotations

import pytest
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import FunctionTool
from llama_parts import asked

from secateurs import CheckpointError, Compressor
from secateurs.llama_index import SecateursPostprocessor, compress_callbacks, compress_tool

QUERY = "Who built it?"
TEXT = "Ann built it. It rained that year. " * 30


@pytest.mark.parametrize("wrong", ["nope/nope", "/no/such/folder"])
async def test_a_checkpoint_that_is_not_there_is_raised_at_first_use(wrong: str, caplog: pytest.LogCaptureFixture):
    """The postprocessor raises it, sync and async, whatever `on_error` says, and logs nothing."""
    nodes = [NodeWithScore(node=TextNode(text=TEXT))]
    postprocessor = SecateursPostprocessor(model=wrong)
    with pytest.raises(CheckpointError, match=wrong):
        postprocessor.postprocess_nodes(nodes, query_str=QUERY)
    with pytest.raises(CheckpointError, match=wrong):
        await postprocessor.apostprocess_nodes(nodes, query_str=QUERY)
    with pytest.raises(CheckpointError, match=wrong):
        postprocessor.check()
    assert postprocessor.postprocess_nodes(nodes) == nodes, "without a query there is nothing to do"
    assert not caplog.records


@pytest.mark.parametrize("way", ["call", "acall"])
async def test_tools_raise_it_too(way: str):
    """A tool whose output nobody can cut raises it, wrapped or by callbacks."""

    def look(query: str) -> str:
        """Look it up."""
        return TEXT

    callbacks = compress_callbacks(lambda result: QUERY, model="nope/nope")
    for tool in (
        compress_tool(FunctionTool.from_defaults(look), model="nope/nope"),
        FunctionTool.from_defaults(look, **callbacks),
    ):
        with pytest.raises(CheckpointError, match="nope/nope"):
            await asked(getattr(tool, way), query=QUERY)


def test_a_check_passes_where_all_is_well(tiny: Compressor):
    """`check` is silent where a document can be read."""
    SecateursPostprocessor(compressor=tiny).check()
