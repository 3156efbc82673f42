"""Whole calls, from texts to shorter texts: ours, and the neighbours' own classes with an encoder of the same size.

The neighbours embed with the checkpoint's own encoder (embed.py), on the same threads, and are otherwise
left as they come. LlamaIndex's class embeds every sentence of every document; LangChain's embeds each document as
far as a window goes, and drops whole documents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from torch import nn

from secateurs.bench.corpus import Corpus
from secateurs.bench.embed import MeanPooled, Vectors
from secateurs.checkpoints import Checkpoint
from secateurs.compressor import Compressor
from secateurs.errors import Error
from secateurs.model.pruner import Pruner

COMPRESS = "secateurs"
LLAMA_INDEX = "LlamaIndex SentenceEmbeddingOptimizer"
LANGCHAIN = "LangChain EmbeddingsFilter"
_SHARE = 0.5  # of the sentences LlamaIndex's class keeps: the value of its documentation
_LLAMA_INDEX_ROWS = 10  # the default batch of its HuggingFaceEmbedding
_LANGCHAIN_ROWS = 32  # that of its HuggingFaceEmbeddings, which is sentence-transformers' own


@dataclass(frozen=True)
class Caller:
    """One way to do the whole call.

    Attributes:
        name: What the tables call it.
        prepare: Makes of a corpus a call to be timed, which may be made once.
        module: What is called for each forward pass.
        tokens_read: Encoder tokens read in all calls so far, padding not counted; None for ours, which pads none.
    """

    name: str
    prepare: Callable[[Corpus], Callable[[], object]]
    module: nn.Module
    tokens_read: Callable[[], int] | None = None


@dataclass(frozen=True)
class Peers:
    """The neighbours.

    Attributes:
        callers: Those that are installed.
        left_out: A line for each that is not.
        encoder: What they embed with, in words.
    """

    callers: Sequence[Caller]
    left_out: Sequence[str] = ()
    encoder: str = ""


def ours(compressor: Compressor, model: Pruner) -> Caller:
    """Return our own call, all documents at once; the model's heads are part of its forward pass."""

    def prepare(corpus: Corpus) -> Callable[[], object]:
        return lambda: compress_all(compressor, corpus.query, corpus.documents)

    return Caller(COMPRESS, prepare, model)


def compress_all(compressor: Compressor, query: str, documents: Sequence[str]) -> None:
    """Compress documents.

    Raises:
        Error: A document failed; what failed would look fast.
    """
    check_none_failed(compressor.compress(query, documents))


def check_none_failed(results: Sequence[Any]) -> None:
    """Raise for the first result with `status="error"`."""
    failed = next((result for result in results if result.status == "error"), None)
    if failed is not None:
        raise Error(
            f"a document of {len(failed.original):,} characters could not be compressed ({failed.reason}), and the "
            "speed of failures says nothing. Does `secateurs compress` work with this model on this device?"
        )


def find_peers(checkpoint: Checkpoint) -> Peers:
    """Return the neighbours, as far as they are installed."""
    wanted = (
        (LLAMA_INDEX, _llama_index, {"llama_index.core": "llama-index-core"}),
        (
            LANGCHAIN,
            _langchain,
            {"langchain_classic": "langchain-classic", "langchain_community": "langchain-community"},
        ),
    )
    found, left_out = [], []
    for name, make, needs in wanted:
        missing = [package for module, package in needs.items() if not _installed(module)]
        if missing:
            names = " and ".join(missing)
            left_out.append(f"{name}: {names} not installed; pip install {' '.join(missing)}")
        else:
            found.append(make)
    if not found:
        return Peers((), left_out)
    encoder = MeanPooled(checkpoint)
    return Peers([make(encoder) for make in found], left_out, encoder.says)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package above it
        return False


def _llama_index(encoder: MeanPooled) -> Caller:
    from llama_index.core.postprocessor import SentenceEmbeddingOptimizer
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    embeddings = llama_index_embeddings(encoder)

    def prepare(corpus: Corpus) -> Callable[[], object]:
        # new nodes each time, as the class writes into those it is given
        nodes = [NodeWithScore(node=TextNode(text=document)) for document in corpus.documents]
        optimizer = SentenceEmbeddingOptimizer(embed_model=embeddings, percentile_cutoff=_SHARE)
        return lambda: optimizer.postprocess_nodes(nodes, query_bundle=QueryBundle(corpus.query))

    return Caller(LLAMA_INDEX, prepare, encoder.module, lambda: encoder.tokens)


def llama_index_embeddings(encoder: MeanPooled) -> Any:
    """Return the encoder as LlamaIndex's `BaseEmbedding`."""
    from llama_index.core.embeddings import BaseEmbedding

    class Embeddings(BaseEmbedding):
        def _get_text_embeddings(self, texts: list[str]) -> Vectors:
            return encoder.embed(texts, self.embed_batch_size)

        def _get_text_embedding(self, text: str) -> list[float]:
            return encoder.embed([text], 1)[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    return Embeddings(model_name="mean-pooled", embed_batch_size=_LLAMA_INDEX_ROWS)


def _langchain(encoder: MeanPooled) -> Caller:
    from langchain_classic.retrievers.document_compressors import EmbeddingsFilter
    from langchain_core.documents import Document

    embeddings = langchain_embeddings(encoder)

    def prepare(corpus: Corpus) -> Callable[[], object]:
        documents = [Document(page_content=document) for document in corpus.documents]
        return lambda: EmbeddingsFilter(embeddings=embeddings).compress_documents(documents, corpus.query)

    return Caller(LANGCHAIN, prepare, encoder.module, lambda: encoder.tokens)


def langchain_embeddings(encoder: MeanPooled) -> Any:
    """Return the encoder as LangChain's `Embeddings`."""
    from langchain_core.embeddings import Embeddings

    class MeanPooledEmbeddings(Embeddings):
        def embed_documents(self, texts: list[str]) -> Vectors:
            return encoder.embed(texts, _LANGCHAIN_ROWS)

        def embed_query(self, text: str) -> list[float]:
            return encoder.embed([text], 1)[0]

    return MeanPooledEmbeddings()
