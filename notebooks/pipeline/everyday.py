"""Measure a pipeline over what people index: whole documents of labelled data are the corpus, ten are retrieved.

`python notebooks/pipeline/everyday.py DATA... --questions 60` writes `everyday.json`, `everyday.md` and
`everyday.png` beside this file: how much of the retrieved evidence stands in the prompt, and what is saved:
compressed, re-ranked, with fewer documents, with random units and truncation at as many tokens; English, Chinese
and across languages.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rag import Encoder
from vectors import WordVectors

from secateurs import Compressor
from secateurs.evaluate.answers.cases import Case, Document, read_cases
from secateurs.evaluate.answers.contexts import Settings, contexts
from secateurs.evaluate.answers.draft import draft
from secateurs.evaluate.answers.journal import Journal
from secateurs.evaluate.answers.plan import Plan, planned
from secateurs.evaluate.answers.plot import draw
from secateurs.evaluate.answers.prompts import Messages
from secateurs.evaluate.answers.results import Results, results
from secateurs.evaluate.embeddings import Encoder as SentenceEncoder
from secateurs.evaluate.measure import find_files
from secateurs.evaluate.sample import digest
from secateurs.evaluate.table import markdown

SYSTEMS = ("full", "pruned", "ranked", "random", "truncated", "fewer", "re-rank", "oracle")
THRESHOLDS = (0.05, 0.2, 0.5)  # beside the checkpoint's own
FIRST = (1, 2, 3, 5, 7)
_HEADS = ("way", "setting", "saved", "evidence, of retrieved")


def main() -> None:
    """Read the arguments, measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", nargs="+", type=Path, help="labelled files, or folders of them")
    arguments.add_argument("--questions", type=int, default=60, help="the first so many, in order of sha256(id)")
    arguments.add_argument("--documents", type=int, default=10, help="how many are retrieved")
    arguments.add_argument("--model", help="checkpoint of the compressor; default: the bundled one")
    arguments.add_argument("--encoder", help="hub id or folder of a sentence encoder; default: hashed words")
    arguments.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder for what is written")
    given = arguments.parse_args()
    every = read_cases(find_files(given.data))
    corpus = list(dict.fromkeys(one.text for case in every for one in case.documents))
    encoder = WordVectors(corpus) if given.encoder is None else SentenceEncoder(given.encoder)
    cases = retrieve(chosen(every, given.questions), corpus, encoder, given.documents)
    with Compressor.from_pretrained(given.model) as compressor:
        found = measure(cases, compressor)
    facts = {
        "embedding": given.encoder or "hashed words",
        "corpus": len(corpus),
        "documents": given.documents,
        "retrieved": {name: recall(some) for name, some in by_languages(cases).items()},
    }
    write(found, facts, given.output)


def chosen(cases: Sequence[Case], questions: int) -> list[Case]:
    """Return the first so many cases with evidence, in an order that depends on nothing but their ids."""
    return sorted((case for case in cases if case.evidence), key=lambda case: digest(case.id))[:questions]


def retrieve(cases: Sequence[Case], corpus: Sequence[str], encoder: Encoder, documents: int) -> list[Case]:
    """Give each case the documents nearest to its query; its evidence stays where its own is among them.

    Args:
        cases: The cases, each with its own document.
        corpus: All documents, each once.
        encoder: The embedding.
        documents: How many a case gets.
    """
    scores = encoder.queries([case.query for case in cases]) @ np.asarray(encoder.sentences(corpus)).T
    found = []
    for case, row in zip(cases, scores, strict=True):
        own = case.documents[0]
        nearest = [corpus[int(place)] for place in np.argsort(-row, kind="stable")[:documents]]
        found.append(replace(case, documents=tuple(own if text == own.text else Document(text) for text in nearest)))
    return found


def measure(cases: Sequence[Case], compressor: Compressor) -> Results:
    """Fill the prompt in every way, and count."""
    thresholds: dict[str, float | None] = {"default": None, **{f"{t:g}": t for t in THRESHOLDS}}
    settings = Settings(SYSTEMS, thresholds, first=FIRST)
    prompts: dict[str, Messages] = {}
    done = [planned(one, contexts(one, settings), prompts) for one in draft(cases, compressor)]
    made = {"model": compressor.name, "policy": repr(compressor.policy), "encoding": compressor.encoding}
    return results(Plan(made, done, prompts), Journal(), Journal(), resamples=0)


def by_languages(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Group cases by the languages of query and documents; all of them stand first."""
    groups = {"all": list(cases)}
    for case in sorted(cases, key=lambda case: ("query" in case.languages, case.languages)):
        groups.setdefault(case.languages, []).append(case)
    return groups


def recall(cases: Sequence[Case]) -> dict[str, float]:
    """Return how many cases there are, and the share whose own document was retrieved."""
    return {"questions": len(cases), "own_document": sum(bool(case.evidence) for case in cases) / len(cases)}


def write(found: Results, facts: dict[str, Any], output: Path) -> None:
    """Write the figures, the tables and the picture, and print the tables."""
    output.mkdir(parents=True, exist_ok=True)
    groups = {"all": found.rows, **found.languages}
    rows = {name: [asdict(row) for row in some] for name, some in groups.items()}
    text = json.dumps({**found.plan.made, **facts, "rows": rows}, indent=1, ensure_ascii=False)
    (output / "everyday.json").write_text(text + "\n", encoding="utf-8")
    lines = [
        f"{facts['corpus']} documents, the {facts['documents']} nearest by {facts['embedding']}; {found.plan.made}",
        "",
    ]
    for name, some in groups.items():
        counted = facts["retrieved"][name]
        share = f"{counted['own_document']:.0%} of the answers retrieved"
        lines += [f"{name}: {counted['questions']} questions, {share}", ""]
        cells = [
            [row.system, row.setting, f"{row.saved:.1%}", "" if row.evidence is None else f"{row.evidence:.1%}"]
            for row in some
        ]
        lines += [*markdown(_HEADS, cells, left=2), ""]
    (output / "everyday.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    draw(found, output / "everyday.png")


if __name__ == "__main__":
    main()
