"""The server: three tools around one compressor. What goes wrong is a tool error that says what to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.types import CallToolResult, ContentBlock, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from secateurs import __version__
from secateurs.adapters.choice import Asked, change, choose_for_tools
from secateurs.adapters.originals import MAX_BYTES, Originals
from secateurs.adapters.protocol import CompressorLike
from secateurs.errors import Error, in_one_line
from secateurs.mcp.files import Folders
from secateurs.mcp.limits import RefusedError, check_size, shown
from secateurs.policy import Policy, WhenEmpty
from secateurs.result.compression import Compression
from secateurs.result.savings import Savings, TokenCounter
from secateurs.support.surrogates import replace_surrogates

_log = logging.getLogger(__name__)

_INSTRUCTIONS = (
    "Cuts long texts down to the sentences that matter for a query, verbatim, so that they fill less context. "
    "Use it on search results, pages, logs and files before reading them; `expand` returns what was cut."
)
_READS_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_COMPRESS_TEXT = (
    "Cut a text down to the sentences that matter for a query: verbatim, in order, with the tokens saved. "
    "What was cut can be had back with `expand`."
)
_COMPRESS_FILE = (
    "Read a text file, cut down to the sentences that matter for a query: verbatim, in order, with the tokens saved. "
    "What was cut can be had back with `expand`. Files under: {folders}"
)
_EXPAND = "Return what compress_text or compress_file cut from a document: a part, or the whole document as it was."
_TRIES = 8
_CUTS_NAMED = 10  # in the note that every client shows; all are in the structured result

Query = Annotated[str, Field(description="What you want to know from the document, as a question or key words.")]
Least = Annotated[
    float | None,
    Field(description="Keep sentences that score at least this, 0 to 1; lower keeps more. Best left out."),
]
Most = Annotated[int | None, Field(description="Keep at most this many tokens, best sentences first.")]


class SavedTokens(BaseModel):
    """LLM tokens before and after, the note behind the text counted."""

    before: int
    after: int
    saved: int
    saved_fraction: float
    encoding: str
    exact: bool


class CutPart(BaseModel):
    """A run of units that was cut: sentences, list items, rows."""

    start: int = Field(description="First character in the original, from 0.")
    end: int = Field(description="One past its last character.")
    score: float = Field(description="The best score among its units, 0 to 1.")


class Compressed(BaseModel):
    """A document, cut down."""

    text: str = Field(description="What was kept, verbatim, with the headings, table headers and tags it needs.")
    status: str = Field(description="compressed, unchanged (text is the whole document) or dropped (text is empty).")
    reason: str | None = Field(description="Why it is unchanged or dropped.")
    savings: SavedTokens
    spans: list[tuple[int, int]] = Field(description="Where the kept text stands in the original, in characters.")
    cuts: list[CutPart] = Field(description="What was cut; `expand` takes the start and end of one.")
    handle: str | None = Field(description="What to give `expand`; null if nothing was cut.")
    warnings: list[str]
    policy: str | None = Field(description="The rule that decided.")


class Expanded(BaseModel):
    """A part of a document as it was."""

    text: str
    start: int = Field(description="Its first character in the original, from 0.")
    end: int = Field(description="One past its last character.")


def make_server(
    compressor: CompressorLike,
    *,
    policy: Policy | str | None = None,
    when_empty: WhenEmpty | None = None,
    roots: Sequence[Path] = (),
    max_bytes: int = 1_000_000,
    max_kept_bytes: int = MAX_BYTES,
) -> MCPServer:
    """Make an MCP server around a compressor.

    Args:
        compressor: What compresses; shared by all clients.
        policy: Which lines stay where a call does not say, as a policy or its source; None for `ToolOutput()`.
        when_empty: What to do where nothing passes: `"drop"`, `"best"` or `"original"`; None keeps a short document
            whole, and the best lines of a longer one.
        roots: Folders whose files may be read; without one there is no tool that reads files.
        max_bytes: Bytes of a text or a file.
        max_kept_bytes: Memory for originals that `expand` returns; those longest unused are forgotten.

    Returns:
        The server; call its `run`, or mount its `streamable_http_app()`.

    Raises:
        ValueError: A root is no folder, or the policy is none.
    """
    folders = Folders(roots, max_bytes)
    asked = Asked(policy=policy, when_empty=when_empty)
    choose_for_tools(asked, compressor.policy)  # what is wrong is told before the first call
    tools = _Tools(compressor, asked, folders, Originals(max_kept_bytes), max_bytes)
    server = MCPServer("secateurs", instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING")
    add = partial(server.add_tool, annotations=_READS_ONLY)
    add(tools.compress_text, description=_COMPRESS_TEXT)
    if roots:
        add(tools.compress_file, description=_COMPRESS_FILE.format(folders=folders))
    add(tools.expand, description=_EXPAND)
    return server


class _Tools:
    """The tools; their signatures are what a client sees."""

    def __init__(
        self, compressor: CompressorLike, asked: Asked, folders: Folders, originals: Originals, max_bytes: int
    ) -> None:
        self._compressor = compressor
        self._asked = asked
        self._folders = folders
        self._originals = originals
        self._count = TokenCounter(compressor.encoding)
        self._max_bytes = max_bytes

    async def compress_text(
        self,
        query: Query,
        text: Annotated[str, Field(description="The text to cut down.")],
        threshold: Least = None,
        max_tokens: Most = None,
        *,
        context: Context[Any, Any],
    ) -> Annotated[CallToolResult, Compressed]:
        """Compress a text a client sent."""
        with _explained():
            check_size(len(text.encode(errors="surrogatepass")), self._max_bytes, "the text")
            return await self._compress(query, text, Asked(threshold=threshold, max_tokens=max_tokens), context)

    async def compress_file(
        self,
        query: Query,
        path: Annotated[str, Field(description="Path of a text file, absolute or relative to an allowed folder.")],
        threshold: Least = None,
        max_tokens: Most = None,
        *,
        context: Context[Any, Any],
    ) -> Annotated[CallToolResult, Compressed]:
        """Compress a file under the folders."""
        with _explained():
            text = await asyncio.to_thread(self._folders.read, path)
            return await self._compress(query, text, Asked(threshold=threshold, max_tokens=max_tokens), context)

    async def expand(
        self,
        handle: Annotated[str, Field(description="The handle of a compressed document.")],
        start: Annotated[int | None, Field(description="First character to return; leave out for the first.")] = None,
        end: Annotated[int | None, Field(description="One past the last to return; leave out for the end.")] = None,
        *,
        context: Context[Any, Any],
    ) -> Annotated[CallToolResult, Expanded]:
        """Return what was cut, or the whole."""
        with _explained():
            original = self._originals.get(handle.strip(), _session(context))
            if original is None:
                raise RefusedError(
                    f"nothing is kept under {shown(handle)}: originals are forgotten when newer ones need their "
                    "place, and when the server restarts. Compress the document again."
                )
            first, last = start or 0, len(original) if end is None else end
            if not 0 <= first < last <= len(original):
                raise RefusedError(
                    f"there is no part from {first} to {last}: this document has the characters 0 to "
                    f"{len(original)}. Take `start` and `end` from its `cuts`, or leave both out for all of it."
                )
        text = original[first:last]
        return _result([text], Expanded(text=text, start=first, end=last))

    async def _compress(self, query: str, text: str, asked: Asked, context: Context[Any, Any]) -> CallToolResult:
        if not query.strip():
            raise RefusedError("the query is blank. Pass what you want to know from the document.")
        text = replace_surrogates(text)  # no answer could carry half a character
        own = choose_for_tools(self._asked, self._compressor.policy)
        policy = change(own, asked)
        result = (await self._compressor.acompress(query, [text], policy=policy))[0]
        if result.status == "error":
            raise RefusedError(f"the document could not be compressed ({result.reason}). Read it as it is.")
        cuts, session = _cuts(result), _session(context)
        note = _noted(result, cuts, self._originals.handle(text, session), self._count) if cuts else None
        if cuts and note is None:  # with a note that says so it would be no shorter
            result, cuts = _left_alone(result), []
        handle = None if note is None else self._originals.put(text, session)
        savings = result.savings if note is None else note.savings
        data = Compressed(
            text=result.text,
            status=result.status,
            reason=result.reason,
            savings=SavedTokens(**savings.to_dict()),
            spans=[(start, end) for start, end in result.spans],
            cuts=cuts,
            handle=handle,
            warnings=list(result.warnings),
            policy=result.policy,
        )
        return _result([block for block in (result.text, note.text if note else "") if block], data)


def _session(context: Context[Any, Any]) -> str:
    """Return what names a client's session over HTTP, which the SDK has checked; "" where a server has but one."""
    return "" if context.headers is None else context.headers.get(MCP_SESSION_ID_HEADER, "")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what goes wrong in a call into a tool error; what stops a task or the process passes."""
    try:
        yield
    except (RefusedError, Error, ValueError) as error:
        raise ToolError(str(error)) from error
    except Exception as error:
        _log.warning("a tool call failed: %s", in_one_line(error))
        _log.debug("where it came from", exc_info=error)
        raise ToolError(f"the call failed ({type(error).__name__}: {error}). Read the document as it is.") from error


def _cuts(result: Compression) -> list[CutPart]:
    """Return what was cut from a document, neighbours merged, in source order."""
    cuts: list[CutPart] = []
    for one in result.cut:
        if cuts and cuts[-1].end == one.start:
            cuts[-1] = CutPart(start=cuts[-1].start, end=one.end, score=max(cuts[-1].score, one.score))
        else:
            cuts.append(CutPart(start=one.start, end=one.end, score=one.score))
    return cuts


class _Note(NamedTuple):
    """What stands after a text that was cut, and what is saved with it."""

    text: str
    savings: Savings


def _noted(result: Compression, cuts: Sequence[CutPart], handle: str, count: TokenCounter) -> _Note | None:
    """Return the note of a result, itself counted; None where the document would not be shorter with it."""
    before, exact = result.savings.before, result.savings.exact
    saved = result.savings.saved
    for _ in range(_TRIES):  # what it says changes how long it is
        text = _note(result, saved, cuts, handle)
        after = result.savings.after + count(text)
        if after >= before:
            return None
        if not result.text or saved == before - after:
            return _Note(text, count.savings(before, after, exact=exact))
        saved = before - after
    return None


def _left_alone(result: Compression) -> Compression:
    """Return a document as it is: with our note it would be no shorter."""
    sentences = tuple(replace(one, kept=True) for one in result.sentences)
    savings = replace(result.savings, after=result.savings.before)
    return replace(
        result,
        text=result.original,
        sentences=sentences,
        savings=savings,
        status="unchanged",
        reason="no_gain",
    )


def _note(result: Compression, saved: int, cuts: Sequence[CutPart], handle: str) -> str:
    """Say, after the text, what is missing and how to get it."""
    before = result.savings.before
    what = f"{saved:,} of {before:,} tokens cut" if result.text else "nothing in it answers the query"
    named = [f"{cut.start}-{cut.end}" for cut in cuts[:_CUTS_NAMED]]
    where = ", ".join(named if len(cuts) <= _CUTS_NAMED else [*named, "..."])
    return (
        f'[{what}, at {where}; expand(handle="{handle}") returns the whole document, with start and end a part of it]'
    )


def _result(blocks: Sequence[str], data: BaseModel) -> CallToolResult:
    content: list[ContentBlock] = [TextContent(type="text", text=block) for block in blocks]
    return CallToolResult(content=content, structured_content=data.model_dump(mode="json"))
