"""`secateurs mcp` as users start it: over stdio and over streamable HTTP, in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from secateurs import cli
from secateurs.result.savings import TokenCounter

QUERY = "Who built the mill?"
TEXT = "It rained in Leeds. The mill was built in 1842 by Ann Lee. The Moon causes the tides."
TEXT += "".join(f" In the year {year} nobody came to see the mill." for year in range(1900, 1909))


def command(*words: str) -> list[str]:
    """The command line that starts a server."""
    return [sys.executable, "-m", "secateurs", "mcp", *words]


async def use(client: Client, docs: Path) -> None:
    """Call every tool, and one that fails."""
    assert {tool.name for tool in (await client.list_tools()).tools} == {"compress_text", "compress_file", "expand"}
    result = await client.call_tool("compress_file", {"query": QUERY, "path": "mill.txt", "max_tokens": 15})
    data = result.structured_content
    assert data["text"] == result.content[0].text
    assert 0 < TokenCounter()(data["text"]) <= 15
    assert "".join(TEXT[start:end] for start, end in data["spans"]).rstrip() == data["text"]
    whole = await client.call_tool("expand", {"handle": data["handle"]})
    assert whole.structured_content["text"] == TEXT
    refused = await client.call_tool("compress_file", {"query": QUERY, "path": str(docs.parent / "secret.txt")})
    assert refused.is_error
    assert "outside the folders" in refused.content[0].text


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with a file, beside a secret one."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "mill.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    return tmp_path / "docs"


async def test_over_stdio(tiny_folder, docs):
    """A client starts the command and talks to it over its standard streams."""
    words = command("--model", str(tiny_folder), "--device", "cpu", "--root", str(docs), "--threshold", "0")
    parameters = StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ))
    async with Client(parameters, read_timeout_seconds=60) as client:
        await use(client, docs)


@pytest.fixture(params=[signal.SIG_DFL, signal.SIG_IGN], ids=["from a terminal", "under nohup"])
def served(
    tiny_folder: Path, docs: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server on a free port, and its URL; its parent leaves SIGINT as it is, or ignores it."""

    def inherit() -> None:
        signal.signal(signal.SIGINT, request.param)

    options = ["--transport", "streamable-http", "--port", "0", "--threshold", "0", "--encoding", "cl100k_base"]
    words = command("--model", str(tiny_folder), "--device", "cpu", "--root", str(docs), *options)
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=inherit) as process:
        try:
            line = process.stderr.readline()
            found = re.search(r"http://\S+", line)
            assert found, line + process.stderr.read()
            yield process, found.group()
        finally:
            process.kill()


async def test_over_streamable_http(served, docs):
    """A server listens where it says, serves several clients, and ends cleanly when interrupted, however started."""
    process, url = served
    assert url.startswith("http://127.0.0.1:")
    async with Client(url, read_timeout_seconds=60) as client, Client(url, read_timeout_seconds=60) as other:
        await use(client, docs)
        await use(other, docs)
        text = await client.call_tool("compress_text", {"query": QUERY, "text": TEXT})
        assert text.structured_content["savings"]["encoding"] == "cl100k_base"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert "Traceback" not in process.stderr.read()


WRONG = [
    (["--root", "no-such-folder"], "--root no-such-folder is no folder: name a folder that exists."),
    (["--threshold", "3"], "threshold must be in [0, 1], got 3.0"),
    (["--model", "no-such-folder/model"], "no-such-folder/model"),
    (["--device", "gpu"], "unknown device 'gpu'"),
    (["--encoding", "none"], "none"),
    (["--max-bytes", "0"], "--max-bytes must be at least 1"),
    (["--transport", "carrier-pigeon"], "carrier-pigeon"),
    (["--transport", "streamable-http", "--host", "203.0.113.1"], "cannot listen on 203.0.113.1 port 8765"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=lambda value: value[0] if isinstance(value, list) else "")
def test_wrong_options_are_one_line(options, message, capsys):
    """A mistake of the operator ends with code 2 and a line that says what is wrong, before anything is served."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["mcp", *options])
    shown = capsys.readouterr()
    assert ended.value.code == 2
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_without_the_sdk_it_says_what_to_install(tmp_path):
    """With the SDK absent, the command and the import name the extra; everything else still works."""
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mcp":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import secateurs.cli
try:
    import secateurs.mcp
except ImportError as error:
    print(type(error).__name__, error)
secateurs.cli.main(["mcp"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "MissingExtraError" in done.stdout
    assert "pip install 'secateurs[mcp]'" in done.stdout
    assert done.returncode == 2
    assert "pip install 'secateurs[mcp]'" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_server_keeps_what_it_has_loaded(tiny_folder, docs, tmp_path):
    """Weights cut short in place, which would end a process that maps them, change nothing in a server."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_folder, folder)
    words = command("--model", str(folder), "--device", "cpu", "--threshold", "0")
    parameters = StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ))
    async with Client(parameters, read_timeout_seconds=60) as client:
        ask = {"query": QUERY, "text": TEXT}
        before = await client.call_tool("compress_text", ask)
        with (folder / "model.safetensors").open("r+b") as file:
            file.truncate(16)
        after = await client.call_tool("compress_text", ask)
    assert after.structured_content == before.structured_content


async def test_a_handle_is_good_in_its_session_only(served):
    """What one client had cut, another one who learns the handle does not get; not in a session of its own."""
    _, url = served
    async with (
        Client(url, mode="legacy", read_timeout_seconds=60) as one,
        Client(url, mode="legacy", read_timeout_seconds=60) as two,
    ):
        ask = {"query": QUERY, "text": TEXT, "max_tokens": 15}
        handles = [(await each.call_tool("compress_text", ask)).structured_content["handle"] for each in (one, two)]
        assert handles[0] != handles[1]
        for client, mine, other in ((one, *handles), (two, *reversed(handles))):
            assert (await client.call_tool("expand", {"handle": mine})).structured_content["text"] == TEXT
            refused = await client.call_tool("expand", {"handle": other})
            assert refused.is_error
            assert TEXT not in refused.content[0].text
