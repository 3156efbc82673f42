"""Which sentences stay: small policies that combine with `|` (adds) and `&` (limits).

    Threshold(0.5) | TopK(1)                      every sentence at or above 0.5, and the best one in any case
    Threshold(0.3) & TokenBudget(200)             of those at or above 0.3, the best that fit into 200 LLM tokens
    Threshold(0.5) | Neighbours(before=1)         ... with the sentence before each
    Default() & TopK(3)                           of those the checkpoint's own policy keeps, the three best
    (Default() | Signals()) & TokenBudget(3500)   ... and what must not be lost of a tool's output

A policy decides one document: `(sentences, count) -> keep flags`, where `count` counts the LLM tokens of a text.
The sentences come with `kept` set by the checkpoint's default policy; `Neighbours` starts from that when it stands
alone. `repr(policy)` is its source, and `Policy.parse` reads it back. Where a call decides, `resolve` puts what
`Default()` stands for in its place.

core.py        what a policy is, the simple ones, `|` and `&`
candidates.py  what they choose among, and how many of the best fit
distinct.py    `Distinct`, no policy: it looks at all documents of a call, after the policies
sameness.py    whether two units say the same
pointing.py    words that point back at what was said before
outputs.py     policies around others: `Fallback`, `ToolOutput`; how a policy is narrowed
ranked.py      `Ranked`, around another: the documents of a query compete
shapes.py      the table of what must not be lost of a tool's output; a row more for a tool more
signals.py     finds that in a document
source.py      reads a policy from its source
"""

from __future__ import annotations

from secateurs.policy.candidates import Candidates, best_first, longest_fit
from secateurs.policy.core import (
    POLICIES as _POLICIES,
)
from secateurs.policy.core import (
    AllOf,
    AnyOf,
    Count,
    Default,
    Neighbours,
    Policy,
    Signals,
    Threshold,
    TokenBudget,
    TopK,
    WhenEmpty,
    check_policy,
    check_when_empty,
    leaves,
    mapped,
    weighed,
)
from secateurs.policy.distinct import SIMILARITY, Distinct, SourcePlace, check_distinct
from secateurs.policy.outputs import Fallback, Split, ToolOutput, combine, resolve, split
from secateurs.policy.ranked import WEIGHT, Ranked, far_behind, lower, lowered, ranks, standing

__all__ = [
    "SIMILARITY",
    "WEIGHT",
    "AllOf",
    "AnyOf",
    "Candidates",
    "Count",
    "Default",
    "Distinct",
    "Fallback",
    "Neighbours",
    "Policy",
    "Ranked",
    "Signals",
    "SourcePlace",
    "Split",
    "Threshold",
    "TokenBudget",
    "ToolOutput",
    "TopK",
    "WhenEmpty",
    "best_first",
    "check_distinct",
    "check_policy",
    "check_when_empty",
    "combine",
    "far_behind",
    "leaves",
    "longest_fit",
    "lower",
    "lowered",
    "mapped",
    "ranks",
    "resolve",
    "split",
    "standing",
    "weighed",
]

_POLICIES.update(Fallback=Fallback, ToolOutput=ToolOutput, Ranked=Ranked)
for _kind in (Policy, AllOf, AnyOf, *_POLICIES.values(), Distinct, SourcePlace):
    _kind.__module__ = __name__  # where pickles look for them, whatever file they stand in
