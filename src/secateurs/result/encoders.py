"""Where tiktoken's encodings come from: two are package data, the others from tiktoken's cache or the network.

No caller waits for another's download: each encoding is loaded on its own, the bundled ones apart from all others,
and for those that may need a network there is a time limit. Meanwhile, and where that failed, `o200k_base` stands in.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import time
from binascii import a2b_base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from secateurs.support.fork import ForkLock

if TYPE_CHECKING:
    import tiktoken

BUNDLED = ("o200k_base", "cl100k_base")
_SAME_RANKS = {"o200k_harmony": "o200k_base"}  # differs in special tokens only, which plain text never becomes
_PATIENCE = 10.0  # seconds for the first caller of an encoding that may have to be downloaded
_AGAIN = 60.0  # seconds until what could not be had is asked for again

_LOCKS: Mapping[str, ForkLock] = {name: ForkLock() for name in BUNDLED}
_LOADED: dict[str, tiktoken.Encoding] = {}
_READY: dict[str, Encoder] = {}
_FOREIGN: dict[str, _Foreign] = {}


@dataclass(frozen=True, slots=True)
class Encoder:
    """What counts at the moment.

    Attributes:
        encoding: tiktoken's encoding.
        exact: Whether it is the one that was asked for.
    """

    encoding: tiktoken.Encoding
    exact: bool


def check_encoding(name: str) -> None:
    """Check the name of an encoding.

    Raises:
        TypeError: It is no string.
        ValueError: tiktoken knows no such encoding.
    """
    if not isinstance(name, str):
        raise TypeError(f"encoding must be the name of a tiktoken encoding, got {name!r}")
    if not is_bundled(name) and name not in _known():
        _known.cache_clear()  # a plugin may have come since
        if name not in _known():
            raise ValueError(
                f"unknown encoding {name!r}: tiktoken knows {', '.join(sorted(_known()))}. "
                "For a model's name, ask tiktoken.encoding_name_for_model(model)."
            )


def is_bundled(name: str) -> bool:
    """Return whether an encoding needs neither cache nor network."""
    return name in BUNDLED or name in _SAME_RANKS


def find_encoder(name: str) -> Encoder:
    """Return what counts in an encoding, whose name was checked; loads it the first time."""
    ready = _READY.get(name)
    if ready is not None:
        return ready
    if is_bundled(name):
        return _READY.setdefault(name, Encoder(bundled(_SAME_RANKS.get(name, name)), exact=True))
    found = _FOREIGN.setdefault(name, _Foreign(name)).get()  # setdefault is atomic
    return Encoder(bundled(BUNDLED[0]), exact=False) if found is None else Encoder(found, exact=True)


def bundled(name: str) -> tiktoken.Encoding:
    """Return one of the encodings that are package data.

    Raises:
        RuntimeError: Its file is damaged.
    """
    if name not in _LOADED:
        with _LOCKS[name]:  # two threads would otherwise both read 200,000 ranks
            if name not in _LOADED:
                _LOADED[name] = _read(name)
    return _LOADED[name]


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    """Return the names that tiktoken knows; remembered, as it waits for downloads before it tells them."""
    import tiktoken

    return frozenset(tiktoken.list_encoding_names())


class _Foreign:
    """An encoding that tiktoken finds in its cache or downloads, without a time limit of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = ForkLock()  # never held while anything is waited for
        self._found: tiktoken.Encoding | None = None
        self._loading: threading.Thread | None = None
        self._begun: float | None = None  # seconds of the monotonic clock
        self._due = 0.0

    def get(self) -> tiktoken.Encoding | None:
        """Return the encoding; None where it cannot be had, or not yet."""
        if self._found is None:
            loading, first = self._load()
            left = 0.0 if first is None else first + _PATIENCE - time.monotonic()
            if loading is not None and left > 0:
                loading.join(left)
        return self._found

    def _load(self) -> tuple[threading.Thread | None, float | None]:
        """Begin to load, if it is time to; return who does, and when the first one began."""
        with self._lock:
            now = time.monotonic()
            idle = self._loading is None or not self._loading.is_alive()  # in a fork, the parent's is not
            if idle and now >= self._due:
                self._loading = threading.Thread(target=self._ask, name=f"tiktoken {self._name}", daemon=True)
                self._loading.start()
                self._begun = now if self._begun is None else self._begun
                self._due = now + _AGAIN
            return self._loading, self._begun

    def _ask(self) -> None:
        import tiktoken

        with suppress(Exception):  # whatever kept it from cache and network: a flagged count is better than none
            self._found = tiktoken.get_encoding(self._name)


def _read(name: str) -> tiktoken.Encoding:
    import tiktoken

    folder = files("secateurs.result") / "encodings"
    facts = json.loads((folder / "encodings.json").read_text(encoding="utf-8"))[name]
    ranks = gzip.decompress((folder / f"{name}.tiktoken.gz").read_bytes())
    if hashlib.sha256(ranks).hexdigest() != facts["sha256"]:
        raise RuntimeError(
            f"the rank file of {name} in this installation is damaged (checksum differs). Reinstall secateurs."
        )
    words = ranks.split()  # a token in base64 and its rank, a line each
    return tiktoken.Encoding(
        name,
        pat_str=facts["pattern"],
        mergeable_ranks=dict(zip(map(a2b_base64, words[::2]), map(int, words[1::2]), strict=True)),
        special_tokens=facts["special_tokens"],
    )
