"""Whether a caller named this service by a name of its own.

A page of another site can have its own name lead to 127.0.0.1 (DNS rebinding); a browser then takes the service for a
part of that site, and lets its scripts read what it answers. What such a request cannot hide is the name it was sent
to: its `Host`. Nobody else can make an address in numbers, or `localhost`, lead here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

_LONGEST = 255  # characters of a name
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]*)?")


def check_names(names: Iterable[str]) -> frozenset[str]:
    """Return names as `is_ours` compares them.

    Raises:
        ValueError: One is no name of a host.

    Example:
        >>> sorted(check_names(["Pruner.Example."]))
        ['pruner.example']
    """
    found = set()
    for name in names:
        if not isinstance(name, str) or not name.strip(".") or not name.isascii() or set(name) & set(" /:@*"):
            raise ValueError(f"a host must be a name such as pruner.example, without a port, got {name!r}")
        found.add(_plain(name))
    return frozenset(found)


def is_ours(host: bytes, names: frozenset[str]) -> bool:
    """Return whether a `Host` header has a name of ours, `localhost`, or an address in numbers.

    Example:
        >>> [is_ours(host, frozenset()) for host in (b"127.0.0.1:8080", b"[::1]", b"localhost")]
        [True, True, True]
        >>> [is_ours(host, frozenset()) for host in (b"127.0.0.1.evil.example", b"localhost@evil.example")]
        [False, False]
        >>> is_ours(b"pruner.example:80", frozenset({"pruner.example"}))
        True
    """
    text = host.decode("latin-1")
    if len(text) > _LONGEST:
        return False
    found = _HOST.fullmatch(text)
    if found is None:
        return False
    name = _plain(found["six"] or found["name"])
    return name in names or name == "localhost" or name.endswith(".localhost") or _is_address(name)


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
