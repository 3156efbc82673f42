"""Measure what one copy saves (`Distinct`) where documents were cut into chunks that overlap by 20 %.

`python notebooks/pipeline/overlap.py DATA...` prints a table: LLM tokens of ten chunks, the share of the evidence in
them that stays whole, and the time that looking for copies takes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from llama_index.core.node_parser import SentenceSplitter
from vectors import WordVectors

from secateurs import Compression, Compressor, Distinct, Policy, ScoreCache, SourcePlace, Threshold
from secateurs.evaluate.measure import find_files
from secateurs.evaluate.records import Record, read_records
from secateurs.evaluate.sample import digest
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Span

CHUNK, OVERLAP = 160, 32  # LLM tokens
MOST = 10  # chunks a question
Places = tuple[SourcePlace | None, ...]


@dataclass(frozen=True)
class Chunk:
    """A piece of a document, and where it stands in it."""

    text: str
    place: SourcePlace


@dataclass(frozen=True)
class Asked:
    """A question, the chunks found for it, best first, and the evidence in its own document."""

    query: str
    found: tuple[Chunk, ...]
    source: str
    evidence: tuple[Span, ...]


class _Tokens:
    """Counts LLM tokens in the words of a splitter: as many things as there are tokens."""

    def __init__(self) -> None:
        self._count = TokenCounter("o200k_base")

    def __call__(self, text: str) -> list[int]:
        return [0] * self._count(text)


@dataclass(frozen=True)
class Way:
    """One way to look for copies: LLM tokens of all prompts, evidence that stands whole in them, seconds, copies."""

    tokens: int
    whole: frozenset[tuple[int, Span]]
    seconds: float
    copies: int


def main() -> None:
    """Read the arguments, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", nargs="+", type=Path, help="labelled files, or folders of them")
    arguments.add_argument("--questions", type=int, default=100, help="how many, evenly from the files")
    arguments.add_argument("--chunk", type=int, default=CHUNK, help="LLM tokens of a chunk")
    arguments.add_argument("--overlap", type=int, default=OVERLAP, help="how many of them the next one repeats")
    given = arguments.parse_args()
    splitter = SentenceSplitter(chunk_size=given.chunk, chunk_overlap=given.overlap, tokenizer=_Tokens())
    asked = read(find_files(given.data), given.questions, splitter)
    print(f"{twice(asked):.1%} of the characters stand there twice\n")
    with Compressor.from_pretrained() as compressor:
        compressor.cache = ScoreCache(max_bytes=2_000_000_000)
        for policy in (Threshold(0.0), compressor.policy):
            print(table(asked, compressor, policy))


def read(paths: Sequence[Path], questions: int, splitter: SentenceSplitter) -> list[Asked]:
    """Read questions from labelled data, cut all documents of the files into chunks, and find some for each.

    Args:
        paths: The files.
        questions: How many at most, all files together.
        splitter: Cuts documents.
    """
    chunks: dict[str, Chunk] = {}
    chosen: list[Record] = []
    for path in paths:
        records = list(read_records(path))
        for context in {record.context for record in records}:
            chunks.update((f"{one.place}", one) for one in cut(context, splitter))
        ordered = sorted(records, key=lambda record: digest(record.id))
        usable = (one for one in ordered if one.evidence and not one.ambiguous)
        chosen += islice(usable, questions // len(paths))
    everything = list(chunks.values())
    vectors = WordVectors([one.text for one in everything])
    index = vectors.sentences([one.text for one in everything])
    near = np.argsort(-(vectors.queries([one.query for one in chosen]) @ index.T), axis=1, kind="stable")[:, :MOST]
    return [
        Asked(one.query, tuple(everything[at] for at in row), digest(one.context), one.evidence)
        for one, row in zip(chosen, near.tolist(), strict=True)
    ]


def cut(context: str, splitter: SentenceSplitter) -> Iterator[Chunk]:
    """Cut a document at its sentences, as LlamaIndex does; a chunk begins with the end of the one before it."""
    at = 0
    for text in splitter.split_text(context):
        start = context.find(text, at)
        if start >= 0:
            yield Chunk(text, SourcePlace(digest(context), start))
            at = start + 1


def table(asked: Sequence[Asked], compressor: Compressor, policy: Policy) -> str:
    """Return the figures of one policy as Markdown."""
    ways = {
        "every copy": measure(asked, compressor, policy, None),
        "one, by text": measure(asked, compressor, policy, lambda places: Distinct()),
        "one, by place and text": measure(asked, compressor, policy, lambda places: Distinct(places=places)),
    }
    first = ways["every copy"]
    heads = ("copies", "LLM tokens", "saved on top", "evidence whole", "lost", "units left out", "ms a call")
    lines = [f"{policy!r}, {len(asked)} questions", "", f"| {' | '.join(heads)} |", "|---|" + "--:|" * 6]
    for name, way in ways.items():
        saved, lost = 1 - way.tokens / first.tokens, len(first.whole - way.whole)
        time_taken = 1000 * way.seconds / len(asked)
        lines.append(
            f"| {name} | {way.tokens:,} | {saved:.1%} | {len(way.whole)} | {lost} | {way.copies} | {time_taken:.1f} |"
        )
    return "\n".join([*lines, ""])


def measure(
    asked: Sequence[Asked], compressor: Compressor, policy: Policy, distinct: Callable[[Places], Distinct] | None
) -> Way:
    """Compress the chunks of every question; scores are remembered, so that the times are those of all the rest."""
    tokens = copies = 0
    whole: set[tuple[int, Span]] = set()
    seconds = 0.0
    for index, one in enumerate(asked):
        texts, places = [chunk.text for chunk in one.found], tuple(chunk.place for chunk in one.found)
        wanted = None if distinct is None else distinct(places)
        compressor.compress(one.query, texts, policy=policy)  # is scored here
        started = time.perf_counter()
        results = compressor.compress(one.query, texts, policy=policy, distinct=wanted)
        seconds += time.perf_counter() - started
        tokens += sum(result.savings.after for result in results)
        copies += sum(unit.copy_of is not None for result in results for unit in result.sentences)
        whole |= {(index, span) for span in one.evidence if survives(span, one, results)}
    return Way(tokens, frozenset(whole), seconds, copies)


def survives(evidence: Span, asked: Asked, results: Sequence[Compression]) -> bool:
    """Return whether a piece of evidence stands whole in what was kept of one chunk, or of that and its copies.

    What a unit that was left out as a copy has of the evidence must stand to the letter in the one that stays.
    """
    return any(
        chunk.place.source == asked.source and _holds(evidence, chunk.place.start, result, results)
        for chunk, result in zip(asked.found, results, strict=True)
    )


def _holds(evidence: Span, start: int, result: Compression, results: Sequence[Compression]) -> bool:
    first, last = evidence.start - start, evidence.end - start
    if first < 0 or last > len(result.original):
        return False
    for unit in result.sentences:
        part = result.original[max(first, unit.start) : min(last, unit.end)].strip()
        if not part or unit.kept:
            continue
        if unit.copy_of is None or part not in results[unit.copy_of.document].sentences[unit.copy_of.unit].text:
            return False
    return True


def twice(asked: Sequence[Asked]) -> float:
    """Return the share of the characters of all chunks that stand at the same place in a better one of a question."""
    seen: set[tuple[int, str, int]] = set()
    total = 0
    for index, one in enumerate(asked):
        for text, place in ((chunk.text, chunk.place) for chunk in one.found):
            total += len(text)
            seen.update((index, place.source, place.start + at) for at in range(len(text)))
    return 1 - len(seen) / total


if __name__ == "__main__":
    main()
