"""The retriever tool and the runnable, against LangChain itself."""

from __future__ import annotations

from typing import Any

import pytest
from fake_compressor import FakeCompressor
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import ToolCall
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.tools import BaseTool

from secateurs import Compressor
from secateurs.langchain import SecateursCompressor, create_compressing_retriever_tool

DEER = "The deer was written by Ann Smith. "
RAIN = "It rained all day long over the hills. "


def find(query: str) -> list[Document]:
    """Find the same documents for every query."""
    return [Document(RAIN + DEER + RAIN, id=str(number), metadata={"page": number}) for number in range(4)]


async def afind(query: str) -> list[Document]:
    """The same, awaited."""
    return find(query)


def fake(**settings: Any) -> SecateursCompressor:
    """Make an adapter around a fake compressor."""
    return SecateursCompressor(compressor=FakeCompressor(), **settings)


def make(**settings: Any) -> BaseTool:
    """Make the tool over four documents."""
    settings = {"compressor": fake(), **settings}
    return create_compressing_retriever_tool(RunnableLambda(find, afind), "look", "Look it up.", **settings)


# --- the tool ---


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_the_tool_returns_compressed_documents(way: str):
    """The content is made of the compressed documents as the prompt and the separator say; the artifact has them."""
    tool = make(
        k=2,
        document_prompt=PromptTemplate.from_template("[{page}] {page_content}"),
        document_separator="\n",
        response_format="content_and_artifact",
    )
    call = ToolCall(name="look", args={"query": "deer"}, id="1", type="tool_call")
    message = tool.invoke(call) if way == "invoke" else await tool.ainvoke(call)
    assert message.content == f"[0] {DEER}\n[1] {DEER}"
    assert [one.page_content for one in message.artifact] == [DEER, DEER]
    assert message.artifact[0].metadata["secateurs"]["savings"]["saved"] > 0


def test_the_tool_works_as_it_is():
    """Without settings the bundled model compresses."""
    tool = create_compressing_retriever_tool(RunnableLambda(find), "look", "Look it up.")
    assert (tool.name, tool.description) == ("look", "Look it up.")
    assert "Ann Smith" in tool.invoke({"query": "Who wrote the deer?"})


# --- the runnable ---


INPUT = {"query": "deer", "documents": find("")}


async def test_L10_the_runnable():
    """invoke, ainvoke, batch, abatch, stream and astream give what the compressor gives."""
    compressor = fake()
    step, expected = compressor.as_runnable(), compressor.compress_documents(find(""), "deer")
    assert step.invoke(INPUT) == await step.ainvoke(INPUT) == expected
    assert step.batch([INPUT, INPUT]) == await step.abatch([INPUT, INPUT]) == [expected, expected]
    assert list(step.stream(INPUT)) == [one async for one in step.astream(INPUT)] == [expected]
    assert {"query": "deer", "documents": find("")} == INPUT


async def test_L10_a_retriever_pipe():
    """Behind a retriever it compresses what was found for the query."""
    pipe = {"query": RunnablePassthrough(), "documents": RunnableLambda(find, afind)} | fake().as_runnable()
    assert [one.page_content for one in pipe.invoke("deer")] == [DEER] * 4
    assert await pipe.ainvoke("deer") == pipe.invoke("deer")


@pytest.mark.parametrize(
    ("configurable", "kept"),
    [
        ({}, DEER),
        ({"threshold": None}, DEER),
        ({"threshold": 0.0}, RAIN + DEER + RAIN),
        ({"threshold": 0.0, "top_k": 2}, RAIN + DEER),
        ({"threshold": 0.0, "max_tokens": 10}, DEER),
    ],
)
async def test_L10_threshold_and_budget_are_configurable(configurable: dict[str, Any], kept: str):
    """Threshold, top_k and max_tokens can be set for one call, and stay as they were for the next."""
    step = fake().as_runnable()
    configured = step.with_config(configurable=configurable)
    assert {one.page_content for one in configured.invoke(INPUT)} == {kept}
    assert await configured.ainvoke(INPUT) == configured.invoke(INPUT)
    assert {one.page_content for one in step.invoke(INPUT)} == {DEER}
    assert {spec.id for spec in step.config_specs} == {
        "policy", "threshold", "top_k", "max_tokens", "max_total_tokens", "when_empty", "neighbours", "elision",
        "distinct", "rerank", "top_n", "timeout",
    }  # fmt: skip


async def test_L10_the_order_is_configurable(tiny: Compressor):
    """`rerank` and `top_n` can be set for one call."""
    step = SecateursCompressor(compressor=tiny, threshold=0.0).as_runnable()
    documents = [Document(f"{RAIN}{word} was there.", id=word) for word in ("Ann", "Ben", "Cid", "Dan")]
    given = {"query": "deer", "documents": documents}
    best = step.with_config(configurable={"rerank": True, "top_n": 2})
    ranks = {one.id: one.metadata["secateurs"]["ranking_score"] for one in step.invoke(given)}
    assert [one.id for one in best.invoke(given)] == sorted(ranks, key=lambda name: -ranks[name])[:2]
    assert await best.ainvoke(given) == best.invoke(given)


def test_L10_a_configured_call_loads_no_second_model():
    """A configured call uses the very compressor of the adapter."""
    compressor = fake()
    compressor.as_runnable().invoke(INPUT, {"configurable": {"threshold": 0.5}})
    assert isinstance(compressor.compressor, FakeCompressor)
    assert len(compressor.compressor.calls) == 1
    bundled = SecateursCompressor()
    step = bundled.as_runnable()
    step.invoke(INPUT, {"configurable": {"threshold": 0.5}})
    loaded = list(bundled._runner._held.values())
    step.invoke(INPUT, {"configurable": {"threshold": 0.1}})
    assert list(bundled._runner._held.values()) == loaded


@pytest.mark.parametrize(
    ("given", "configurable", "error"),
    [
        ({"query": "deer"}, {}, ValueError),
        ("deer", {}, ValueError),
        ({"query": "deer", "documents": "deer"}, {}, TypeError),
        ({"query": ["deer"], "documents": []}, {}, TypeError),
        (INPUT, {"threshold": 1.5}, ValueError),
        (INPUT, {"top_n": 2}, ValueError),
        (INPUT, {"timeout": -1}, ValueError),
    ],
)
async def test_wrong_input(given: Any, configurable: dict[str, Any], error: type[Exception]):
    """A wrong input, or a configured value out of range, is an error that says what was expected."""
    step = fake().as_runnable()
    with pytest.raises(error):
        step.invoke(given, {"configurable": configurable})
    with pytest.raises(error):
        await step.ainvoke(given, {"configurable": configurable})


class Runs(BaseCallbackHandler):
    """Collects runs by name, and which of them an event belongs to."""

    def __init__(self) -> None:
        self.names: dict[Any, Any] = {}
        self.events: list[tuple[str, Any]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, **kwargs: Any) -> None:
        self.names[run_id] = kwargs.get("name")

    def on_custom_event(self, name: str, data: Any, *, run_id: Any, **kwargs: Any) -> None:
        self.events.append((self.names[run_id], data["savings"]["saved"]))


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_L12_a_named_run_with_its_event(way: str):
    """It is a run of its own, by name, and the report's event belongs to that run."""
    runs = Runs()
    pipe = {"query": RunnablePassthrough(), "documents": RunnableLambda(find, afind)} | fake().as_runnable()
    config: Any = {"callbacks": [runs]}
    _ = pipe.invoke("deer", config) if way == "invoke" else await pipe.ainvoke("deer", config)
    [(name, saved)] = runs.events
    assert name == "SecateursCompressor"
    assert saved > 0
