"""The pipelines of `notebooks/pipeline`, on the passages that the tests carry, in a real vector database."""

from __future__ import annotations

from pathlib import Path

import pytest
from rag import Corpus, read_corpus
from vectors import WordVectors
from with_langchain import EncoderEmbeddings, make_retriever
from with_llama_index import EncoderEmbedding, make_index


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """All passages of the sample, and all its questions."""
    return read_corpus([Path(__file__).parents[1] / "data" / "wiki-sample.jsonl"], questions=50)


@pytest.fixture(scope="session")
def encoder(corpus):
    """The embedding."""
    return WordVectors([passage.text for passage in corpus.passages])


@pytest.fixture(scope="session")
def retriever(corpus, encoder, tmp_path_factory):
    """LangChain's retriever, on a database of its own."""
    database = tmp_path_factory.mktemp("langchain") / "passages.db"
    return make_retriever(corpus.passages, EncoderEmbeddings(encoder), database)


@pytest.fixture(scope="session")
def index(corpus, encoder, tmp_path_factory):
    """LlamaIndex's index, on a database of its own."""
    database = tmp_path_factory.mktemp("llama_index") / "passages.db"
    return make_index(corpus.passages, EncoderEmbedding(encoder), database)
