"""Long runs and splitter bombs: lossless, by the laws, and in linear time."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from growth import LINEAR, exponent, grows, growth, seconds
from laws import check_laws
from slices import spread
from texts import BOMBS, QUERY, RUNS
from tiny import tiny_checkpoint

from secateurs import Compressor, Neighbours, Threshold, TopK
from secateurs.result.hidden import find
from secateurs.result.savings import TokenCounter
from secateurs.segment import segment
from secateurs.segment.clauses import clauses

UNITS = [*RUNS, *BOMBS]
SIZES = [pytest.param(32_000, id="32k"), pytest.param(400_000, id="400k", marks=pytest.mark.slow)]
PER_MEGABYTE = 2.0  # seconds of splitting and tokenizing
PER_MEGABYTE_OF_PIECES = 10.0  # the same where a sentence or a block has two or three characters
COUNT = TokenCounter()


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A tiny compressor whose windows hold 512 tokens."""
    folder = tiny_checkpoint(tmp_path_factory.mktemp("wide"), max_length=512, layers=1, width=8)
    with Compressor.from_pretrained(folder, device="cpu") as compressor:
        yield compressor


def test_a_square_is_recognised():
    """The measure tells a square, and n to the 1.5, from a line, and no line from a line with noise."""
    sizes = [1, 2, 4, 8]
    assert exponent(sizes, [0.01 * n for n in sizes]) <= LINEAR
    assert exponent(sizes, [0.012, 0.02, 0.055, 0.08]) <= LINEAR
    assert exponent(sizes, [0.01 * n**1.5 for n in sizes]) > LINEAR
    assert exponent(sizes, [0.01 * n**2 for n in sizes]) > LINEAR
    square, sizes = lambda text: [text.count(text[:at]) for at in range(0, len(text), 8)], [8_000, 16_000, 32_000]
    assert growth(square, ["ab" * (size // 2) for size in sizes], sizes) > LINEAR


def test_a_step_is_no_square(monkeypatch):
    """What takes twice as long from one size on, and is a line on either side of it, counts as a line."""
    monkeypatch.setattr("growth.seconds", lambda work, _: work())
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert grows(lambda text: 1e-5 * len(text) * (2 if len(text) > 4_000 else 1), "a", 16_000) <= LINEAR
    assert grows(lambda text: 1e-8 * len(text) ** 2, "a", 16_000) > LINEAR


@pytest.mark.parametrize("most", SIZES)
@pytest.mark.parametrize("split", [segment, clauses], ids=lambda f: f.__name__)
@pytest.mark.parametrize("unit", spread(UNITS, 3), ids=ascii)
def test_splitting_is_linear_and_loses_nothing(unit, split, most):
    """Whatever repeats, twice the text takes at most two and a half times as long, and the pieces are the text."""
    text = unit * (most // len(unit))
    spans = split(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert grows(split, unit, most) <= LINEAR


@pytest.mark.parametrize("most", SIZES)
@pytest.mark.parametrize(
    "unit", spread([*RUNS, "[SEP]", "</s>", "<pad>", "<0x0A>", "http://a.b/c?d=e&", '<iframe src="'], 3), ids=ascii
)
def test_tokenizing_and_counting_are_linear(layout, unit, most):
    """A run of one character, or of one special token, is tokenized, counted and searched in linear time."""
    checkpoint = layout._loaded
    assert grows(lambda text: checkpoint.encode_sentences([text]), unit, most) <= LINEAR
    if layout.checkpoint.name == "opensearch":  # once is enough
        assert grows(COUNT, unit, most) <= LINEAR
        assert grows(lambda text: list(find(text)), unit, most) <= LINEAR


@pytest.mark.parametrize("most", SIZES)
@pytest.mark.parametrize("unit", spread(UNITS, 3), ids=ascii)
def test_the_bundled_model_reads_a_megabyte_in_two_seconds(bundled, unit, most):
    """Splitting and tokenizing for the bundled model take at most 2 s a megabyte of what it reads, in runs."""
    text = unit * (most // len(unit))
    megabytes = len(normalize("NFKC", text).encode("utf-8", "replace")) / 1e6
    checkpoint = bundled._loaded
    most_seconds = (PER_MEGABYTE if unit in RUNS else PER_MEGABYTE_OF_PIECES) * megabytes + 0.01
    work = lambda: checkpoint.encode_sentences([text[start:end] for start, end in segment(text)])  # noqa: E731 - one expression
    assert seconds(work, 2, most=most_seconds) <= most_seconds


@pytest.mark.watchdog(300)
def test_every_bomb_is_compressed_by_the_laws(wide):
    """All runs and bombs in one call, between two sound documents, come back by the laws; the sound ones as alone."""
    sound = "The mill was built in 1842. It burned down."
    documents = [sound, *(unit * (4000 // len(unit)) for unit in UNITS), sound]
    for policy in (Threshold(0.5), TopK(1) | Neighbours(1, 1)):
        results = wide.compress(QUERY, documents, policy=policy)
        for result, document in zip(results, documents, strict=True):
            check_laws(result, document)
            assert result.status != "error", result.reason
        alone = wide.compress(QUERY, [sound], policy=policy)[0]
        assert results[0].spans == results[-1].spans == alone.spans


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_a_hundred_thousand_characters_of_a_bomb(wide, unit):
    """100,000 characters of whatever repeats go through everything by the laws, highlights and pages included."""
    document = unit * (100_000 // len(unit))
    result = wide.compress(QUERY, [document], policy=Threshold(0.5))[0]
    check_laws(result, document, 0.5)
    assert result.status != "error", result.reason
    for highlight in result.highlights(0.5) or ():
        assert document[highlight.start : highlight.end] == highlight.text
    result.to_html().encode("utf-8")
