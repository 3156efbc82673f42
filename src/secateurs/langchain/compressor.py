"""The document compressor for LangChain."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any, Self

from langchain_core.callbacks import Callbacks, adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.runnables import Runnable, RunnableConfig, ensure_config
from langchain_core.runnables.config import get_callback_manager_for_config
from pydantic import (
    ConfigDict,
    Field,
    FieldSerializationInfo,
    PrivateAttr,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from secateurs.adapter import METADATA_KEY, Outcome, Runner, copy_metadata, report_to_dict
from secateurs.adapter_settings import CompressorLike, OnError, OnReport, Settings
from secateurs.text import Compression

EVENT_NAME = "secateurs_report"


class SecateursCompressor(BaseDocumentCompressor):
    """Cuts documents down to the sentences that matter for the query; works as it is, with the bundled model.

    New documents come back, in order unless `rerank` is set, with their `id` and metadata; a document in which
    nothing passed is left out. `metadata["secateurs"]` says what was kept and saved, `metadata["relevance_score"]`
    how relevant the document is (the ranking score, else its best sentence's; a score that is already there, say a
    reranker's, is not replaced).

    `rerank=True` returns them by falling ranking score, `top_n` the first so many of that order. A `relevance_score`
    that was already there does not order them; `metadata["secateurs"]["ranking_score"]` always agrees with the order.

    With `on_error="keep"` a failure, and always a blank query, returns the very documents that came in.

    `compressor` and `on_report` are not serialized and not pickled: what is rebuilt loads the same checkpoint and
    reports to nobody. A copy shares them.

    Attributes: see `secateurs.adapter_settings.Settings`.

    Example:
        >>> from langchain_core.documents import Document
        >>> document = Document("Ann wrote it in 1999. It rained that year.", id="a")
        >>> SecateursCompressor(threshold=0.5).compress_documents([document], "Who wrote it?")[0].page_content
        'Ann wrote it in 1999. '
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, strict=True)

    compressor: SkipJsonSchema[CompressorLike | None] = Field(default=None, exclude=True, repr=False)
    model: str | None = None
    device: str = "auto"
    threshold: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    rerank: bool = False
    top_n: int | None = None
    on_error: OnError = "keep"
    encoding: str = "o200k_base"
    on_report: SkipJsonSchema[OnReport | None] = Field(default=None, exclude=True, repr=False)

    _runner: Runner = PrivateAttr(default_factory=Runner)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Compress retrieved documents for a query.

        Args:
            documents: The documents; they are not changed.
            query: What they were retrieved for.
            callbacks: The report goes out through them as the custom event `"secateurs_report"`, if they belong to
                a run.

        Returns:
            New documents, without those in which nothing passed and those `top_n` leaves out.
        """
        texts, ids = [one.page_content for one in documents], [one.id for one in documents]
        outcome = self._runner.run(Settings.of(self), query, texts, ids)
        config = ensure_config({"callbacks": callbacks})
        if has_parent(config):
            dispatch_custom_event(EVENT_NAME, report_to_dict(outcome.report), config=config)
        return _rewrite(documents, outcome)

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Do what `compress_documents` does without blocking the event loop."""
        texts, ids = [one.page_content for one in documents], [one.id for one in documents]
        outcome = await self._runner.arun(Settings.of(self), query, texts, ids)
        config = ensure_config({"callbacks": callbacks})
        if has_parent(config):
            await adispatch_custom_event(EVENT_NAME, report_to_dict(outcome.report), config=config)
        return _rewrite(documents, outcome)

    def as_runnable(self) -> Runnable[dict[str, Any], list[Document]]:
        """Return this compressor as a step of a pipe, from `{"query", "documents"}` to documents.

        `threshold`, `top_k` and `max_tokens` can be configured for one call. It shares this compressor's weights.

        Example:
            >>> from langchain_core.documents import Document
            >>> step = SecateursCompressor().as_runnable().with_config(configurable={"threshold": 0.5})
            >>> documents = [Document("Ann wrote it in 1999. It rained that year.")]
            >>> step.invoke({"query": "Who wrote it?", "documents": documents})[0].page_content
            'Ann wrote it in 1999. '
        """
        from secateurs.langchain.runnable import CompressDocuments  # which has a field of this class

        return CompressDocuments(compressor=self)

    @field_validator("model", mode="before")
    @classmethod
    def _accept_path(cls, value: object) -> object:
        return fspath(value) if isinstance(value, PathLike) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        Settings.of(self)
        return self

    @field_serializer("model", "encoding")
    def _portable(self, value: object, info: FieldSerializationInfo) -> Any:
        return Settings.of(self).portable()[info.field_name]

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], **Settings.of(self).portable()}}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        shared = {id(one): one for one in (self.compressor, self.on_report)}
        return super().__deepcopy__({**(memo or {}), **shared})


def has_parent(config: RunnableConfig) -> bool:
    """Return whether there is a run an event could belong to; without one, dispatching raises."""
    return get_callback_manager_for_config(config).parent_run_id is not None


def _rewrite(documents: Sequence[Document], outcome: Outcome) -> list[Document]:
    outcome.check()
    return [
        documents[one.index] if one.compression is None else _with(documents[one.index], one.compression, outcome)
        for one in outcome.returned
    ]


def _with(document: Document, compression: Compression, outcome: Outcome) -> Document:
    metadata = copy_metadata(document.metadata)
    metadata[METADATA_KEY] = outcome.metadata(compression)
    if compression.status != "error":
        metadata.setdefault("relevance_score", _relevance(compression))
    return _clone(document).model_copy(update={"page_content": compression.text, "metadata": metadata})


def _clone(document: Document) -> Document:
    try:
        return document.model_copy(deep=True)
    except Exception:  # something in it cannot be copied, a lock or a client: that is shared
        return document


def _relevance(compression: Compression) -> float:
    if compression.ranking_score is not None:
        return float(compression.ranking_score)
    return max((float(sentence.score) for sentence in compression.sentences), default=0.0)
