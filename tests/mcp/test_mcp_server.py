"""The MCP server, through the SDK's own client in memory: what agents get, and what they are told when it fails."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import jsonschema
import pytest
from mcp import Client
from structured import JSON, MARKDOWN

from secateurs import Compressor, OverloadedError, Threshold
from secateurs.adapters.protocol import CompressorLike
from secateurs.mcp import make_server
from secateurs.result.savings import TokenCounter

QUERY = "Who built the mill?"
TEXT = (
    "It rained in Leeds. The mill was built in 1842 by Ann Lee. It burned down twice. Nobody knows why. "
    "Who built it, asked the owner. The Moon causes the tides. 水车建于1842年。"
) + "".join(
    f" In the year {year} nobody came to see the mill, and the wheel stood still." for year in range(1900, 1909)
)


def split(compressor: Compressor) -> float:
    """A threshold at which the tiny model keeps some sentences and cuts some."""
    scores = sorted(s.score for s in compressor.compress(QUERY, [TEXT], policy=Threshold(0.0))[0].sentences)
    return scores[len(scores) // 2]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with a file."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "mill.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path / "docs"


def said(result) -> str:
    """All text of a result."""
    return "\n".join(block.text for block in result.content)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_text_is_compressed_and_expanded(tiny, docs, mode):
    """The kept sentences come back verbatim with savings and spans, and every cut can be had back."""
    server = make_server(tiny, policy=Threshold(split(tiny)), roots=[docs])
    expected = tiny.compress(QUERY, [TEXT], policy=Threshold(split(tiny)))[0]
    async with Client(server, mode=mode) as client:
        result = await client.call_tool("compress_text", {"query": QUERY, "text": TEXT})
        assert not result.is_error
        data = result.structured_content
        assert result.content[0].text == data["text"] == expected.text
        assert (data["status"], data["reason"]) == ("compressed", None)
        assert data["policy"] == f"ToolOutput(None, policy={expected.policy})"
        savings, count = data["savings"], TokenCounter()
        assert savings["after"] == sum(count(block.text) for block in result.content) > expected.savings.after
        assert (savings["before"], savings["saved"]) == (count(TEXT), count(TEXT) - savings["after"])
        assert data["spans"] == [list(span) for span in expected.spans]
        cuts = [(cut["start"], cut["end"]) for cut in data["cuts"]]
        assert sorted([*map(tuple, data["spans"]), *cuts])[0][0] == 0
        assert sum(end - start for start, end in [*data["spans"], *cuts]) == len(TEXT)
        assert data["handle"] in said(result)
        assert f"{savings['saved']} of {savings['before']} tokens cut" in said(result)
        for cut, (start, end) in zip(data["cuts"], cuts, strict=True):
            assert f"{start}-{end}" in said(result)
            one = await client.call_tool("expand", {"handle": data["handle"], "start": start, "end": end})
            assert said(one) == one.structured_content["text"] == TEXT[start:end]
            assert (one.structured_content["start"], one.structured_content["end"]) == (start, end)
            assert cut["score"] < split(tiny)
        assert said(await client.call_tool("expand", {"handle": data["handle"]})) == TEXT


ROOMS = json.dumps({"rooms": ["attic", "barn"] * 30, **json.loads(JSON)})


async def test_with_the_note_it_is_shorter_or_left_alone(tiny):
    """What the note costs is counted: a document that it would make longer stays as it is, and says so."""
    policy = lambda sentences, count: [one is sentences[0] for one in sentences]  # noqa: E731 - a policy in a line
    async with Client(make_server(tiny, policy=policy)) as client:
        result = await client.call_tool("compress_text", {"query": QUERY, "text": "It rained. It burned."})
        data = result.structured_content
        assert (said(result), data["status"], data["reason"]) == ("It rained. It burned.", "unchanged", "no_gain")
        assert (data["cuts"], data["handle"], data["savings"]["saved"]) == ([], None, 0)


@pytest.mark.parametrize("text", [MARKDOWN * 5, ROOMS])
async def test_what_frames_is_kept_and_never_cut(tiny, text):
    """Markdown or JSON comes back well-formed; what is named as cut is all that went, to be had back."""
    policy = lambda sentences, count: [one is sentences[-1] for one in sentences]  # noqa: E731 - a policy in a line
    expected = tiny.compress(QUERY, [text], policy=policy)[0]
    async with Client(make_server(tiny, policy=policy)) as client:
        data = (await client.call_tool("compress_text", {"query": QUERY, "text": text})).structured_content
        assert data["text"] == expected.text
        assert data["spans"] == [list(span) for span in expected.spans]
        gone = []
        for cut in data["cuts"]:
            place = {"start": cut["start"], "end": cut["end"]}
            gone.append(said(await client.call_tool("expand", {"handle": data["handle"], **place})))
        assert "".join(gone) == "".join(one.text for one in expected.sentences if not one.kept)
        assert any(one.frame for one in expected.kept)
        assert text != ROOMS or json.loads(data["text"]) == {"note": "nobody knows"}


async def test_a_file_is_compressed_as_its_text_is(tiny, docs):
    """A file under the root gives what its text gives, under the same handle."""
    server = make_server(tiny, policy=Threshold(split(tiny)), roots=[docs])
    async with Client(server) as client:
        text = await client.call_tool("compress_text", {"query": QUERY, "text": TEXT})
        for path in ("mill.txt", str(docs / "mill.txt")):
            file = await client.call_tool("compress_file", {"query": QUERY, "path": path})
            assert file.structured_content == text.structured_content


async def test_tools_describe_themselves(tiny, docs):
    """Each tool says what it does, what it takes and what it gives; nothing changes anything; the root is named."""
    async with Client(make_server(tiny, roots=[docs])) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == ["compress_text", "compress_file", "expand"]
        assert str(docs) in tools["compress_file"].description
        for tool in tools.values():
            assert tool.annotations.read_only_hint
            assert all("description" in field for field in tool.input_schema["properties"].values())
            jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        result = await client.call_tool("compress_file", {"query": QUERY, "path": "mill.txt"})
        jsonschema.validate(result.structured_content, tools["compress_file"].output_schema)
        assert client.server_info.name == "secateurs"
        assert "expand" in client.instructions


async def test_without_a_root_no_file_can_be_asked_for(tiny):
    """There is no tool that reads files, and calling it is an error."""
    async with Client(make_server(tiny)) as client:
        assert "compress_file" not in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("compress_file", {"query": QUERY, "path": "mill.txt"})
        assert result.is_error


async def test_a_call_may_set_threshold_and_budget(tiny):
    """`threshold` and `max_tokens` hold for one call."""
    async with Client(make_server(tiny)) as client:
        whole = await client.call_tool("compress_text", {"query": QUERY, "text": TEXT, "threshold": 0.0})
        assert (whole.structured_content["status"], said(whole)) == ("unchanged", TEXT)
        assert whole.structured_content["handle"] is None
        assert whole.structured_content["cuts"] == []
        few = await client.call_tool(
            "compress_text", {"query": QUERY, "text": TEXT, "threshold": 0.0, "max_tokens": 20}
        )
        assert 0 < TokenCounter()(few.structured_content["text"]) <= 20


async def test_where_nothing_passes(tiny):
    """A document in which nothing passes stays, the best lines of a long one; it goes where that was asked for."""
    ask = {"query": QUERY, "text": TEXT, "threshold": 1.0}
    async with Client(make_server(tiny)) as client:
        whole = await client.call_tool("compress_text", ask)
        assert (whole.structured_content["status"], said(whole)) == ("unchanged", TEXT)
        long = await client.call_tool("compress_text", {**ask, "text": TEXT * 200})
        assert 0 < TokenCounter()(long.structured_content["text"]) <= 2000
    async with Client(make_server(tiny, when_empty="best")) as client:
        best = (await client.call_tool("compress_text", ask)).structured_content
        assert (best["status"], len(best["spans"])) == ("compressed", 1)
    async with Client(make_server(tiny, when_empty="drop")) as client:
        none = await client.call_tool("compress_text", ask)
        assert (none.structured_content["status"], none.structured_content["text"]) == ("dropped", "")
        assert "nothing in it answers the query" in said(none)
        assert none.structured_content["handle"] in said(none)
    with pytest.raises(ValueError, match="when_empty='drop' contradicts policy"):
        make_server(tiny, policy="Threshold(0.5, when_empty='best')", when_empty="drop")


async def test_odd_texts_come_back(tiny):
    """A blank text is unchanged; half a character is replaced, so that the answer can be sent."""
    async with Client(make_server(tiny), mode="legacy") as client:
        blank = await client.call_tool("compress_text", {"query": QUERY, "text": " \n"})
        assert (blank.structured_content["status"], blank.structured_content["reason"]) == ("unchanged", "blank")
    async with Client(make_server(tiny)) as client:
        odd = await client.call_tool("compress_text", {"query": QUERY, "text": "a \ud800 mill", "threshold": 0.0})
        assert odd.structured_content["text"] == "a \ufffd mill"


BAD = [
    ("compress_text", {"query": " ", "text": TEXT}, "the query is blank. Pass what you want to know"),
    ("compress_text", {"query": QUERY, "text": "a" * 2001}, "the text has 2,001 bytes, the limit is 2,000. Split it"),
    ("compress_text", {"query": QUERY, "text": "水" * 700}, "the text has 2,100 bytes"),
    ("compress_text", {"query": QUERY, "text": TEXT, "threshold": 1.5}, "threshold must be in [0, 1], got 1.5"),
    ("compress_text", {"query": QUERY, "text": TEXT, "max_tokens": -1}, "must be at least 0"),
    ("compress_text", {"query": QUERY}, "Field required"),
    ("compress_text", {"query": QUERY, "text": 7}, "should be a valid string"),
    ("compress_file", {"query": QUERY, "path": "../mill.txt"}, "is outside the folders this server may read"),
    ("compress_file", {"query": QUERY, "path": "/etc/hostname"}, "is outside the folders this server may read"),
    ("compress_file", {"query": QUERY, "path": "nope.txt"}, "there is no file 'nope.txt'"),
    ("compress_file", {"query": " ", "path": "mill.txt"}, "the query is blank"),
    ("expand", {"handle": "nope"}, "nothing is kept under 'nope'"),
    ("expand", {"handle": "\n<b>"}, "Compress the document again."),
    ("shred", {}, "Unknown tool"),
]


@pytest.mark.parametrize(("tool", "arguments", "message"), BAD)
async def test_errors_are_tool_errors_that_say_what_to_do(tiny, docs, tool, arguments, message):
    """What a call gets wrong comes back as an error of the call, and the next call works."""
    async with Client(make_server(tiny, roots=[docs], max_bytes=2000)) as client:
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert message in said(result)
        assert not (await client.call_tool("compress_text", {"query": QUERY, "text": TEXT})).is_error


async def test_a_part_that_is_not_there_is_refused(tiny):
    """`expand` says how long the document is; one end alone is enough."""
    async with Client(make_server(tiny, policy=Threshold(split(tiny)))) as client:
        data = (await client.call_tool("compress_text", {"query": QUERY, "text": TEXT})).structured_content
        for start, end in ((-1, 5), (5, 5), (7, 5), (0, len(TEXT) + 1), (len(TEXT), None)):
            result = await client.call_tool("expand", {"handle": data["handle"], "start": start, "end": end})
            assert result.is_error
            assert f"this document has the characters 0 to {len(TEXT)}" in said(result)
        assert said(await client.call_tool("expand", {"handle": data["handle"], "start": 9})) == TEXT[9:]
        assert said(await client.call_tool("expand", {"handle": data["handle"], "end": 9})) == TEXT[:9]


class Failing:
    """A compressor's protocol, and nothing works."""

    def __init__(self, compressor: Compressor, failure: BaseException) -> None:
        self.policy, self.encoding, self.name = compressor.policy, compressor.encoding, compressor.name
        self.failure = failure

    def compress(self, query, documents, *, policy=None):
        raise self.failure

    async def acompress(self, query, documents, *, policy=None):
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (OverloadedError("too much is waiting. Try again later."), "too much is waiting. Try again later."),
        (ZeroDivisionError("oops"), "the call failed (ZeroDivisionError: oops). Read the document as it is."),
        (TimeoutError("too slow"), "Read the document as it is."),
    ],
)
async def test_a_failing_model_is_a_tool_error(tiny, failure, message):
    """Whatever breaks behind the tool, the agent is told to go on without it, and the server stays up."""
    failing = Failing(tiny, failure)
    assert isinstance(failing, CompressorLike)
    async with Client(make_server(failing)) as client:
        for _ in range(2):
            result = await client.call_tool("compress_text", {"query": QUERY, "text": TEXT})
            assert result.is_error
            assert message in said(result)


async def test_a_document_that_fails_is_a_tool_error(tiny_folder):
    """The document's own error is passed on."""

    def segmenter(text):
        raise RuntimeError("cannot split this")

    compressor = Compressor.from_pretrained(tiny_folder, segmenter=segmenter, device="cpu")
    async with Client(make_server(compressor)) as client:
        result = await client.call_tool("compress_text", {"query": QUERY, "text": TEXT})
        assert result.is_error
        assert "cannot split this" in said(result)
        assert "Read it as it is." in said(result)


async def test_many_clients_at_once(tiny):
    """Concurrent calls of several clients each get their own document."""
    server = make_server(tiny, policy=Threshold(0.0))

    async def ask(number: int) -> None:
        async with Client(server) as client:
            text = f"The mill number {number}. It burned {number} times."
            results = await asyncio.gather(
                *(
                    client.call_tool("compress_text", {"query": QUERY, "text": text + " The Moon." * n})
                    for n in range(5)
                )
            )
            assert [said(result) for result in results] == [text + " The Moon." * n for n in range(5)]

    await asyncio.gather(*map(ask, range(6)))


async def test_originals_are_kept_within_bounds(tiny):
    """What was unused longest is forgotten first, with an error that says so; the newest can always be had."""
    server = make_server(
        tiny, policy=Threshold(1.0), when_empty="drop", max_kept_bytes=2 * (sys.getsizeof(TEXT) + 600)
    )
    async with Client(server) as client:
        handles = []
        for number in range(3):
            result = await client.call_tool("compress_text", {"query": QUERY, "text": f"{number}{TEXT[1:]}"})
            handles.append(result.structured_content["handle"])
        found = [await client.call_tool("expand", {"handle": handle}) for handle in handles]
        assert [result.is_error for result in found] == [True, False, False]
        assert "Compress the document again." in said(found[0])


async def test_cuts_are_runs_of_cut_sentences(tiny):
    """Neighbours are one cut, with the best of their scores; the note names the first ten."""
    every_other = [index % 2 == 0 for index in range(40)]
    text = "".join(f"Mill {number} was built. " for number in range(40))
    for flags, cuts in ((every_other, 20), ([False, True, *[False] * 37, True], 2)):
        policy = lambda sentences, count, flags=flags: flags  # noqa: E731 - a policy in a line
        expected = tiny.compress(QUERY, [text], policy=policy)[0]
        async with Client(make_server(tiny, policy=policy)) as client:
            result = await client.call_tool("compress_text", {"query": QUERY, "text": text})
        found = result.structured_content["cuts"]
        assert len(found) == cuts
        assert "".join(text[cut["start"] : cut["end"]] for cut in found) == "".join(s.text for s in expected.cut)
        for cut in found:
            best = max(s.score for s in expected.cut if cut["start"] <= s.start < cut["end"])
            assert cut["score"] == pytest.approx(best, abs=1e-6)
        assert ("..." in said(result)) == (cuts > 10)
