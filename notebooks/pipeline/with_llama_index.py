"""LlamaIndex and Milvus: ten passages are retrieved, cut to what matters, and put into the prompt.

`pip install "secateurs[llama-index]" llama-index-vector-stores-milvus`
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llama_index.core import PromptTemplate, StorageContext, VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.llms import LLM
from llama_index.core.query_engine import BaseQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode
from llama_index.vector_stores.milvus import MilvusVectorStore
from pydantic import PrivateAttr
from rag import TEMPLATE, Encoder, Kept, Passage

from secateurs.llama_index import SecateursPostprocessor
from secateurs.result.span import Span

PROMPT = PromptTemplate(TEMPLATE, template_var_mappings={"context_str": "documents", "query_str": "query"})


class EncoderEmbedding(BaseEmbedding):
    """An encoder in LlamaIndex's words; yours is `OpenAIEmbedding()` or the like."""

    _encoder: Encoder = PrivateAttr()

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(embed_batch_size=1000)
        self._encoder = encoder

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._encoder.sentences(texts).tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._encoder.queries([query])[0].tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def make_index(passages: Sequence[Passage], embedding: BaseEmbedding, database: Path) -> VectorStoreIndex:
    """Put passages into a Milvus Lite database, a file."""
    width = len(embedding.get_query_embedding("how wide?"))
    store = MilvusVectorStore(uri=str(database), dim=width, index_config={"index_type": "FLAT"})
    index = VectorStoreIndex(
        [TextNode(id_=passage.id, text=passage.text) for passage in passages],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=embedding,
    )
    store.client.flush(store.collection_name)  # Milvus Lite searches what it has not flushed yet forty times as long
    return index


def make_engine(index: VectorStoreIndex, postprocessor: SecateursPostprocessor, *, llm: LLM) -> BaseQueryEngine:
    """From a query to the LLM's answer. Compression is the line with `node_postprocessors`."""
    return index.as_query_engine(
        similarity_top_k=10,
        node_postprocessors=[postprocessor],
        text_qa_template=PROMPT,
        llm=llm,
    )


class LlamaIndexPipeline:
    """The same engine, one step at a time, to be timed."""

    def __init__(self, index: VectorStoreIndex, postprocessor: SecateursPostprocessor) -> None:
        self._retriever: BaseRetriever = index.as_retriever(similarity_top_k=10)
        self._postprocessor = postprocessor

    def find(self, query: str) -> Sequence[NodeWithScore]:
        """Embed the query and search."""
        return self._retriever.retrieve(query)

    def compress(self, query: str, documents: Sequence[NodeWithScore]) -> Sequence[NodeWithScore]:
        """Cut what was found."""
        return self._postprocessor.postprocess_nodes(list(documents), QueryBundle(query))

    def prompt(self, query: str, documents: Sequence[NodeWithScore]) -> str:
        """Write what the LLM would read."""
        texts = (one.node.get_content(MetadataMode.LLM).strip() for one in documents)
        return PROMPT.format(context_str="\n\n".join(texts), query_str=query)

    def kept(self, documents: Sequence[NodeWithScore]) -> list[Kept]:
        """Say what documents are; before compression, all of each."""
        return [Kept(one.node_id, one.text, tuple(Span(*span) for span in _spans(one))) for one in documents]


def _spans(document: NodeWithScore) -> list[list[int]]:
    whole = [[0, len(document.text)]]
    return document.metadata["secateurs"]["spans"] if "secateurs" in document.metadata else whole
