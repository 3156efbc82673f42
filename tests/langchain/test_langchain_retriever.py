"""The compressing retriever, and the compressor inside those of langchain-classic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.documents import BaseDocumentTransformer, Document
from langchain_core.runnables import RunnableLambda
from pydantic import ValidationError
from retrieval_parts import DEER, QUERY, WRITTEN, Events, Found, both, documents, fake

from secateurs import Compressor, Threshold, TopK
from secateurs.langchain import CompressingRetriever, SecateursCompressor


async def test_retriever(bundled: Compressor) -> None:
    """The retriever compresses what another finds: sync, async, in batches, over any Runnable."""
    compressor = SecateursCompressor(compressor=bundled, threshold=0.5)
    for found in (Found(documents=documents()), RunnableLambda(lambda query: documents())):
        retriever = CompressingRetriever(retriever=found, compressor=compressor)
        expected = compressor.compress_documents(documents(), QUERY)
        assert retriever.invoke(QUERY) == expected
        assert await retriever.ainvoke(QUERY) == expected
        texts = [(document.id, document.page_content) for document in expected]
        for results in (retriever.batch([QUERY, QUERY]), await retriever.abatch([QUERY, QUERY])):
            assert [[(document.id, document.page_content) for document in found] for found in results] == [texts] * 2


async def test_k() -> None:
    """k, of the retriever or of one call, limits the compressed result."""
    retriever = CompressingRetriever(
        retriever=Found(documents=documents()), compressor=fake(policy=Threshold(0.5) | TopK(1)), k=2
    )
    assert [one.id for one in retriever.invoke("deer")] == ["deer", "weather"]
    for k in (1, 3):
        assert len(retriever.invoke("deer", k=k)) == k
        assert len(await retriever.ainvoke("deer", k=k)) == k
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="k must be at least 1"):
            retriever.invoke("deer", k=wrong)
        with pytest.raises(ValueError, match="k must be at least 1"):
            CompressingRetriever(retriever=Found(documents=[]), k=wrong)


def test_retriever_defaults() -> None:
    """The retriever makes its own compressor, and refuses a setting it does not know."""
    assert isinstance(CompressingRetriever(retriever=Found(documents=[])).compressor, SecateursCompressor)
    with pytest.raises(ValidationError, match="compresor"):
        CompressingRetriever(retriever=Found(documents=[]), compresor=fake())


async def test_nothing_found() -> None:
    """When nothing was found, nothing is compressed."""
    retriever = CompressingRetriever(retriever=Found(documents=[]), compressor=fake())
    assert retriever.invoke("deer") == []
    assert await retriever.ainvoke("deer") == []


# --- inside langchain-classic ---


@pytest.fixture
def classic() -> Any:
    """langchain-classic, which the adapters do not need."""
    return pytest.importorskip("langchain_classic.retrievers", reason="langchain-classic is not installed")


async def test_contextual_compression_retriever(bundled: Compressor, classic: Any) -> None:
    """ContextualCompressionRetriever works with us: sync, async and batch, with the event in its run."""
    compressor = SecateursCompressor(compressor=bundled, threshold=0.5)
    retriever = classic.ContextualCompressionRetriever(
        base_compressor=compressor, base_retriever=Found(documents=documents())
    )
    expected = compressor.compress_documents(documents(), QUERY)
    assert WRITTEN in expected[0].page_content
    assert len(expected) < len(documents()) or expected[0].page_content != DEER
    events = Events()
    assert retriever.invoke(QUERY, config={"callbacks": [events]}) == expected
    assert await retriever.ainvoke(QUERY, config={"callbacks": [events]}) == expected
    assert [name for name, _ in events.seen] == ["secateurs_report"] * 2
    # concurrent calls share forward passes, so their scores agree to 1e-5 and not to the last bit
    texts = [(document.id, document.page_content) for document in expected]
    for results in (retriever.batch([QUERY] * 3), await retriever.abatch([QUERY] * 3)):
        assert [[(document.id, document.page_content) for document in found] for found in results] == [texts] * 3
        scores = [document.metadata["relevance_score"] for found in results for document in found]
        assert scores == pytest.approx([document.metadata["relevance_score"] for document in expected] * 3, abs=1e-5)


async def test_document_compressor_pipeline(bundled: Compressor, classic: Any) -> None:
    """DocumentCompressorPipeline runs us between others, callbacks and all."""
    from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline

    class Reverse(BaseDocumentTransformer):
        def transform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
            return documents[::-1]

        async def atransform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
            return documents[::-1]

    compressor = SecateursCompressor(compressor=bundled, threshold=0.0)
    pipeline = DocumentCompressorPipeline(transformers=[compressor, Reverse(), fake(threshold=0.0)])
    kept = await both(pipeline, documents(), QUERY)
    assert [one.page_content for one in kept] == [one.page_content for one in documents()[::-1]]
    assert kept[0].metadata["secateurs"]["model"] == "fake-model"
