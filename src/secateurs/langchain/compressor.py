"""The document compressor for LangChain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, Self

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.load import Serializable
from langchain_core.runnables import Runnable
from pydantic import Field, model_validator

from secateurs.adapters.fields import DocumentFields, documented
from secateurs.adapters.metadata import METADATA_KEY, copy_metadata, remember_made
from secateurs.adapters.model import AdapterModel
from secateurs.adapters.order import Returned
from secateurs.adapters.outcome import Outcome
from secateurs.adapters.settings import Settings
from secateurs.langchain.places import place_of
from secateurs.langchain.tracing import Traced
from secateurs.policy import SourcePlace
from secateurs.result.compression import Compression

MetadataMode = Literal["full", "none"]

_FROM_COMPRESSOR = ("model", "encoding")
_KEYS = {"status", "spans", "sentences", "savings"}


@documented(DocumentFields)
class SecateursCompressor(BaseDocumentCompressor, Serializable, AdapterModel):
    """Cuts documents down to the sentences that matter for the query; works as it is, with the bundled model.

    A kept sentence brings what it needs to be understood where it stands: the headings above it, a table's header,
    the list items it is under. That needs no setting; `neighbours` adds the sentences beside it.

    New documents come back, in order unless `rerank` is set, with their `id` and metadata; a document in which
    nothing passed is left out. `metadata["secateurs"]` says what was kept and saved, `metadata["relevance_score"]`
    how relevant the document is (the ranking score, else its best sentence's). What else is there under these keys,
    say a reranker's score, is not replaced.

    `rerank=True` returns them by falling ranking score, `top_n` the first so many of that order. A `relevance_score`
    that was already there does not order them; `metadata["secateurs"]["ranking_score"]` always agrees with the order.

    With `on_error="keep"` a failure, and always a blank query, returns the very documents that came in.

    `compressor` and `on_report` are not serialized and not pickled: what is rebuilt loads the same checkpoint and
    reports to nobody. A copy shares them. LangChain's `loads` needs `allowed_objects=[SecateursCompressor]` and
    `valid_namespaces=["secateurs"]`.

    Attributes:
        metadata_mode: `"none"` adds nothing to the metadata. The agent middleware then cannot tell that documents are
            compressed already.
        metadata_key: The key under which it says what was kept and saved.
        score_key: The key of the relevance score.

    Example:
        >>> from langchain_core.documents import Document
        >>> document = Document("Ann Lee built the mill in 1842. Tickets cost five euros on Mondays.", id="mill")
        >>> SecateursCompressor().compress_documents([document], "Who built the mill?")[0].page_content
        'Ann Lee built the mill in 1842.'
    """

    metadata_mode: MetadataMode = "full"
    metadata_key: str = Field(default=METADATA_KEY, min_length=1)
    score_key: str = Field(default="relevance_score", min_length=1)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Compress retrieved documents for a query.

        Args:
            documents: The documents; they are not changed.
            query: What they were retrieved for.
            callbacks: Those of the run this is called in: there it is a run of its own, named `"secateurs"`, whose
                output is the report, and the report goes out as the custom event `"secateurs_report"`.

        Returns:
            New documents, without those in which nothing passed and those `top_n` leaves out.
        """
        texts, ids = [one.page_content for one in documents], [one.id for one in documents]
        traced = Traced(query, len(texts), callbacks)
        places = self._places(documents)
        outcome = traced.run(lambda: self._runner.run(Settings.of(self), query, texts, ids, places=places))
        outcome.check()
        return [self._rewritten(documents, one, outcome) for one in outcome.returned]

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Do what `compress_documents` does without blocking the event loop."""
        texts, ids = [one.page_content for one in documents], [one.id for one in documents]
        traced = Traced(query, len(texts), callbacks)
        places = self._places(documents)
        outcome = await traced.arun(lambda: self._runner.arun(Settings.of(self), query, texts, ids, places=places))
        outcome.check()
        kept = []
        for one in outcome.returned:
            kept.append(self._rewritten(documents, one, outcome))
            await asyncio.sleep(0)  # copying what the user keeps in the metadata takes a while: the loop's turn
        return kept

    def as_runnable(self) -> Runnable[dict[str, Any], list[Document]]:
        """Return this compressor as a step of a pipe, from `{"query", "documents"}` to documents.

        What says which sentences stay can be configured for one call: `policy`, `threshold`, `top_k`, `max_tokens`,
        `max_total_tokens`, `when_empty`, `neighbours`, `elision` and `distinct`; so can `rerank`, `top_n` and
        `timeout`. It shares this compressor's weights.

        Example:
            >>> from langchain_core.documents import Document
            >>> step = SecateursCompressor().as_runnable().with_config(configurable={"threshold": 0.5})
            >>> documents = [Document("Ann wrote it in 1999. It rained that year.")]
            >>> step.invoke({"query": "Who wrote it?", "documents": documents})[0].page_content
            'Ann wrote it in 1999.'
        """
        from secateurs.langchain.runnable import CompressDocuments  # which has a field of this class

        return CompressDocuments(compressor=self)

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.metadata_key == self.score_key:
            raise ValueError(f"metadata_key and score_key must differ, got {self.score_key!r} for both")
        return self

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return True: LangChain's `dumps` writes the settings."""
        return True

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What `dumps` writes in place of a policy, its source, and of a compressor, where it came from."""
        settings = Settings.of(self)
        portable = settings.portable()
        written = {} if self.policy is None else {"policy": settings.source()}
        if self.compressor is not None:
            written |= {name: portable[name] for name in _FROM_COMPRESSOR}
        return written if portable["revision"] is None else {**written, "revision": portable["revision"]}

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], **Settings.of(self).portable()}}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        shared = {id(one): one for one in (self.compressor, self.on_report)}
        return super().__deepcopy__({**(memo or {}), **shared})

    def _places(self, documents: Sequence[Document]) -> list[SourcePlace | None] | None:
        """Return where each document stands in its source, if copies are looked for."""
        beside = (self.metadata_key, self.score_key)
        return [place_of(one.metadata, beside) for one in documents] if self.distinct else None

    def _rewritten(self, documents: Sequence[Document], one: Returned, outcome: Outcome) -> Document:
        document = documents[one.index]
        return document if one.compression is None else self._with(document, one.compression, outcome)

    def _with(self, document: Document, compression: Compression, outcome: Outcome) -> Document:
        metadata = copy_metadata(document.metadata)
        if self.metadata_mode == "full":
            if self.metadata_key not in metadata or _is_ours(metadata[self.metadata_key]):
                metadata[self.metadata_key] = data = outcome.metadata(compression)
                remember_made(compression.text, data)
            if compression.status != "error":
                metadata.setdefault(self.score_key, _relevance(compression))
        bare = document.model_copy(update={"page_content": compression.text, "metadata": {}})
        return _clone(bare).model_copy(update={"metadata": metadata})


def _is_ours(value: object) -> bool:
    """Return whether an earlier compression wrote this, which the next one may replace."""
    return isinstance(value, dict) and value.keys() >= _KEYS


def _clone(document: Document) -> Document:
    """Return a document whose own state, that of a subclass, is not the original's."""
    try:
        return document.model_copy(deep=True)
    except Exception:  # something in it cannot be copied, a lock or a client: that is shared
        return document


def _relevance(compression: Compression) -> float:
    if compression.ranking_score is not None:
        return float(compression.ranking_score)
    return max((float(sentence.score) for sentence in compression.sentences), default=0.0)
