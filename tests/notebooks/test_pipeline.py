"""The two pipelines agree with each other, with what they measure, and with what is known of the evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableLambda
from llama_index.core.llms import LLMMetadata, MockLLM
from measure import measure, table
from plot import draw
from rag import read_corpus, survives
from slices import part
from ways import Ways
from with_langchain import LangChainPipeline, make_chain
from with_llama_index import LlamaIndexPipeline, make_engine

from secateurs.langchain import SecateursCompressor
from secateurs.llama_index import SecateursPostprocessor

# langchain-milvus still speaks to pymilvus in a way that pymilvus 3.1 drops
pytestmark = pytest.mark.filterwarnings("ignore:.*ORM-style PyMilvus API:FutureWarning")

SAMPLE = Path(__file__).parents[1] / "data" / "wiki-sample.jsonl"


class Echo(MockLLM):
    """Answers with its prompt, in a window that holds it."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=32_000)


@pytest.fixture
def few(corpus):
    """A few of the questions, in both languages."""
    return corpus.questions[:6]


@pytest.fixture
def langchain(retriever, tiny):
    return LangChainPipeline(retriever, SecateursCompressor(compressor=tiny))


@pytest.fixture
def llama_index(index, tiny):
    return LlamaIndexPipeline(index, SecateursPostprocessor(compressor=tiny))


def test_evidence_of_a_question_is_the_text_it_was_labelled_with(corpus):
    """A span of a passage is the same text as the span of the document the passage was cut from."""
    records = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    labelled = {row["query"]: [row["context"][start:end] for start, end in row["evidence"]] for row in records}
    texts = {passage.id: passage.text for passage in corpus.passages}
    assert {question.lang for question in corpus.questions} == {"en", "zh"}
    for question in corpus.questions:
        spans = [texts[one.passage][one.span.start : one.span.end] for one in question.evidence]
        assert spans == labelled[question.query]


def test_questions_are_drawn_by_id_alone():
    """Fewer questions are the first of more, from the same passages."""
    many, few = read_corpus([SAMPLE], questions=20), read_corpus([SAMPLE], questions=8)
    assert few.questions == many.questions[:8]
    assert few.passages == many.passages


def test_ten_passages_hold_most_of_the_evidence(corpus, langchain):
    """Without a model, the embedding finds what is asked for in both languages."""
    for lang in ("en", "zh"):
        asked = [question for question in corpus.questions if question.lang == lang]
        hits = [survives(item, langchain.kept(langchain.find(q.query))) for q in asked for item in q.evidence]
        assert sum(hits) >= 0.8 * len(hits)


def test_both_frameworks_give_the_llm_the_same_prompt(few, langchain, llama_index):
    """From the query to the prompt, LangChain and LlamaIndex find, cut and write the same."""
    for question in few:
        prompts, found = [], []
        for pipeline in (langchain, llama_index):
            documents = pipeline.find(question.query)
            found.append([one.id for one in pipeline.kept(documents)])
            prompts.append(pipeline.prompt(question.query, pipeline.compress(question.query, documents)))
        assert found[0] == found[1]
        assert len(found[0]) == 10
        assert prompts[0] == prompts[1]


def test_what_was_kept_is_told_in_code_points_of_the_passage(few, corpus, langchain, llama_index):
    """The spans of a kept passage, joined, are its text, but for white space."""
    texts = {passage.id: passage.text for passage in corpus.passages}
    for pipeline in (langchain, llama_index):
        for question in few:
            for one in pipeline.kept(pipeline.compress(question.query, pipeline.find(question.query))):
                joined = "".join(texts[one.id][span.start : span.end] for span in one.spans)
                assert "".join(joined.split()) == "".join(one.text.split())


def test_langchains_llm_reads_the_prompt_that_is_measured(few, retriever, langchain, tiny):
    """The chain a user writes sends the very prompt of the pipeline in steps."""
    echo = RunnableLambda(lambda prompt: prompt.to_string())
    chain = make_chain(retriever, SecateursCompressor(compressor=tiny), llm=echo)
    for question in few:
        kept = langchain.compress(question.query, langchain.find(question.query))
        assert chain.invoke(question.query) == langchain.prompt(question.query, kept)


def test_llama_indexes_llm_reads_the_prompt_that_is_measured(few, index, llama_index, tiny):
    """The engine a user writes sends the very prompt of the pipeline in steps."""
    engine = make_engine(index, SecateursPostprocessor(compressor=tiny), llm=Echo())
    for question in few:
        kept = llama_index.compress(question.query, llama_index.find(question.query))
        assert str(engine.query(question.query)) == llama_index.prompt(question.query, kept)


def test_documents_are_ranked_as_the_adapter_ranks_them(few, corpus, retriever, tiny):
    """Re-ranking in the figures is `rerank=True, top_n=...` of the adapter."""
    reranking = LangChainPipeline(
        retriever, SecateursCompressor(compressor=tiny, threshold=0.0, rerank=True, top_n=3)
    )
    found = [[one.id for one in reranking.kept(reranking.find(question.query))] for question in few]
    ways = Ways(replace(corpus, questions=few), found, tiny)
    for asked in ways.asked:
        kept = reranking.compress(asked.question.query, reranking.find(asked.question.query))
        assert [one.id for one in reranking.kept(kept)] == list(asked.ranked[:3])


@pytest.mark.sliced
def test_figures_hang_together(few, corpus, encoder, bundled, tmp_path):
    """More compression never costs more tokens and never keeps more evidence; all ten passages are the measure."""
    few = few[: part(6, 2)]
    figures = measure(replace(corpus, questions=few), encoder, bundled)
    bundled.cache = None
    assert json.loads(json.dumps(figures)) == figures
    rows = figures["rows"]
    assert (rows[0]["saved_fraction"], rows[0]["evidence_of_retrieved"]) == (0.0, 1.0)
    assert rows[0]["evidence_of_all"] == figures["recall_at_10"]
    for way, falling in (
        ("compress", True),
        ("compress, ranked", True),
        ("re-rank", False),
        ("retrieve fewer", False),
    ):
        mine = sorted((row for row in rows if row["way"] == way), key=lambda row: row["value"], reverse=falling)
        for fewer, more in pairwise(mine):
            assert fewer["llm_tokens"] <= more["llm_tokens"]
            assert fewer["evidence_of_retrieved"] <= more["evidence_of_retrieved"]
    assert sum(group["questions"] for group in figures["groups"].values()) == len(few)
    draw(figures, tmp_path / "pipeline.png")
    assert (tmp_path / "pipeline.png").read_bytes().startswith(b"\x89PNG")
    assert "| compress |" in table(figures)


@pytest.mark.slow
def test_at_the_default_threshold_the_evidence_stays_and_the_tokens_go(corpus, encoder, bundled):
    """Over all questions of the sample, at least 85 % of the retrieved evidence stays and 40 % of the tokens go."""
    figures = measure(corpus, encoder, bundled)
    bundled.cache = None
    default = next(row for row in figures["rows"] if f"Threshold({row['value']})" == figures["policy"])
    assert default["evidence_of_retrieved"] >= 0.85
    assert default["saved_fraction"] >= 0.40
