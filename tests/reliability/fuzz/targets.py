"""What is fuzzed: each target takes bytes, and raises where a law is broken and never else.

The law is everywhere the same: hostile bytes end in the documented error, or in a result that keeps its promises.
`tests`, `tests/checkpoints`, `tests/reliability` and this folder must be on the path.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import tiny
import torch
from hostile_parts import small_tokenizer
from mutate import mutate, mutate_bytes

from secateurs import Compressor, Policy
from secateurs.annotate.answers import Reply, UnusableError, parse
from secateurs.checkpoints import load
from secateurs.checkpoints.catalogue import explain
from secateurs.errors import CheckpointError
from secateurs.serve import ServiceSettings, create_app
from secateurs.train.checks import read_config
from secateurs.train.config import ConfigError

QUERY = "Who built the mill?"
DOCUMENT = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why.\n\n水车 </s> <pad>."


class BrokenLawError(Exception):
    """A law does not hold."""


class Target(ABC):
    """Something that reads bytes of strangers."""

    name: str

    @abstractmethod
    def seeds(self) -> list[bytes]:
        """Return inputs to begin with; the first byte of most chooses a variant."""

    @abstractmethod
    def __call__(self, data: bytes) -> bool:
        """Read an input; tell whether it was accepted."""

    def close(self) -> None:  # noqa: B027 - most have nothing to remove
        """Remove what it wrote."""

    def mutate(self, data: bytes, random: Random) -> bytes:
        """Return an input that differs a little."""
        return data[:1] + mutate(data[1:], random)


class Checkpoints(Target):
    """One file of a checkpoint is hostile: it is refused as a CheckpointError, or it loads and compresses.

    The first byte of an input chooses a folder.
    """

    file: str

    def __init__(self) -> None:
        self.root = Path(
            tempfile.mkdtemp(prefix="secateurs-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        )
        self.folders = list(self.make())

    def close(self) -> None:
        """Remove the folders."""
        shutil.rmtree(self.root)

    @abstractmethod
    def make(self) -> Iterator[tuple[Path, str | None]]:
        """Write folders, and yield them with the family that must be named."""

    def seeds(self) -> list[bytes]:
        """Return the files as they are."""
        return [bytes([n]) + (folder / self.file).read_bytes() for n, (folder, _) in enumerate(self.folders)]

    def __call__(self, data: bytes) -> bool:
        """Load a checkpoint with this file, and compress with it."""
        folder, family = self.folders[(data[0] if data else 0) % len(self.folders)]
        (folder / self.file).write_bytes(data[1:])
        try:
            checkpoint = load(folder, family=family, device=torch.device("cpu"), dtype=torch.float32)
        except CheckpointError as error:
            check_message(error)
            explained = explain(folder, family).problem
            if explained is None:
                raise BrokenLawError(f"refused, and explained as sound: {error}") from error
            return False
        with Compressor(checkpoint) as compressor:
            result = compressor.compress(QUERY, [DOCUMENT])[0]
        if result.status == "error" and not self.may_fail(result.reason or ""):
            raise BrokenLawError(f"it loads, and fails on a plain document: {result.reason}")
        if "".join(sentence.text for sentence in result.sentences) != DOCUMENT:
            raise BrokenLawError("the sentences are not the document")
        return True

    def may_fail(self, reason: str) -> bool:
        """Tell whether a document may come back whole for this reason."""
        return "not finite" in reason


class Config(Checkpoints):
    """`config.json`."""

    name, file = "config", "config.json"

    def make(self) -> Iterator[tuple[Path, str | None]]:
        """Write a tiny checkpoint of each kind."""
        from build import KINDS, build

        for kind in KINDS:
            build(kind, self.root / kind)
            yield self.root / kind, "opensearch" if kind == "opensearch" else None


class TokenizerFile(Checkpoints):
    """`tokenizer.json`."""

    name, file = "tokenizer", "tokenizer.json"

    def make(self) -> Iterator[tuple[Path, str | None]]:
        """Write a checkpoint for each kind of tokenizer."""
        for kind in ("words", "pieces", "bpe", "unigram"):
            yield (
                tiny.tiny_checkpoint(
                    self.root / kind, width=4, layers=1, max_length=32, tokenizer=small_tokenizer(kind)
                ),
                None,
            )

    def may_fail(self, reason: str) -> bool:
        """A tokenizer may be unable to read one text and not another: that document comes back whole."""
        return True


class Weights(Checkpoints):
    """`model.safetensors`; the JSON of its header is changed as JSON."""

    name, file = "weights", "model.safetensors"

    def make(self) -> Iterator[tuple[Path, str | None]]:
        """Write one checkpoint of a few thousand bytes."""
        yield (
            tiny.tiny_checkpoint(
                self.root / "weights", width=4, layers=1, max_length=16, tokenizer=small_tokenizer()
            ),
            None,
        )

    def mutate(self, data: bytes, random: Random) -> bytes:
        """Change the header and leave the data, or change any byte."""
        size = struct.unpack("<Q", data[1:9])[0] if len(data) > 9 else 0
        if not 0 < size <= len(data) - 9 or random.random() < 0.15:
            return mutate_bytes(data, random)
        header, rest = mutate(data[9 : 9 + size], random), data[9 + size :]
        return data[:1] + struct.pack("<Q", len(header)) + header + rest


class Index(Checkpoints):
    """`model.safetensors.index.json`."""

    name, file = "index", "model.safetensors.index.json"

    def make(self) -> Iterator[tuple[Path, str | None]]:
        """Write one checkpoint in two shards."""
        from safetensors.torch import load_file, save_file

        folder = tiny.tiny_checkpoint(
            self.root / "index", width=4, layers=1, max_length=16, tokenizer=small_tokenizer()
        )
        held = load_file(folder / "model.safetensors")
        homes = {name: f"model-{number % 2}.safetensors" for number, name in enumerate(sorted(held))}
        for shard in set(homes.values()):
            save_file({name: held[name] for name in held if homes[name] == shard}, folder / shard)
        (folder / "model.safetensors").unlink()
        (folder / self.file).write_text(json.dumps({"metadata": {}, "weight_map": homes}), encoding="utf-8")
        yield folder, None


def check_message(error: Exception) -> None:
    """Refuse a message that a terminal or a log could not take as one line."""
    message = str(error)
    if not message.isprintable():
        raise BrokenLawError(f"the message has control characters: {message!r}")
    if len(message) > 1500:
        raise BrokenLawError(f"the message has {len(message)} characters: {message[:200]}")


class Http(Target):
    """Bodies of the service: an answer below 500, in JSON, and no document that fails."""

    name = "http"
    PATHS = ("/v1/compress", "/v1/highlight", "/v1/rerank")
    KINDS = (
        (b"application/json",),
        (),
        (b"text/plain",),
        (b"application/json; charset=utf-16",),
        (b"multipart/form-data",),
    )

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="secateurs-fuzz-"))
        self.compressor = Compressor.from_pretrained(tiny.tiny_checkpoint(self.folder), device="cpu")
        self.app = create_app(
            self.compressor,
            ServiceSettings(max_documents=50, max_document_characters=20_000, max_query_characters=2_000),
        )
        self.loop = asyncio.new_event_loop()
        self.context = self.app.router.lifespan_context(self.app)
        self.loop.run_until_complete(self.context.__aenter__())

    def close(self) -> None:
        """Shut the service down."""
        self.loop.run_until_complete(self.context.__aexit__(None, None, None))
        self.loop.close()
        self.compressor.close()
        shutil.rmtree(self.folder)

    def seeds(self) -> list[bytes]:
        """Return a full body for each address."""
        compress = {"query": QUERY, "documents": [DOCUMENT, ""], "threshold": 0.3, "top_k": 2, "max_tokens": 50}
        pairs = {"pairs": [[QUERY, DOCUMENT]], "policy": "Default() | Neighbours(1, 1)", "max_total_tokens": 9}
        options = {
            "encoding": "cl100k_base",
            "return_steps": True,
            "return_texts": False,
            "timeout": 5,
            "model": None,
        }
        highlight = {"queries": [QUERY], "texts": [[DOCUMENT]], "pre_tags": ["<b>"], "post_tags": ["</b>"]}
        flags = {"threshold": 0.3, "highlight_only": False, "escape": "none"}
        rerank = {
            "query": QUERY,
            "documents": [DOCUMENT, {"text": "It burned."}],
            "top_n": 1,
            "return_documents": True,
        }
        bodies = ((0, compress), (0, pairs | options), (1, highlight), (1, highlight | flags), (2, rerank))
        return [bytes([path]) + json.dumps(body).encode() for path, body in bodies]

    def __call__(self, data: bytes) -> bool:
        """Send a body."""
        head = data[0] if data else 0
        path, kind = self.PATHS[head % 3], self.KINDS[head // 3 % len(self.KINDS) if head >= 128 else 0]
        status, answer = self.loop.run_until_complete(asyncio.wait_for(self.post(path, kind, data[1:]), 10))
        if status >= 500 and status != 504:  # an input may ask for a deadline that cannot be kept
            raise BrokenLawError(f"{path} answers {status}: {answer[:300]!r}")
        found = json.loads(answer)
        if status >= 400 and not ({"type", "message"} <= set(found["error"])):
            raise BrokenLawError(f"{path} answers {status} without a reason: {answer[:300]!r}")
        documents = found.get("documents", []) if path == self.PATHS[0] else []
        for document in documents:
            if isinstance(document, dict) and document.get("status") == "error":
                raise BrokenLawError(f"a document fails: {document['reason']}")
        return status == 200

    async def post(self, path: str, kind: tuple[bytes, ...], body: bytes) -> tuple[int, bytes]:
        """Send a body to the application and return its status and its answer."""
        headers = [(b"host", b"x"), *((b"content-type", value) for value in kind)]
        scope = {
            **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http"},
            **{"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers},
            **{"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)},
        }
        unread, sent = [body], []

        async def receive() -> dict[str, Any]:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


class PolicySource(Target):
    """Sources of policies: a ValueError, or a policy whose `repr` is read back as itself."""

    name = "policy"

    def seeds(self) -> list[bytes]:
        """Return one of each."""
        sources = (
            "Threshold(0.5)",
            "(Threshold(0.3, when_empty='best') | Neighbours(before=1)) & TokenBudget(9)",
            "TopK(3)",
        )
        return [source.encode() for source in sources]

    def mutate(self, data: bytes, random: Random) -> bytes:
        """Put in pieces of the language."""
        pieces = (
            b"Threshold(",
            b"TopK(",
            b"TokenBudget(",
            b"Neighbours(",
            b")",
            b"|",
            b"&",
            b"(",
            b"*[1]",
            b"**{'k':1}",
            b"1j",
        )
        first = random.randrange(len(data) + 1)
        piece = random.choice((*pieces, b"0.5", b"-1", b"1e999", b"True", b"None", b"k=", b"'" * 3, b"9" * 5000))
        return mutate_bytes(data[:first] + piece + data[first:], random)

    def __call__(self, data: bytes) -> bool:
        """Read a source."""
        try:
            policy = Policy.parse(data.decode("utf-8", "surrogateescape"))
        except ValueError:
            return False
        try:
            again = Policy.parse(repr(policy))
        except ValueError as error:
            raise BrokenLawError(f"{policy!r} is not read back") from error
        if again != policy:
            raise BrokenLawError(f"{policy!r} is read back as {again!r}")
        return True


class TrainFile(Target):
    """Configs of training runs: a ConfigError, or settings."""

    name = "train"

    def __init__(self) -> None:
        self.file = Path(tempfile.mkdtemp(prefix="secateurs-fuzz-")) / "config.toml"

    def close(self) -> None:
        """Remove the file."""
        shutil.rmtree(self.file.parent)

    def seeds(self) -> list[bytes]:
        """Return the recipes that come along, and a short one."""
        import secateurs.train

        recipes = sorted((Path(secateurs.train.__file__).parent / "recipes").glob("*.toml"))
        short = b"[[sources]]\npath='x.jsonl'\nshare=1\n[run]\nsteps=5\n[loss]\nspan=0.5\n[dev]\nfiles=['x']\n"
        return [short, *(path.read_bytes() for path in recipes)]

    def mutate(self, data: bytes, random: Random) -> bytes:
        """Put in pieces of the language."""
        pieces = (
            b"[",
            b"]",
            b"[[sources]]\n",
            b"=",
            b"nan",
            b"inf",
            b"1979-05-27",
            b"{}",
            b"{a=1}",
            b"[" * 5000,
            b"-1",
        )
        first = random.randrange(len(data) + 1)
        return mutate_bytes(data[:first] + random.choice(pieces) + data[first:], random)

    def __call__(self, data: bytes) -> bool:
        """Read a config."""
        self.file.write_bytes(data)
        try:
            read_config(self.file)
        except ConfigError:
            return False
        return True


class AnswerOfLabeller(Target):
    """Answers of a labelling LLM: set aside with a reason, or numbers of sentences that were shown."""

    name = "answer"

    def seeds(self) -> list[bytes]:
        """Return answers as they should be."""
        answer = b'{"reasoning": "2 says so", "answer_found": true, "sentences": [2]}'
        return [answer, b"```json\n" + answer + b"\n```", b"<think>hm</think>" + answer]

    def mutate(self, data: bytes, random: Random) -> bytes:
        """Change an answer as JSON where it is some."""
        return mutate(data, random)

    def __call__(self, data: bytes) -> bool:
        """Read an answer."""
        try:
            numbers = parse(Reply(data.decode("utf-8", "surrogateescape")), 3).numbers
        except UnusableError:
            return False
        if not numbers <= {1, 2, 3} or (b"2" in data) < (2 in numbers):
            raise BrokenLawError(f"{sorted(numbers)} of 3 sentences")
        return True


TARGETS: dict[str, Callable[[], Target]] = {
    target.name: target
    for target in (Config, TokenizerFile, Weights, Index, Http, PolicySource, TrainFile, AnswerOfLabeller)
}
