"""Ways to cut a tool's output down to a number of LLM tokens: the compressor, and simple ones beside it.

All get the same number of tokens. Those that go by line keep whole lines, the best while they fit, in source order.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from secateurs.adapters.asking import asking
from secateurs.compressor import Compressor
from secateurs.evaluate.peers import keyword_overlap
from secateurs.evaluate.tool_output.cases import Case
from secateurs.policy import Policy, TokenBudget, ToolOutput, longest_fit
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter

_CALLS = {"json": "curl https://api.example/items", "html": "curl https://docs.example/page", "logs": "cat app.log"}
_CALLS |= {"tabular": "cat export.csv", "text": "cat notes.txt"}
_SAID = "I will look at the output of this to answer the question."
_FAILURE = re.compile(r"(?i)error|fail|fatal|exception|panic|traceback|warning|exit code|denied|cannot|not found")

Way = Callable[[Case, int, TokenCounter], str]  # case, LLM tokens at most, counter -> what is left of the output


def compress(
    cases: Sequence[Case], compressor: Compressor, most: int, *, signals: bool = False, agent: bool = False
) -> list[Compression]:
    """Compress the outputs of some cases, each to at most so many LLM tokens.

    Args:
        cases: The cases.
        compressor: The loaded checkpoint.
        most: LLM tokens.
        signals: Whether to keep what must not be lost beside the best lines, as an agent's adapter does.
        agent: Whether to ask as an agent's adapter does, with a call's arguments and the model's words beside the
            question. The benchmarks have none, so it is what an agent would say that has no more to say.
    """
    policy = ToolOutput(most) if signals else TokenBudget(most)
    if agent:
        return [_as_an_agent(case, compressor, policy) for case in cases]
    return compressor.compress_pairs([(case.query, case.text) for case in cases], policy=policy)


def _as_an_agent(case: Case, compressor: Compressor, policy: Policy) -> Compression:
    asked = asking({"command": _CALLS.get(case.kind, "gh run view --log")}, (), words=_SAID, question=case.query)
    if asked is None:
        raise ValueError(f"{case.id}: nothing was asked")
    return compressor.compress(asked.query, [case.text], policy=policy, also=asked.also)[0]


def peers(seed: int) -> dict[str, Way]:
    """Return the simple ways, by name.

    Args:
        seed: Of the random lines; each case draws for itself.
    """
    shuffled = partial(random_lines, seed=seed)
    return {"BM25 lines": bm25_lines, "head": head, "tail": tail, "grep": grep, "random lines": shuffled}


def head(case: Case, most: int, count: TokenCounter) -> str:
    """Keep the beginning."""
    text = case.text
    return text[: longest_fit(range(len(text)), most, lambda some: count(text[: len(some)]))]


def tail(case: Case, most: int, count: TokenCounter) -> str:
    """Keep the end."""
    text, size = case.text, len(case.text)
    return text[size - longest_fit(range(size), most, lambda some: count(text[size - len(some) :])) :]


def bm25_lines(case: Case, most: int, count: TokenCounter) -> str:
    """Keep the lines that share the rarest words with the query."""
    lines = case.text.splitlines(keepends=True)
    order = np.argsort(-keyword_overlap(case.query, lines), kind="stable").tolist() if lines else []
    return _best(lines, order, most, count)


def grep(case: Case, most: int, count: TokenCounter) -> str:
    """Keep the first lines with a word of failure, as `grep -iE 'error|fail|...'` prints them."""
    lines = case.text.splitlines(keepends=True)
    return _best(lines, [place for place, line in enumerate(lines) if _FAILURE.search(line)], most, count)


def random_lines(case: Case, most: int, count: TokenCounter, *, seed: int) -> str:
    """Keep lines drawn at random: what any other way has to beat."""
    lines = case.text.splitlines(keepends=True)
    order = list(range(len(lines)))
    random.Random(f"{seed}:{case.id}").shuffle(order)
    return _best(lines, order, most, count)


def _best(lines: Sequence[str], order: Sequence[int], most: int, count: TokenCounter) -> str:
    def text(some: Sequence[int]) -> str:
        return "".join(lines[place] for place in sorted(some))

    return text(order[: longest_fit(order, most, lambda some: count(text(some)))])
