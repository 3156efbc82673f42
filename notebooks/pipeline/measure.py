"""Measure both pipelines: LLM tokens, evidence, latency and money, with compression and without.

`python notebooks/pipeline/measure.py DATA...` writes `figures.json` and `pipeline.png` beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from plot import draw
from rag import Corpus, Encoder, Pipeline, Question, read_corpus
from vectors import WordVectors
from ways import BOTH, PRICE, RANKED, Ways
from with_langchain import EncoderEmbeddings, LangChainPipeline, make_retriever
from with_llama_index import EncoderEmbedding, LlamaIndexPipeline, make_index

from secateurs import Compressor, ScoreCache
from secateurs.evaluate.embeddings import Encoder as SentenceEncoder
from secateurs.evaluate.measure import find_files
from secateurs.langchain import SecateursCompressor
from secateurs.llama_index import SecateursPostprocessor

STAGES = ("embed and search", "compress", "prompt")
EVERY = 5  # LlamaIndex gets every fifth question


@dataclass(frozen=True)
class Run:
    """One question through one pipeline.

    Attributes:
        found: Ids of the passages retrieved, nearest first.
        prompt: What the LLM would read.
        seconds: One a stage.
    """

    found: tuple[str, ...]
    prompt: str
    seconds: tuple[float, ...]


def main() -> None:
    """Read the arguments, measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", nargs="+", type=Path, help="labelled files, or folders of them")
    arguments.add_argument("--questions", type=int, default=500, help="how many, evenly from the files")
    arguments.add_argument("--model", help="checkpoint of the compressor; default: the bundled one")
    arguments.add_argument("--encoder", help="hub id or folder of a sentence encoder; default: hashed words")
    arguments.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder for what is written")
    given = arguments.parse_args()
    corpus = read_corpus(find_files(given.data), given.questions)
    words = WordVectors([passage.text for passage in corpus.passages])
    encoder = words if given.encoder is None else SentenceEncoder(given.encoder)
    with Compressor.from_pretrained(given.model) as compressor:
        figures = {"embedding": given.encoder or "hashed words", **measure(corpus, encoder, compressor)}
    given.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    (given.output / "figures.json").write_text(text + "\n", encoding="utf-8")
    draw(figures, given.output / "pipeline.png")
    print(table(figures))


def measure(corpus: Corpus, encoder: Encoder, compressor: Compressor) -> dict[str, Any]:
    """Take every question through LangChain, every fifth through LlamaIndex; then try other ways to fill a prompt.

    Args:
        corpus: Passages and questions.
        encoder: The embedding.
        compressor: What cuts. It remembers scores from LangChain's turn on, so that further thresholds cost no
            forward pass.

    Returns:
        The figures, JSON types only.

    Raises:
        RuntimeError: The two frameworks do not give the LLM the same prompt.
    """
    started, load = time.perf_counter(), os.getloadavg()[0]
    some = corpus.questions[::EVERY]
    with tempfile.TemporaryDirectory() as folder:
        index = make_index(corpus.passages, EncoderEmbedding(encoder), Path(folder) / "llama_index.db")
        llama_runs = run(LlamaIndexPipeline(index, SecateursPostprocessor(compressor=compressor)), some)
        compressor.cache = ScoreCache(max_bytes=4_000_000_000)
        retriever = make_retriever(corpus.passages, EncoderEmbeddings(encoder), Path(folder) / "langchain.db")
        runs = run(LangChainPipeline(retriever, SecateursCompressor(compressor=compressor)), corpus.questions)
    for question, one, other in zip(some, runs[::EVERY], llama_runs, strict=True):
        if one.prompt != other.prompt:
            raise RuntimeError(f"the frameworks differ at {question.query!r}:\n{one.prompt}\n---\n{other.prompt}")
    alone = [one for place, one in enumerate(runs) if place % EVERY]  # the others' queries were embedded before
    ways = Ways(corpus, [one.found for one in runs], compressor)
    return {
        "model": compressor.name,
        "policy": repr(compressor.policy),
        "encoding": compressor.encoding,
        "questions": len(corpus.questions),
        "passages": len(corpus.passages),
        "price_per_million": PRICE,
        "recall_at_10": ways.recall(),
        "milliseconds": {"LangChain": stages(alone), "LlamaIndex": stages(llama_runs)},
        "rows": [asdict(row) for row in ways.rows()],
        "groups": ways.groups(),
        "groups_ranked": ways.groups(RANKED),
        "load_average_before": round(load, 2),  # above 0 something else was running, and the times are too long
        "seconds_in_all": round(time.perf_counter() - started),
    }


def run(pipeline: Pipeline, questions: Sequence[Question]) -> list[Run]:
    """Take questions through a pipeline, one after another."""
    first = questions[0].query
    pipeline.compress(first, pipeline.find(first)[:1])  # what only the first call costs
    runs = []
    for question in questions:
        times = [time.perf_counter()]
        found = pipeline.find(question.query)
        times.append(time.perf_counter())
        kept = pipeline.compress(question.query, found)
        times.append(time.perf_counter())
        prompt = pipeline.prompt(question.query, kept)
        times.append(time.perf_counter())
        ids = tuple(one.id for one in pipeline.kept(found))
        runs.append(Run(ids, prompt, tuple(float(step) for step in np.diff(times))))
    return runs


def stages(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Return median and 90th percentile of each stage, in milliseconds."""
    times = 1000 * np.array([one.seconds for one in runs])
    return {
        name: {"median": round(float(np.median(part)), 2), "p90": round(float(np.percentile(part, 90)), 2)}
        for name, part in zip(STAGES, times.T, strict=True)
    }


def table(figures: dict[str, Any]) -> str:
    """Return the figures that the README shows, as Markdown; the others are in the JSON."""
    ways = list(dict.fromkeys(row["way"] for row in figures["rows"]))
    shown = [row for row in figures["rows"] if _is_shown(row, figures["policy"])]
    shown.sort(key=lambda row: ways.index(row["way"]))
    lines = _markdown(
        ("way to fill the prompt", "setting", "LLM tokens", "saved", "evidence, of retrieved", "of all", "$ saved"),
        [
            (
                row["way"],
                f"{row['value']:g}",
                f"{row['llm_tokens']:,.0f}",
                *(f"{row[name]:.1%}" for name in ("saved_fraction", "evidence_of_retrieved", "evidence_of_all")),
                f"{row['dollars']:.2f}",
            )
            for row in shown
        ],
    )
    names = ("recall_at_10", "saved_fraction", "evidence_of_retrieved")
    heads = ("file", "language", "questions", "retrieved", "saved", "evidence, of retrieved")
    for groups in ("groups", "groups_ranked"):
        rows = [
            (name, one["lang"], str(one["questions"]), *(f"{one[key]:.1%}" for key in names))
            for name, one in figures[groups].items()
        ]
        lines += ["", *_markdown(heads, rows)]
    times = {
        name: {stage: one["median"] for stage, one in part.items()} for name, part in figures["milliseconds"].items()
    }
    return "\n".join([*lines, "", f"milliseconds, medians: {json.dumps(times)}"])


def _is_shown(row: dict[str, Any], policy: str) -> bool:
    default = policy == f"Threshold({row['value']})"
    settings = {
        "all ten": (10,), "retrieve fewer": (5,), "re-rank": (3, 5), "compress": (0.1, 0.3),
        "compress, ranked": (0.01, 0.02, 0.05), "compress to a budget": (400,), "to a budget, ranked": (400,),
    }  # fmt: skip
    if row["way"] in ("compress", f"re-rank to {BOTH}, compress") and default:
        return True
    return row["value"] in settings.get(row["way"], ())


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---", *["--:"] * (len(heads) - 1)], *rows)]


if __name__ == "__main__":
    main()
