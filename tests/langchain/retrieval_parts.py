"""Documents, retrievers and handlers shared by the tests of the LangChain adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fake_compressor import FakeCompressor
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    AsyncCallbackManagerForRetrieverRun,
    BaseCallbackHandler,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever

from secateurs.langchain import SecateursCompressor

QUERY = "Who wrote The Killing of a Sacred Deer?"
DEER = (
    "The Killing of a Sacred Deer is a film of 2017. The screenplay was written by Yorgos Lanthimos and Efthymis "
    "Filippou. It stars Colin Farrell and Nicole Kidman. The weather in Cincinnati was mild that summer."
)
WRITTEN = "The screenplay was written by Yorgos Lanthimos and Efthymis Filippou."
WEATHER = "It rained in the north. The wind came from the sea. Farmers were glad of it."


def documents() -> list[Document]:
    """Three documents: one with an answer, one without, one with a nested metadata and an id."""
    return [
        Document(DEER, id="deer", metadata={"source": "wiki", "pages": [1, 2], "nested": {"a": [1]}}),
        Document(WEATHER, id="weather"),
        Document("Yorgos Lanthimos wrote it.", metadata={"relevance_score": 0.25}),
    ]


def fake(**settings: Any) -> SecateursCompressor:
    """Make an adapter around a fake compressor; takes the settings of both."""
    options = {name: settings.pop(name) for name in list(settings) if name in FakeCompressor.__dataclass_fields__}
    return SecateursCompressor(compressor=FakeCompressor(**options), **settings)


async def both(compressor: BaseDocumentCompressor, found: Sequence[Document], query: str) -> list[Document]:
    """Compress sync and async; both must give the same."""
    result = compressor.compress_documents(found, query)
    assert await compressor.acompress_documents(found, query) == result
    return list(result)


class Found(BaseRetriever):
    """Finds the same documents for every query."""

    documents: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return self.documents

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.documents


class Events(BaseCallbackHandler):
    """Collects custom events, and which runs they belong to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.runs: list[Any] = []
        self.starts: list[Any] = []

    def on_retriever_start(self, *arguments: Any, run_id: Any, **kwargs: Any) -> None:
        self.starts.append(run_id)

    def on_custom_event(self, name: str, data: Any, *, run_id: Any, **kwargs: Any) -> None:
        self.seen.append((name, data))
        self.runs.append(run_id)


class AsyncEvents(AsyncCallbackHandler):
    """The same, awaited."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.seen.append((name, data))
