"""LangChain and Milvus: ten passages are retrieved, cut to what matters, and put into the prompt.

`pip install "secateurs[langchain]" "langchain-milvus<0.4" "pymilvus[milvus_lite]<3"`
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import LanguageModelLike
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import PromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_milvus import Milvus
from pymilvus import connections
from rag import TEMPLATE, Encoder, Kept, Passage

from secateurs.langchain import CompressingRetriever, SecateursCompressor
from secateurs.result.span import Span

PROMPT = PromptTemplate.from_template(TEMPLATE)


class EncoderEmbeddings(Embeddings):
    """An encoder in LangChain's words; yours is `OpenAIEmbeddings()` or the like."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed passages."""
        return self._encoder.sentences(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        """Embed a query."""
        return self._encoder.queries([text])[0].tolist()


def make_retriever(passages: Sequence[Passage], embeddings: Embeddings, database: Path) -> BaseRetriever:
    """Put passages into a Milvus Lite database, a file, and return what finds the ten nearest to a query."""
    store = Milvus(
        embeddings,
        connection_args={"uri": str(database)},
        index_params={"index_type": "FLAT", "metric_type": "IP"},
    )
    # langchain-milvus 0.3 looks for its connection where pymilvus 2.6 no longer keeps it (langchain-milvus#130)
    connections.connect(store.alias, uri=str(database))
    store.add_texts([passage.text for passage in passages], ids=[passage.id for passage in passages])
    store.client.flush(store.collection_name)  # Milvus Lite searches what it has not flushed yet forty times as long
    return store.as_retriever(search_kwargs={"k": 10})


def make_chain(
    retriever: BaseRetriever, compressor: SecateursCompressor, *, llm: LanguageModelLike
) -> Runnable[str, str]:
    """From a query to the LLM's answer. Compression is the second line; without it, `documents` is `retriever`."""
    documents = CompressingRetriever(retriever=retriever, compressor=compressor)
    return {"documents": documents | join, "query": RunnablePassthrough()} | PROMPT | llm | StrOutputParser()


def join(documents: Sequence[Document]) -> str:
    """Write documents one below the other."""
    return "\n\n".join(document.page_content.strip() for document in documents)


class LangChainPipeline:
    """The same chain, one step at a time, to be timed."""

    def __init__(self, retriever: BaseRetriever, compressor: SecateursCompressor) -> None:
        self._retriever = retriever
        self._compressor = compressor

    def find(self, query: str) -> Sequence[Document]:
        """Embed the query and search."""
        return self._retriever.invoke(query)

    def compress(self, query: str, documents: Sequence[Document]) -> Sequence[Document]:
        """Cut what was found."""
        return self._compressor.compress_documents(documents, query)

    def prompt(self, query: str, documents: Sequence[Document]) -> str:
        """Write what the LLM would read."""
        return PROMPT.format(documents=join(documents), query=query)

    def kept(self, documents: Sequence[Document]) -> list[Kept]:
        """Say what documents are; before compression, all of each."""
        return [
            Kept(document.metadata["pk"], document.page_content, tuple(Span(*span) for span in _spans(document)))
            for document in documents
        ]


def _spans(document: Document) -> list[list[int]]:
    whole = [[0, len(document.page_content)]]
    return document.metadata["secateurs"]["spans"] if "secateurs" in document.metadata else whole
