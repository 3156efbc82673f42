"""A retriever that compresses what another one finds."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever, RetrieverLike
from pydantic import ConfigDict, Field, field_validator, model_validator

from secateurs.adapters.model import check_names
from secateurs.langchain.compressor import SecateursCompressor
from secateurs.support.arguments import check_count

_ELSEWHERE = {"base_retriever": "retriever", "base_compressor": "compressor"}  # in LangChain's own


class CompressingRetriever(BaseRetriever):
    """Retrieves with another retriever and compresses its documents; needs langchain-core only.

    What `ContextualCompressionRetriever` calls `base_retriever` and `base_compressor` is read as `retriever` and
    `compressor`.

    Attributes:
        retriever: Any retriever, or any Runnable from a query to a list of documents.
        compressor: What compresses them; the default is `SecateursCompressor()`.
        k: Return at most the first `k` compressed documents; None for all. `invoke(query, k=...)` overrides it.

    Example:
        >>> from langchain_core.documents import Document
        >>> from langchain_core.runnables import RunnableLambda
        >>> page = "Ann Lee built the mill in 1842. Tickets cost five euros on Mondays."
        >>> found = RunnableLambda(lambda query: [Document(page)])
        >>> retriever = CompressingRetriever(retriever=found, compressor=SecateursCompressor(max_total_tokens=500))
        >>> retriever.invoke("Who built the mill?")[0].page_content
        'Ann Lee built the mill in 1842.'
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    retriever: RetrieverLike
    compressor: BaseDocumentCompressor = Field(default_factory=SecateursCompressor)
    k: int | None = None

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return True: LangChain's `dumps` writes it, if it can write what is inside."""
        return True

    @model_validator(mode="before")
    @classmethod
    def _read_names(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        both = [name for name in _ELSEWHERE if name in data and _ELSEWHERE[name] in data]
        if both:
            raise ValueError(f"{both[0]} and {_ELSEWHERE[both[0]]} are one thing, and both were given: pass one.")
        return check_names(cls, {_ELSEWHERE.get(name, name): value for name, value in data.items()})

    @field_validator("k", mode="before")
    @classmethod
    def _check_k(cls, value: int | None) -> int | None:
        if value is not None:
            check_count(value, "k", least=1)
        return value

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None, **kwargs: Any
    ) -> list[Document]:
        k = self.k if k is None else self._check_k(k)
        found = self.retriever.invoke(query, config={"callbacks": run_manager.get_child()}, **kwargs)
        if not found:
            return []
        callbacks = run_manager.get_child()
        return list(self.compressor.compress_documents(found, query, callbacks=callbacks))[:k]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        k = self.k if k is None else self._check_k(k)
        found = await self.retriever.ainvoke(query, config={"callbacks": run_manager.get_child()}, **kwargs)
        if not found:
            return []
        callbacks = run_manager.get_child()
        return list(await self.compressor.acompress_documents(found, query, callbacks=callbacks))[:k]
