"""A budget over all documents, headings kept and cuts marked; documents that compete: the same by every door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from secateurs import Compressor, Policy, Threshold
from secateurs.cli import main

QUERY = "Who built the mill?"
DOCUMENTS = [
    "# The mill\n\n## Built\n\nAnn Lee built the mill in 1842. Tickets cost five euros.\n\n## Shop\n\nShut.\n",
    "# Tides\n\nThe Moon's pull causes most of the tides on Earth. Fish live in the sea.\n",
    "# Builders\n\n## Ann Lee\n\nShe was born in 1801. Ann Lee built three mills. She liked music very much.\n",
]
ASKED: dict[str, dict[str, Any]] = {
    "a budget": {"max_total_tokens": 50, "elision": "[…]", "threshold": 0.0},
    "compete": {"policy": "Ranked(Threshold(0.9), 1.0)"},
}


@pytest.fixture(scope="module", params=ASKED.values(), ids=ASKED.keys())
def asked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What is asked for, by each door."""
    return request.param


@pytest.fixture(scope="module")
def expected(tiny_folder: Path, asked: dict[str, Any]) -> list[str]:
    """What the compressor itself says, the dropped left out."""
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        if "policy" in asked:
            found = compressor.compress(QUERY, DOCUMENTS, policy=Policy.parse(asked["policy"]))
            alone = compressor.compress(QUERY, DOCUMENTS, policy=Threshold(0.9))
            assert [one.text for one in found] != [one.text for one in alone]
        else:
            options = {name: asked[name] for name in ("max_total_tokens", "elision")}
            found = compressor.compress(QUERY, DOCUMENTS, policy=Threshold(asked["threshold"]), **options)
            assert 0 < sum(one.savings.after for one in found) <= asked["max_total_tokens"]
            assert any("[…]" in one.text for one in found)
            assert any(one.text.startswith("# ") and one.status == "compressed" for one in found)
    return [one.text for one in found if one.status != "dropped"]


def test_langchain(tiny_folder: Path, asked: dict[str, Any], expected: list[str]):
    """By the fields of LangChain's compressor, and configured for one call."""
    langchain = pytest.importorskip("secateurs.langchain", reason="langchain-core is not installed")
    from langchain_core.documents import Document

    given = [Document(text) for text in DOCUMENTS]
    where = {"model": str(tiny_folder), "device": "cpu"}
    found = langchain.SecateursCompressor(**where, **asked).compress_documents(given, QUERY)
    assert [one.page_content for one in found] == expected
    step = langchain.SecateursCompressor(**where).as_runnable().with_config(configurable=asked)
    assert [one.page_content for one in step.invoke({"query": QUERY, "documents": given})] == expected


def test_llama_index(tiny_folder: Path, asked: dict[str, Any], expected: list[str]):
    """By the fields of LlamaIndex's postprocessor."""
    llama_index = pytest.importorskip("secateurs.llama_index", reason="llama-index-core is not installed")
    from llama_index.core.schema import NodeWithScore, TextNode

    given = [NodeWithScore(node=TextNode(text=text)) for text in DOCUMENTS]
    postprocessor = llama_index.SecateursPostprocessor(model=str(tiny_folder), device="cpu", **asked)
    assert [one.text for one in postprocessor.postprocess_nodes(given, query_str=QUERY)] == expected


def test_the_command_line(
    tiny_folder: Path, asked: dict[str, Any], expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """By the options of `secateurs compress`."""
    paths = [tmp_path / f"{number}.md" for number in range(len(DOCUMENTS))]
    for path, text in zip(paths, DOCUMENTS, strict=True):
        path.write_text(text, encoding="utf-8")
    options = [word for name, value in asked.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    where = ["--model", str(tiny_folder), "--device", "cpu", "--format", "json"]
    with pytest.raises(SystemExit) as end:
        main(["compress", QUERY, *map(str, paths), *where, *options])
    assert end.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["text"] for one in found["documents"] if one["status"] != "dropped"] == expected


async def test_http(tiny_folder: Path, asked: dict[str, Any], expected: list[str]):
    """By the fields of a request, and by those of an adapter with the model behind an address."""
    httpx = pytest.importorskip("httpx", reason="the extra serve is not installed")
    from secateurs.serve import create_app

    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        transport = httpx.ASGITransport(app=create_app(compressor))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = await client.post("/v1/compress", json={"query": QUERY, "documents": DOCUMENTS, **asked})
    assert answer.status_code == 200, answer.text
    assert [one["text"] for one in answer.json()["documents"] if one["status"] != "dropped"] == expected
