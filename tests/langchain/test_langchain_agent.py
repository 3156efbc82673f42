"""An agent over a real vector store, the bundled model between its tools and what it reads."""

from __future__ import annotations

import re
import zlib
from typing import Any

import pytest
from agent_parts import call, script
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore

from secateurs import Compressor, Report
from secateurs.langchain.middleware import ContextCompressionMiddleware

FILM = (
    "The Killing of a Sacred Deer is a film of 2017. The screenplay was written by Yorgos Lanthimos and Efthymis "
    "Filippou. It stars Colin Farrell and Nicole Kidman. The weather in Cincinnati was mild that summer."
)
MILL = (
    "The mill stands at the river. The mill was built in 1842 by Ann Lee. It burned down twice, nobody knows why. "
    "Farmers brought their corn from far away. The road to the town is steep and full of stones."
)
RAIN = "It rained in the north. Farmers were glad of it. "


def test_a_scripted_agent_over_a_vector_store(bundled: Compressor):
    """An agent over a real vector store and the bundled model answers from cut results, with the savings reported."""
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents([Document(FILM), Document(RAIN * 5)])
    look = create_retriever_tool(store.as_retriever(), "look", "Look up.", response_format="content_and_artifact")
    reports: list[Any] = []
    own = ContextCompressionMiddleware(compressor=bundled, threshold=0.5, min_tokens=20, on_report=reports.append)
    model = script(call("look", query="Who wrote The Killing of a Sacred Deer?"))
    start = {"messages": [HumanMessage("Who?")]}
    message = create_agent(model, [look], middleware=[own]).invoke(start)["messages"][2]
    assert "Efthymis Filippou" in message.content
    assert "Farmers" not in message.content
    assert message.response_metadata["secateurs"]["savings"]["saved"] > 0
    assert reports[0].savings.saved > 0
    assert model.shown[1][2].content == message.content


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


class Words(Embeddings):
    """Embeds a text as how often each of its words comes, by the word's checksum: texts of like words are near."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector = [0.0] * 256
        for word in words(text):
            vector[zlib.crc32(word.encode()) % 256] += 1.0
        return vector


class Reader(BaseChatModel):
    """Knows nothing: searches for what it is asked, and answers with the sentence it read that is most like it."""

    @property
    def _llm_type(self) -> str:
        return "reader"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[Any], *arguments: Any, **kwargs: Any) -> ChatResult:
        said = messages[-1]
        if isinstance(said, ToolMessage):
            question = set(words(messages[-3].text))
            answer = AIMessage(max(said.text.split(". "), key=lambda one: len(question & set(words(one)))))
        else:
            search = {"name": "search", "args": {"query": said.text}, "id": f"call_{len(messages)}"}
            answer = AIMessage("", tool_calls=[search])
        return ChatResult(generations=[ChatGeneration(message=answer)])


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_an_agent_answers_from_what_it_finds(bundled: Compressor, way: str):
    """Question after question, the agent searches a vector store and answers from the cut result; savings agree."""
    store = InMemoryVectorStore(Words())
    store.add_documents([Document(FILM, id="film"), Document(MILL, id="mill"), Document(RAIN * 5, id="rain")])
    found = store.as_retriever(search_kwargs={"k": 2})
    search = create_retriever_tool(found, "search", "Search.", response_format="content_and_artifact")
    reports: list[Report] = []
    own = ContextCompressionMiddleware(compressor=bundled, threshold=0.5, min_tokens=20, on_report=reports.append)
    agent = create_agent(Reader(), [search], middleware=[own])
    for question, answer, cut in (
        ("Who wrote the screenplay of The Killing of a Sacred Deer?", "Efthymis Filippou", "Colin Farrell"),
        ("When was the mill built?", "1842", "full of stones"),
    ):
        start: Any = {"messages": [HumanMessage(question)]}
        modes: Any = ["custom", "values"]
        if way == "stream":
            seen = list(agent.stream(start, stream_mode=modes))
        else:
            seen = [one async for one in agent.astream(start, stream_mode=modes)]
        _, _, result, said = seen[-1][1]["messages"]
        assert answer in said.text
        assert answer in result.text
        assert cut not in result.text
        assert any(cut in one.page_content for one in result.artifact)
        [told] = [data["secateurs"]["savings"] for mode, data in seen if mode == "custom"]
        assert told == result.response_metadata["secateurs"]["savings"]
        assert told["saved"] > 20
        assert reports[-1].query == question
        assert reports[-1].savings.saved >= told["saved"]
