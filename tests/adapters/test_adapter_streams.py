"""JSON and streams of records in what a tool says: what is compressed by itself, and what a note leaves valid."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode
from llama_index.core.tools import ToolOutput as LlamaOutput

from secateurs import Compressor, Threshold, ToolOutput
from secateurs.adapters.agent import AgentSettings
from secateurs.adapters.asking import Asking
from secateurs.adapters.contents import split_content, visible_text
from secateurs.adapters.originals import Originals
from secateurs.adapters.runner import Runner
from secateurs.adapters.slots import filled
from secateurs.adapters.streams import noted, parsed_as, still_parses, text_slots
from secateurs.adapters.tool_output import Delivery, Parts, Shortener, WayBack
from secateurs.llama_index.outputs import split_output
from secateurs.result.savings import TokenCounter

NOTE = "[12 of 30 tokens cut]"
ROWS = [{"id": number, "name": f"wheel {number}", "state": "swept and dry"} for number in range(40)]
PROSE = "It rained all day long over the hills and the wind came from the sea. "

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)

STREAMS = {
    "object": json.dumps({"rows": ROWS}),
    "pretty": json.dumps(ROWS, indent=2),
    "mark": "\ufeff" + json.dumps({"rows": ROWS}),
    "before": "HTTP/1.1 200 OK\nContent-Type: application/json\n\n" + json.dumps(ROWS, indent=2),
    "behind": json.dumps({"rows": ROWS}) + "\nDone in 3 s.\n",
    "both": "Result:\n" + json.dumps(ROWS, indent=1) + "\nDone.",
    "same line": "Result: " + json.dumps(ROWS) + " (3 s)",
    "lines": "\n".join(map(json.dumps, ROWS)),
    "marked lines": "\ufeff" + "\n".join(map(json.dumps, ROWS)) + "\n",
    "several": json.dumps({"rows": ROWS}) + "\n" + json.dumps({"rows": ROWS[:9]}),
    "joined": json.dumps(ROWS[:12]) + json.dumps(ROWS[9:]),
    "several pretty": json.dumps(ROWS, indent=2) + "\n\n" + json.dumps(ROWS[:9], indent=2),
}


def values(text: str) -> list[Any]:
    """Return the JSON objects and arrays that stand in a text, or fail where there is half of one."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (starts := [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]) != []:
        if text.startswith("[", min(starts)) and " tokens cut]" in text[min(starts) :][:40]:
            break
        value, at = decoder.raw_decode(text, min(starts))
        found.append(value)
    assert not set("}]") & set(text[at:].partition("[")[0])
    return found


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("content", [lambda text: text, lambda text: [{"type": "text", "text": text}]])
def test_what_parsed_still_parses(tiny: Compressor, name: str, content: Any):
    """Whatever stands before, behind and between, JSON in a tool's text is cut and stays JSON, note included."""
    text = STREAMS[name]
    count = TokenCounter()
    shortener = Shortener("o200k_base", min_tokens=1, way_back=None, drops=False)
    job = shortener.job(Asking("wheel 7"), text, split_content(content(text)))
    assert job is not None
    delivery = Delivery(shortener, job, visible_text)
    settings = AgentSettings(compressor=tiny, policy="ToolOutput(120, policy=Threshold(0.0))")
    outcome = Runner().run(settings, "wheel 7", job.parts.texts, job.parts.ids, delivered=delivery)
    assert delivery.shorter is not None
    left = visible_text(delivery.shorter.output)
    assert values(left) and still_parses(text, left)
    assert "tokens cut]" in left
    assert outcome.report.savings == delivery.shorter.savings
    assert delivery.shorter.savings.after == count(left) < count(text)


def test_what_is_compressed_by_itself():
    """Long strings of JSON, else JSON as a whole; values in a text, and long texts between them; else the text."""
    page = json.dumps([{"url": "https://a.example", "text": PROSE * 9}])
    assert [slot.text for slot in text_slots(page)] == [PROSE * 9]
    rows = json.dumps(ROWS)
    assert [slot.text for slot in text_slots(rows)] == [rows]
    between = f"Result:\n{rows}\n{PROSE * 3}\n{rows} and {rows}"
    assert [slot.text.strip() for slot in text_slots(between)] == [rows, f"{PROSE * 3}".strip(), rows, rows]
    for text in ("", "plain", STREAMS["lines"], "[1, 2", "[x]\n" * 50, "{\n" * 50_000, "[" * 100_000):
        assert [slot.text for slot in text_slots(text)] == [text]


@given(st.lists(json_values.map(json.dumps) | st.text('a{}[]\n ,:"1', max_size=40), max_size=6))
def test_slots_stand_in_the_text(parts: list[str]):
    """They come in order, none overlaps another, and filled with their own texts they are the text."""
    text = "\n".join(parts)
    slots = text_slots(text)
    assert all(one.end <= other.start for one, other in pairwise(slots))
    assert filled(text, slots, [slot.text for slot in slots]) == text


@given(json_values.map(json.dumps) | st.text(max_size=60), st.sampled_from(["", "\n", " \n", "\ufeff"]))
def test_a_note_leaves_a_text_what_it_is(text: str, space: str):
    """An object has a member more, an array an element, lines of JSON a line; any other text a last line."""
    before = text + space.replace("\ufeff", "")
    after = noted(before, NOTE)
    assert NOTE in after and still_parses(before, after)
    kind = parsed_as(before)
    if kind == "object":
        assert json.loads(after) == {**json.loads(before), "secateurs": NOTE}
    elif kind == "array":
        assert json.loads(after) == [*json.loads(before), NOTE]


def test_what_would_not_be_shorter_stays():
    """The note and the handle count: where they cost what was cut, the result stays as it is, and so it is told."""
    text = "It rained. " * 3 + "A deer came. " * 3
    for way_back in (None, WayBack("expand", Originals())):
        shortener = Shortener("o200k_base", min_tokens=1, way_back=way_back, drops=False)
        job = shortener.job(Asking("deer"), text, Parts((text,), (None,), lambda texts, note="": texts[0] + note))
        assert job is not None
        delivery = Delivery(shortener, job, str)
        settings = AgentSettings(compressor=FakeCompressor(), threshold=0.5)
        outcome = Runner().run(settings, "deer", job.parts.texts, job.parts.ids, delivered=delivery)
        assert sum(one.savings.saved for one in outcome.report.compressions) > 0
        assert (delivery.shorter is None) == (outcome.report.savings.saved == 0)
    assert ToolOutput(policy=Threshold(0.0)).sparing is False


SHORT = (
    "It rained over the hills, and the wind came from the sea, all day and all night"  # a character short of prose
)
ESCAPES: dict[str, object] = {
    "short strings": [f"{SHORT[:70]} {number:05d}" for number in range(600)],
    "keys": {f"{number} {PROSE}": number for number in range(600)},
    "some prose beside": {"text": PROSE * 400, "rest": [f"{SHORT[:70]} {number:05d}" for number in range(600)]},
    "no blanks": ["x" * 5_000] * 10,
    "numbers": list(range(10_000)),
}


@pytest.mark.parametrize("kind", ESCAPES)
@pytest.mark.parametrize("written", [json.dumps, str])
def test_no_way_of_writing_keeps_a_large_text_out_of_the_budget(kind: str, written: Any):
    """Above a size all of an output counts, be it in short strings, in keys, or where no text is seen at all."""
    text = written(ESCAPES[kind])
    assert len(text) > 30_000
    for parts in (
        split_content(text),
        split_content([{"type": "text", "text": text}]),
        split_output(LlamaOutput(tool_name="look", content=text, raw_input={}, raw_output=ESCAPES[kind])),
    ):
        assert len(text) - sum(map(len, parts.texts)) <= 20_000


def test_a_document_in_an_artifact_keeps_nothing_else_out_of_the_budget():
    """A short document that a long content is said to be made of is not all that counts."""
    page = PROSE * 3
    assert split_content(f"Found:\n{page}", [(page, None)]).texts == (page,)
    long = page + PROSE * 400
    assert split_content(long, [(page, None)]).texts == (long,)
    node = TextNode(text=page, metadata={"about": PROSE * 400})
    content = node.get_content(MetadataMode.LLM)
    output = LlamaOutput(tool_name="look", content=content, raw_input={}, raw_output=[NodeWithScore(node=node)])
    assert split_output(output).texts == (content,)
