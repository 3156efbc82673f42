"""The gateway before a server of the SDK's own, over stdio: what changes, and what passes as it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import upstream_server
from fake_compressor import FakeCompressor
from mcp import Client, StdioServerParameters
from mcp.client._memory import InMemoryTransport
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest, JSONRPCResponse

from secateurs import Compressor, cli
from secateurs.adapters.agent import AgentSettings
from secateurs.mcp.gateway import Gateway, Streams
from secateurs.result.savings import TokenCounter

UPSTREAM = Path(upstream_server.__file__)
POLICY = "ToolOutput(120, policy=Threshold(0.0) | Signals())"


def parameters(*words: str, **env: str) -> StdioServerParameters:
    """What starts a process of this Python."""
    return StdioServerParameters(command=sys.executable, args=list(words), env={**os.environ, **env})


@asynccontextmanager
async def through(gateway: Gateway) -> AsyncIterator[Any]:
    """A transport to the server of these tests, the gateway before it, all in this process."""
    async with (
        InMemoryTransport(upstream_server.server) as upstream,
        create_client_server_memory_streams() as (client, server),
        anyio.create_task_group() as group,
    ):
        group.start_soon(gateway.relay, Streams(*server), Streams(*upstream))
        yield client
        group.cancel_scope.cancel()


@asynccontextmanager
async def both(compressor: Any, mode: str = "auto", **settings: Any) -> AsyncIterator[tuple[Client, Client]]:
    """A client of the server itself, and one of the gateway before it."""
    options: dict[str, Any] = {"mode": mode, "read_timeout_seconds": 60, "cache": None}
    gateway = Gateway(AgentSettings(compressor=compressor, policy=POLICY), **settings)
    async with (
        Client(InMemoryTransport(upstream_server.server), **options) as plain,
        Client(through(gateway), **options) as ours,
    ):
        yield plain, ours


def texts(result: Any) -> list[str]:
    """The text blocks of a result."""
    return [block.text for block in result.content if block.type == "text"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_what_passes_as_it_is(tiny: Compressor, mode: str):
    """Tools with their schemas, errors, structured content, images, resources and prompts are the server's own."""
    async with both(tiny, mode) as (plain, ours):
        assert ours.instructions == plain.instructions and ours.server_info == plain.server_info
        listed = [(await one.list_tools()).tools for one in (plain, ours)]
        assert listed[1][:-1] == listed[0] and listed[1][-1].name == "expand"
        assert listed[1][-1].annotations.read_only_hint
        for name, arguments in (("fail", {"query": "mill"}), ("page", {}), ("nope", {"query": "mill"})):
            before, after = [await one.call_tool(name, arguments) for one in (plain, ours)]
            assert after == before and after.is_error
        assert await ours.read_resource("mill://rooms") == await plain.read_resource("mill://rooms")
        assert await ours.get_prompt("ask") == await plain.get_prompt("ask")
        assert await ours.list_resources() == await plain.list_resources()
        before, after = [await one.call_tool("weather", {"query": "mill"}) for one in (plain, ours)]
        assert after.structured_content == before.structured_content
        before, after = [await one.call_tool("picture", {"query": "Who built the mill?"}) for one in (plain, ours)]
        assert [one for one in after.content if one.type == "image"] == [
            one for one in before.content if one.type == "image"
        ]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_results_are_cut_and_can_be_had_back(tiny: Compressor, mode: str):
    """A long result is shorter by what its note says, keeps its signals, stays JSON, and expand gives all of it."""
    count = TokenCounter()
    async with both(tiny, mode) as (plain, ours):
        for name, arguments in (
            ("read_log", {"path": "mill.log"}),
            ("page", {"query": "Who built it?"}),
            ("rows", {}),
        ):
            before, after = [texts(await one.call_tool(name, arguments)) for one in (plain, ours)]
            [(saved, whole, handle)] = re.findall(
                r'\[([\d,]+) of ([\d,]+) tokens cut; expand\(handle=\\?"(\w+)\\?"\)', "\n".join(after)
            )
            assert int(whole.replace(",", "")) == count("\n".join(before))
            assert int(saved.replace(",", "")) == count("\n".join(before)) - count("\n".join(after)) > 0
            back = await ours.call_tool("expand", {"handle": handle})
            assert (texts(back), back.is_error) == (["\n".join(before)], False)
            if name == "read_log":
                assert "ERROR sluice gate jammed at 40 percent" in after[0]
            if name == "rows":
                assert json.loads(after[0]) and len(after) == len(before)
        lost = await ours.call_tool("expand", {"handle": "nope"})
        assert lost.is_error and "Call the tool that gave the result again" in texts(lost)[0]


async def test_progress_and_cancellation_pass(tiny: Compressor):
    """Progress reaches the client in order; a call that the client gives up ends in the server."""
    seen: list[tuple[float, float | None, str | None]] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    async with both(tiny) as (_, ours):
        result = await ours.call_tool("slow", {"query": "once"}, progress_callback=told)
        assert not result.is_error and "tokens cut" in texts(result)[-1]
        assert seen == [(step, 3, f"step {step}") for step in range(3)]
        upstream_server.cancelled.clear()
        with anyio.move_on_after(0.5) as scope:
            await ours.call_tool("slow", {"query": "forever"})
        assert scope.cancelled_caught
        assert not (await ours.call_tool("page", {"query": "mill"})).is_error
        assert upstream_server.cancelled == ["forever"]


async def test_many_calls_at_once(tiny: Compressor):
    """Each answer belongs to its call, however many are on their way."""
    async with both(tiny) as (_, ours):
        found: dict[int, str] = {}

        async def ask(number: int) -> None:
            name, arguments = ("page", {"query": "mill"}) if number % 2 else ("read_log", {"path": f"{number}.log"})
            found[number] = "\n".join(texts(await ours.call_tool(name, arguments)))

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(ask, number)
        assert len(found) == 8
        assert all(("INFO" in text) == (number % 2 == 0) for number, text in found.items())


async def test_a_client_that_counts_from_zero():
    """The first request of a client may have the id 0; its answer is changed like any other."""
    (to_gate, gate_reads), (gate_writes, client_reads) = (anyio.create_memory_object_stream[Any](4) for _ in "ab")
    (to_server, server_reads), (server_writes, gate_hears) = (anyio.create_memory_object_stream[Any](4) for _ in "ab")
    gateway = Gateway(AgentSettings(compressor=FakeCompressor()))
    async with anyio.create_task_group() as group:
        group.start_soon(gateway.relay, Streams(gate_reads, gate_writes), Streams(gate_hears, to_server))
        await to_gate.send(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=0, method="tools/list")))
        asked = (await server_reads.receive()).message
        answer = JSONRPCResponse(jsonrpc="2.0", id=asked.id, result={"tools": []})
        await server_writes.send(SessionMessage(answer))
        got = (await client_reads.receive()).message
        assert got.id == 0 and [tool["name"] for tool in got.result["tools"]] == ["expand"]
        group.cancel_scope.cancel()
    for stream in (
        to_gate,
        gate_reads,
        gate_writes,
        client_reads,
        to_server,
        server_reads,
        server_writes,
        gate_hears,
    ):
        stream.close()


async def test_short_results_and_failures_of_ours_pass(tiny: Compressor):
    """What is shorter than the minimum, and what could not be compressed, is handed on as it came."""
    for compressor, settings in ((tiny, {"min_tokens": 100_000}), (FakeCompressor(failure=ZeroDivisionError()), {})):
        async with both(compressor, **settings) as (plain, ours):
            for name, arguments in (("page", {"query": "mill"}), ("rows", {})):
                assert await ours.call_tool(name, arguments) == await plain.call_tool(name, arguments)


async def test_over_stdio(tiny_folder: Path, tmp_path: Path):
    """As a client starts it: list, call, progress, an error, cancellation, and the original back."""
    told = tmp_path / "told"
    words = ["--model", str(tiny_folder), "--device", "cpu", "--policy", POLICY]
    command = ["-m", "secateurs", "mcp", "--upstream", f"{sys.executable} {UPSTREAM}", *words]
    async with Client(parameters(*command, MILL_LOG=str(told)), read_timeout_seconds=60) as ours:
        assert {"read_log", "picture", "expand"} <= {tool.name for tool in (await ours.list_tools()).tools}
        result = texts(await ours.call_tool("read_log", {"path": "mill.log"}))[0]
        assert "sluice gate jammed" in result and TokenCounter()(result) < 200
        handle = re.findall(r'handle="(\w+)"', result)[0]
        assert texts(await ours.call_tool("expand", {"handle": handle})) == [upstream_server.LOG]
        assert (await ours.call_tool("fail", {"query": "mill"})).is_error
        with anyio.move_on_after(1):
            await ours.call_tool("slow", {"query": "forever"})
        assert [one.type for one in (await ours.call_tool("picture", {"query": "mill"})).content][-1] == "image"
    assert told.read_text(encoding="utf-8") == "cancelled"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--upstream", " "], "--upstream is blank: name the command"),
        (["--upstream", "'"], "is no command line: No closing quotation"),
        (["--upstream", "x", "--transport", "streamable-http"], "leave --root and --transport out"),
        (["--upstream", "x", "--root", "."], "leave --root and --transport out"),
        (["--upstream", "x", "--min-tokens", "-1"], "--min-tokens must be at least 0"),
    ],
)
def test_wrong_use_is_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    """A mistake of the operator ends with code 2 and says what would be right."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["mcp", *options])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and message in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("upstream", "message"),
    [("/no/such/server", "there is no command"), (f"{sys.executable} -c pass", "ended. What it said is above")],
)
def test_a_server_that_does_not_serve(tiny_folder: Path, upstream: str, message: str):
    """A command that is not there, or ends at once, is told in one line, and nothing waits for it."""
    words = [sys.executable, "-m", "secateurs", "mcp", "--model", str(tiny_folder), "--upstream", upstream]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.wait(60) == 2
        said = process.stderr.read()
    assert message in said and "Traceback" not in said
