"""Parts the tests of this room share: a small corpus in a real vector index, and LLMs that follow a script."""

from __future__ import annotations

import inspect
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from fake_compressor import FakeCompressor
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.llms.types import ChatMessage, CompletionResponse, MessageRole, ToolCallBlock
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.llms.mock import MockFunctionCallingLLM, MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import NodeWithScore
from pydantic import PrivateAttr

from secateurs.llama_index import SecateursPostprocessor

QUERY = "Who wrote The Killing of a Sacred Deer?"
FILM = (
    "The Killing of a Sacred Deer is a film of 2017. The screenplay was written by Yorgos Lanthimos and Efthymis "
    "Filippou. It stars Colin Farrell and Nicole Kidman. The weather in Cincinnati was mild that summer. "
)
RAIN = "Meteorologists measured the rain in the north. The wind came from the sea. Farmers were glad of it. "
MILL = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why. It is a museum now. "
WRITTEN = "The screenplay was written by Yorgos Lanthimos and Efthymis Filippou."
CUT = "The weather in Cincinnati"


class WordEmbedding(BaseEmbedding):
    """Texts that share words are near: one dimension a hash of a word."""

    def _embed(self, text: str) -> list[float]:
        vector = [0.0] * 64
        for word in re.findall(r"\w+", text.lower()):
            vector[zlib.crc32(word.encode()) % 64] += 1.0
        return vector

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embed(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embed(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._embed(query)


def corpus() -> list[Document]:
    """Three documents with metadata, long enough to be split."""
    texts = {"film": FILM + RAIN, "mill": MILL + RAIN, "rain": RAIN * 2}
    return [
        Document(text=text, id_=name, metadata={"title": f"About the {name}", "page": page})
        for page, (name, text) in enumerate(texts.items())
    ]


def vector_index(documents: Sequence[Document] | None = None, size: int = 96) -> VectorStoreIndex:
    """Split documents into chunks of so many tokens and put them into a vector store in memory."""
    return VectorStoreIndex.from_documents(
        corpus() if documents is None else list(documents),
        embed_model=WordEmbedding(),
        transformations=[SentenceSplitter(chunk_size=size, chunk_overlap=0)],
    )


def fake(**settings: Any) -> SecateursPostprocessor:
    """Make an adapter around a fake compressor; takes the settings of both."""
    options = {name: settings.pop(name) for name in list(settings) if name in FakeCompressor.__dataclass_fields__}
    return SecateursPostprocessor(compressor=FakeCompressor(**options), **settings)


async def both(
    postprocessor: SecateursPostprocessor, found: list[NodeWithScore], query: str | None
) -> list[NodeWithScore]:
    """Postprocess sync and async; both must give the same."""
    result = postprocessor.postprocess_nodes(found, query_str=query)
    assert await postprocessor.apostprocess_nodes(found, query_str=query) == result
    return result


async def asked(way: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a method, and await it if it is one to await."""
    result = way(*args, **kwargs)
    return await result if inspect.isawaitable(result) else result


class Recorder(MockLLM):
    """An LLM that keeps its prompts and answers with the source it was told to cite."""

    _prompts: list[str] = PrivateAttr(default_factory=list)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        self._prompts.append(prompt)
        # a chat engine asks for the follow-up question in full before it retrieves
        return CompletionResponse(text=QUERY if "Standalone question" in prompt else "an answer [1]")

    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return self.complete(prompt)

    def chat(self, messages: Any, **kwargs: Any) -> Any:
        self._prompts.extend(str(message.content) for message in messages)
        return super().chat(messages, **kwargs)

    def shown(self) -> str:
        """All it was shown since the last time."""
        shown, self._prompts = "\n".join(self._prompts), []
        return shown


def scripted(*steps: Callable[[list[str]], ChatMessage]) -> MockFunctionCallingLLM:
    """Make a function-calling LLM that takes one step a turn, given the tool results it has seen so far."""

    def say(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        seen = [str(message.content) for message in messages if message.role == MessageRole.TOOL]
        return steps[len(seen)](seen)

    return MockFunctionCallingLLM(response_generator=say)


def calls(name: str, **arguments: Any) -> ChatMessage:
    """Return an LLM's call of a tool."""
    block = ToolCallBlock(tool_call_id=f"{name}-{len(arguments)}", tool_name=name, tool_kwargs=arguments)
    return ChatMessage(role="assistant", blocks=[block])


def says(text: str) -> ChatMessage:
    """Return an LLM's answer."""
    return ChatMessage(role="assistant", content=text)


class Events(BaseEventHandler):
    """Collects events."""

    _seen: list[BaseEvent] = PrivateAttr(default_factory=list)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self._seen.append(event)

    def of(self, *kinds: type[BaseEvent]) -> list[Any]:
        """Those of some kinds, in order."""
        return [event for event in self._seen if isinstance(event, kinds)]
