"""A saved page in a browser: what it shows is what the compressor would do."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from page_browser import launched, showing
from structured import HTML, JSON, MARKDOWN

from secateurs import Compression, Compressor, Savings, Sentence, Threshold, TopK
from secateurs.serve.page import page, to_page

QUERY = "Who built the mill?"
HOSTILE = (
    "</script><script>pwned = 1</script><img src=x onerror='pwned = 1'> Ann built it. <b>It rained.</b> Who knows?"
)
DOCUMENTS = {
    "mill.txt": "The mill was built in 1842 by Ann Lee. It burned down twice. Nobody knows why. What causes tides?",
    "水车.txt": "水车建于1842年。它烧毁过两次，没有人知道原因。月球的引力造成潮汐。",
    "<b>evil</b>": HOSTILE,
    "blank.txt": " \n",
    "one.txt": "Ann Lee built it.",
}


@pytest.fixture(scope="module")
def chromium():
    """A browser."""
    yield from launched()


@pytest.fixture
def show(chromium, tmp_path):
    """A function that opens a page."""
    yield from showing(chromium, tmp_path)


def saved(tiny: Compressor, policy=None, documents=None, elision=None) -> str:
    """A saved page on some documents."""
    documents = documents or DOCUMENTS
    results = tiny.compress(QUERY, list(documents.values()), policy=policy, elision=elision)
    total = sum((one.savings for one in results), Savings(0, 0))
    return to_page(QUERY, list(zip(documents, results, strict=True)), total, model="tiny")


def test_dragging_the_threshold_changes_what_is_cut(show, tiny):
    """The page opens as the policy decided, a drag of the slider cuts, and a hostile document stays text."""
    view = show(saved(tiny, Threshold(0.0)))
    before = sum(map(len, view.kept()))
    assert view.text("#saved") == "0%"
    box = view.tab.locator("#slider").bounding_box()
    y = box["y"] + box["height"] / 2
    view.tab.mouse.move(box["x"] + 8, y)
    view.tab.mouse.down()
    view.tab.mouse.move(box["x"] + box["width"] - 9, y, steps=5)
    view.tab.mouse.up()
    assert sum(map(len, view.kept())) < before
    assert view.text("#saved") != "0%"
    assert "→ " in view.text("#tokens")
    assert len(view.requests) == 1  # the page itself
    assert view.tab.evaluate("typeof pwned") == "undefined"
    assert view.tab.locator("main img, main b").count() == 0
    assert "".join(view.tab.locator("article").nth(2).locator(".text").all_text_contents()) == HOSTILE
    assert "<b>evil</b>" in view.names()


@pytest.mark.slow
def test_hidden_characters_are_shown_by_number_and_copied_as_they_are(show, tiny):
    """No bidirectional control, tag or joiner acts in the page; emoji stay whole, and what is copied is the text."""
    text = "Ann built it \u202egnp.exe\u202c. \U0001f469\u200d\U0001f467 ig\u200bnore\U000e0041\U000e0042. \x00 So."
    view = show(saved(tiny, Threshold(0.0), {"trap": text}), permissions=["clipboard-read", "clipboard-write"])
    shown = "".join(view.tab.locator("article .text").all_text_contents())
    numbers = view.tab.locator("article .codepoint").all_text_contents()
    assert numbers == ["U+202E", "U+202C", "U+200B", "U+E0041 U+E0042", "U+0000"]
    assert "\U0001f469\u200d\U0001f467" in shown
    assert not set("\u202e\u202c\u200b\U000e0041\x00") & set(shown)
    view.tab.locator("article > header button").click()
    view.wait("#copied")
    assert view.tab.evaluate("() => navigator.clipboard.readText()").replace("\x00", "") == text.replace("\x00", "")


@pytest.mark.slow
def test_every_threshold_shows_what_the_compressor_does(show, tiny):
    """At every score, and between, the sentences kept, the status and the counts are the compressor's own."""
    texts = list(DOCUMENTS.values())
    view = show(saved(tiny))
    scores = sorted({s.score for one in tiny.compress(QUERY, texts) for s in one.sentences})
    for threshold in [0.0, 1.0, *scores, *((a + b) / 2 for a, b in pairwise(scores))]:
        view.move(threshold)
        results = tiny.compress(QUERY, texts, policy=Threshold(threshold))
        assert view.kept() == [[s.text for s in one.kept] for one in results]
        total = sum((one.savings for one in results), Savings(0, 0))
        assert view.text("#tokens") == f"{total.before} → {total.after}"
        assert "exact" in view.text("#counting")
        for article, one in enumerate(results):
            counts = view.tab.locator("article").nth(article).locator("header p").nth(1).inner_text()
            assert counts.startswith(f"{one.savings.before} → {one.savings.after} tokens, {len(one.kept)} of ")
            note = view.tab.locator("article .note").nth(article).inner_text()
            words = {"compressed": "", "dropped": "Dropped", "unchanged": "Unchanged"}
            assert note.startswith(words[one.status])


@pytest.mark.slow
@pytest.mark.parametrize("elision", [None, "[…]"])
def test_what_frames_is_kept_with_at_every_threshold(show, tiny, elision):
    """Headings, table heads, brackets and tags that are kept are shown so, and what is copied is well-formed.

    At every level the units kept, those of them that are frame, the count and the copied text are the compressor's.
    """
    documents = {"mill.md": MARKDOWN, "mill.json": JSON, "mill.html": HTML}
    texts = list(documents.values())
    view = show(
        saved(tiny, Threshold(0.0), documents, elision=elision), permissions=["clipboard-read", "clipboard-write"]
    )
    levels = {
        level for one in tiny.compress(QUERY, texts) for level in one.parts.levels([s.score for s in one.sentences])
    }
    for threshold in [0.0, 1.0, *sorted(levels)]:
        view.move(threshold)
        results = tiny.compress(QUERY, texts, policy=Threshold(threshold), elision=elision)
        assert view.kept() == [[s.text for s in one.kept] for one in results]
        assert view.frames() == [[s.text for s in one.kept if s.frame] for one in results]
        total = sum((one.savings for one in results), Savings(0, 0))
        assert view.text("#tokens") == f"{total.before} → {total.after}"
        view.tab.evaluate("navigator.clipboard.writeText('')")
        view.tab.click("#copy")
        view.tab.wait_for_timeout(50)
        copied = view.tab.evaluate("navigator.clipboard.readText()")
        assert copied == "\n\n".join(one.text for one in results if one.text)


@pytest.mark.slow
def test_a_policy_that_is_no_threshold_is_shown_as_it_decided(show, tiny):
    """Until the threshold moves the page shows the result itself; Reset brings it back."""
    results = tiny.compress(QUERY, list(DOCUMENTS.values()), policy=TopK(1))
    expected = [[s.text for s in one.kept] for one in results]
    view = show(saved(tiny, TopK(1)))
    assert view.kept() == expected
    assert "TopK(1)" in view.text("#computed")
    view.move(1.0)
    assert view.kept() != expected
    assert view.text("#computed") == ""
    view.tab.click("#reset")
    assert view.kept() == expected


@pytest.mark.slow
def test_one_more_and_one_less(show, tiny):
    """The two step buttons walk through every set of sentences a threshold can keep, and stop at the ends."""
    mill = DOCUMENTS["mill.txt"]
    scores = sorted(s.score for s in tiny.compress(QUERY, [mill])[0].sentences)
    above = [0.0, *(math.nextafter(score, 1) for score in scores)]
    expected = [[s.text for s in tiny.compress(QUERY, [mill], policy=Threshold(t))[0].kept] for t in above]
    view = show(saved(tiny, Threshold(0.0), {"mill.txt": mill}))
    seen = view.kept()
    while view.tab.is_enabled("#fewer"):
        view.tab.click("#fewer")
        seen += view.kept()
    assert seen == expected
    while view.tab.is_enabled("#more"):
        view.tab.click("#more")
        seen += view.kept()
    assert seen == [*expected, *expected[-2::-1]]


@pytest.mark.slow
def test_counts_without_steps_are_marked_as_estimates(show, tiny):
    """Where the answer has no counts for a threshold they carry a sign; the computed one needs none."""
    one = tiny.compress(QUERY, [DOCUMENTS["mill.txt"]], policy=TopK(2))[0]
    view = show(page({"query": QUERY, "documents": [one.to_dict()], "savings": one.savings.to_dict()}))
    assert view.text("#tokens") == f"{one.savings.before} → {one.savings.after}"
    ranked = sorted((s.score for s in one.sentences), reverse=True)
    view.move(ranked[0])
    assert "→ ≈ " in view.text("#tokens")
    assert view.text("#money").startswith("≈ ")
    assert "estimated" in view.text("#counting")
    view.move(ranked[1])  # what TopK(2) kept
    assert view.text("#tokens") == f"{one.savings.before} → {one.savings.after}"


@pytest.mark.slow
def test_failed_documents_say_so_and_stay_whole(show):
    """A document that failed is shown whole at every threshold, with its reason; warnings are put in words."""
    failed = Compression(
        "a b", "a b", (Sentence(0, 3, "a b", 0.0, True),), Savings(2, 2), "error", "error: ValueError: x"
    )
    cut = Compression(
        "One. ",
        "One. Two.",
        (Sentence(0, 5, "One. ", 0.9, True), Sentence(5, 9, "Two.", 0.2, False)),
        Savings(4, 2, exact=False),
        "compressed",
        warnings=("query_shortened", "sentence_split"),
    )
    view = show(to_page("q", [("a", failed), ("b", cut)], Savings(6, 4, exact=False)))
    view.move(1.0)
    assert view.kept() == [["a b"], []]
    assert view.text("article .note") == "Returned whole: ValueError: x."
    assert "scored in parts" in view.tab.locator("article .note").nth(1).inner_text()
    assert "approximate" in view.text("#counting")
    assert "≈" in view.text("#tokens")


@pytest.mark.slow
def test_documents_by_relevance_and_back(show, tiny):
    """Ranking orders the documents by their ranking score, unranked ones last; copying follows the order shown."""
    texts = dict(DOCUMENTS)
    results = tiny.compress(QUERY, list(texts.values()))
    view = show(saved(tiny, Threshold(0.0)))
    assert view.names() == list(texts)
    view.tab.check("[name=order][value=ranked]")
    scores = {name: one.ranking_score for name, one in zip(texts, results, strict=True)}
    assert view.names() == sorted(texts, key=lambda name: -1 if scores[name] is None else scores[name], reverse=True)
    view.tab.check("[name=order][value=given]")
    assert view.names() == list(texts)


@pytest.mark.slow
def test_money_follows_price_and_currency(show, tiny):
    """The amounts are the saved tokens at the price typed, with a sign before or a word behind."""
    view = show(saved(tiny, TopK(1)), locale="en-US")
    before, after = (int(part) for part in view.text("#tokens").replace(",", "").split(" → "))
    view.tab.fill("#price", "10")
    view.tab.fill("#currency", "€")
    assert view.text("#money") == f"€{(before - after) * 10:,} a million requests"
    view.tab.fill("#currency", "EUR")
    assert view.text("#money") == f"{(before - after) * 10:,} EUR a million requests"
    view.tab.fill("#price", "")
    assert view.text("#money").startswith("0 EUR")


@pytest.mark.slow
def test_copying_gives_the_kept_text(show, tiny):
    """Both copy buttons give the compressed text, verbatim; several documents have a blank line between them."""
    view = show(saved(tiny, TopK(1)), permissions=["clipboard-read", "clipboard-write"])
    results = [one.text for one in tiny.compress(QUERY, list(DOCUMENTS.values()), policy=TopK(1))]
    view.tab.click("#copy")
    view.wait("#copied")
    read = "navigator.clipboard.readText()"
    assert view.tab.evaluate(read) == "\n\n".join(text for text in results if text)
    view.tab.locator("article header button").nth(1).click()
    view.tab.wait_for_timeout(200)
    assert view.tab.evaluate(read) == results[1]


@pytest.mark.slow
def test_hiding_what_is_cut_leaves_what_is_sent(show, tiny):
    """With the cut sentences hidden, and as running text, the kept ones are all there is to read."""
    view = show(saved(tiny, TopK(1)))
    view.tab.check("#only")
    visible = view.tab.locator(".sentence:visible").count()
    assert visible == sum(map(len, view.kept()))
    view.tab.check("[name=view][value=text]")
    assert view.tab.locator(".sentence:visible").count() == visible
    assert view.tab.locator(".sentence:visible .score").first.is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_legible(show, scheme):
    """In both themes, both views, at every score, kept or cut, text has at least 4.5 times its ground's contrast."""
    scores = (0.001, 0.02, 0.2, 0.5, 0.8, 0.97, 0.9999)
    sentences = tuple(Sentence(3 * i, 3 * i + 3, f"s{i} ", score, True) for i, score in enumerate(scores))
    text = "".join(sentence.text for sentence in sentences)
    whole = Compression(text, text, sentences, Savings(14, 14), "unchanged", "nothing_cut", 0.5)
    view = show(to_page("q", [("a", whole), ("b", whole)], Savings(28, 28)), color_scheme=scheme)
    for threshold, name in ((0.0, "rows"), (1.0, "rows"), (1.0, "text"), (0.0, "text")):
        view.move(threshold)
        view.tab.check(f"[name=view][value={name}]")
        assert {words: ratio for words, ratio in view.contrasts().items() if ratio < 4.5} == {}


@pytest.mark.slow
def test_without_javascript_the_result_is_there(show, tiny):
    """A reader whose browser runs no scripts sees query, names and texts, and no controls that do nothing."""
    view = show(saved(tiny), java_script_enabled=False)
    text = view.tab.locator("#static").inner_text()
    assert QUERY in text
    assert all(name in text for name in DOCUMENTS)
    assert "Ann Lee built it." in text
    assert not view.tab.is_visible("#slider")


def test_units_are_shown_as_what_they_are(show, tiny):
    """The smoke test, wherever there is a browser: kinds and frames, code in one width, no row of white space."""
    code = "```py\na = 1\n\n\n\n\nif a:\n    b = 2\n```\n\n\n\n\n"
    view = show(saved(tiny, TopK(1), {"page.md": f"{MARKDOWN}\n\n\n\n\n# Code\n\n\n\n{code}The end.\n\n\n\n\n"}))
    rows = view.tab.evaluate(
        """() => [...document.querySelectorAll(".sentence")].map((row) => ({
            kind: row.querySelector(".kind").innerText,
            text: row.querySelector(".text").innerText,
            height: row.getBoundingClientRect().height,
            width: (font => /mono/i.test(font))(getComputedStyle(row.querySelector(".text")).fontFamily),
        }))"""
    )
    kinds = {row["kind"] for row in rows}
    assert {"heading", "sentence", "code"} <= kinds
    for row in rows:
        assert row["width"] == (row["kind"] not in ("heading", "sentence", "list item", "HTML")), row
        assert row["height"] <= 30 * (1 + row["text"].strip().count("\n")), row
    assert view.tab.locator(".sentence.frame:not(.cut)").count() >= 1
    view.move(1.0)
    view.wait("#tokens", "→ 0")
    assert view.tab.locator(".sentence:not(.cut)").count() == 0
