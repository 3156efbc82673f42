"""Any texts through everything: split, window, score, cut, count, render. Every law holds for every one of them.

A few thousand texts in CI; `pytest -m slow tests/reliability/test_properties.py -s` runs 100,000 and more, as many as
SECATEURS_PROPERTY_TEXTS says, and prints how many it were.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Sequence
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from generated import any_documents, any_policy, any_query, any_text
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from laws import check_laws
from slices import tries
from test_text_hidden import whole

from secateurs import Compression, Compressor, Policy, Threshold, TokenBudget, TopK
from secateurs.policy import AllOf
from secateurs.result.hidden import find
from secateurs.result.savings import TokenCounter
from secateurs.segment import check_tiling, get_segmenter, segment
from secateurs.segment.clauses import clauses

TEXTS = int(os.environ.get("SECATEURS_PROPERTY_TEXTS", "100000"))
SHARDS = 20
COUNT = TokenCounter()
GOLDEN = Path(__file__).parents[1] / "golden"
relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))


class Tags(HTMLParser):
    """Collects the elements of a fragment, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect one."""
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attributes}


def check_rendering(result: Compression) -> None:
    """A result's page has the elements and attributes that we write, and no others."""
    found = Tags(result.to_html())
    sentences, hidden = len(result.sentences), len(result.hidden_characters)
    expected = ["div", "style", "div", *["div"] * bool(hidden), "div"]
    assert [tag for tag in found.tags if tag in ("div", "style")] == expected
    frames = sum(one.frame for one in result.sentences)
    assert sum(tag in ("mark", "s") for tag in found.tags) == sentences - frames
    assert found.tags.count("span") == hidden + frames
    assert len(found.tags) == len(expected) + sentences + hidden
    assert found.attributes <= {"class", "title", "style"}
    result.to_html().encode("utf-8")


def check_highlights(result: Compression, min_score: float) -> None:
    """Highlights are slices, disjoint, each in one sentence, each scoring at least what was asked for."""
    at = 0
    for one in result.highlights(min_score) or ():
        assert at <= one.start < one.end
        assert result.original[one.start : one.end] == one.text == one.text.strip()
        assert min_score <= one.score <= 1.0
        assert any(s.start <= one.start and one.end <= s.end for s in result.sentences)
        at = one.end


def check_policy_of(result: Compression, policy: Policy) -> None:
    """What a policy promises of one document: how many sentences, how many tokens."""
    limits = policy.policies if isinstance(policy, AllOf) else (policy,)
    if result.status not in ("compressed", "dropped"):
        return
    for one in limits:
        if isinstance(one, TopK):
            assert sum(not unit.frame for unit in result.kept) <= one.k  # what these need comes along
        if isinstance(one, TokenBudget):
            assert result.savings.after <= one.n


def check_everything(compressor: Compressor, query: str, documents: Sequence[str], policy: Policy) -> None:
    """Compress, and hold every result against every law."""
    results = compressor.compress(query, documents, policy=policy)
    assert len(results) == len(documents)
    threshold = policy.t if isinstance(policy, Threshold) and policy.when_empty == "drop" else None
    for result, document in zip(results, documents, strict=True):
        assert result.status != "error", result.reason
        check_laws(result, document, threshold)
        check_policy_of(result, policy)
        check_highlights(result, 0.5 if threshold is None else threshold)
        check_rendering(result)
        assert result.savings.before == COUNT(document)
        assert result.savings.after == COUNT(result.text)
        assert [one.text for one in result.hidden_characters] == [
            one.text for s in result.sentences for one in find(document, s.start, s.end)
        ]
    alone = compressor.compress(query, documents[:1], policy=policy)[0]
    assert np.allclose([s.score for s in alone.sentences], [s.score for s in results[0].sentences], atol=1e-5)
    assert pickle.loads(pickle.dumps(results[0])) == results[0]


@tries(300, 3, suppress_health_check=list(HealthCheck))
@given(query=any_query, documents=any_documents, policy=any_policy)
def test_any_text_obeys_every_law(tiny, query, documents, policy):
    """Any query, any documents, any policy: all laws of a result hold, rendered or pickled, alone or in company."""
    check_everything(tiny, query, documents, policy)


@settings(relaxed, max_examples=25)
@given(query=any_query, documents=any_documents, policy=any_policy)
def test_any_text_obeys_every_law_in_every_layout(layout, query, documents, policy):
    """The same with every layout's own tokenizer, template and rule."""
    check_everything(layout, query, documents, policy)


@settings(relaxed, max_examples=300)
@given(
    st.lists(any_text, max_size=8).map("".join), st.sampled_from(["auto", "clauses", "lines", "en", "zh", "ja", "th"])
)
def test_any_splitting_tiles(text, name):
    """Every named segmenter tiles any text, each clause in one sentence, and text is cut the same a second time."""
    split = get_segmenter(name)
    spans = check_tiling(split(text), text)
    assert spans == list(split(text))
    if name == "clauses":
        ends = {end for _, end in clauses(text)}
        assert {end for _, end in segment(text)} <= ends


@settings(relaxed, max_examples=100)
@given(query=any_query, documents=any_documents, n=st.integers(0, 80), data=st.data())
def test_any_budget_and_any_ladder(tiny, query, documents, n, data):
    """One budget over all documents is never exceeded but by what cannot be cut; a higher threshold keeps no more."""
    spent = tiny.compress(query, documents, policy=Threshold(0.0), max_total_tokens=n)
    free = sum(one.savings.after for one in spent if one.reason == "blank")
    assert sum(one.savings.after for one in spent) <= max(n, free)
    low, high = sorted((data.draw(st.floats(0, 1)), data.draw(st.floats(0, 1))))
    many, few = (tiny.compress(query, documents, policy=Threshold(t)) for t in (low, high))
    for more, fewer in zip(many, few, strict=True):
        if {more.status, fewer.status} <= {"compressed", "dropped"}:
            assert {s.start for s in fewer.kept} <= {s.start for s in more.kept}


@settings(relaxed, max_examples=300)
@given(any_text, any_text)
def test_a_text_put_into_a_page_comes_back(text, other):
    """What stands in a fragment is the text, but for hidden characters and lone surrogates."""
    plain = "".join(c for c in text if not 0xD800 <= ord(c) < 0xE000)
    if any(find(plain)) or "\r" in plain or "\x00" in plain:
        return
    html = whole(plain).to_html()
    body = html.partition('<div class="doc">')[2].removesuffix("</div></div>")
    if plain:
        before, _, behind = body.partition("<mark ")
        assert unescape(before + behind.partition(">")[2].replace("</mark>", "")) == plain


@pytest.mark.slow
@pytest.mark.watchdog(7200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_hundred_thousand_texts(tiny, shard, capsys):
    """Generated texts by the hundred thousand, over all layouts, break no law; prints how many they were."""
    names = ["tiny", *sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())]
    name = names[shard % len(names)]
    family = "opensearch" if name == "opensearch" else None
    compressor = tiny if name == "tiny" else Compressor.from_pretrained(GOLDEN / name, device="cpu", family=family)
    done, calls, start = 0, 0, time.monotonic()

    @settings(relaxed, max_examples=TEXTS // SHARDS // 5, database=None, phases=[Phase.generate, Phase.shrink])
    @given(query=any_query, documents=any_documents, policy=any_policy)
    def run(query: str, documents: list[str], policy: Policy) -> None:
        nonlocal done, calls
        check_everything(compressor, query, documents, policy)
        done, calls = done + len(documents) + 1, calls + 1

    run()
    assert done >= TEXTS // SHARDS // 5 * 5  # a query and four documents at least in each call
    with capsys.disabled():
        print(f"\n{name}: {done:,} texts in {calls:,} calls, {time.monotonic() - start:.0f} s, no law broken")
