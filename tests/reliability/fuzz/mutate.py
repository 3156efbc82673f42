"""Changes to bytes that a JSON reader gets past its parser: what a byte-wise fuzzer takes hours to find by chance."""

from __future__ import annotations

import json
from random import Random
from typing import Any

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 16, 255, 10**9, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**12),
    *(10**400, -(10**400), 0.5, -0.5, 1e-320, 1e308, float("nan"), float("inf"), -float("inf")),
    *("", "x", "\0", "\ud800", "a" * 1000, "../x", "/etc/passwd", "\x1b[2J", "[/bold]", "<unk>", "</s>", "1", "水"),
    *([], {}, [[]], [None], [0], {"": None}, [1, 2, 3], [[0, 0]], [2**63, 0], "(a+)+$", "(a|a)*b", " {2,}"),
)
TOKENS = (
    b"\0",
    b"\xff",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"1e999",
    b"-",
    b"\\ud800",
    b"NaN",
    b"\xef\xbb\xbf",
)
_DEEP = 100_000


def mutate(data: bytes, random: Random, *, most: int = 1 << 16) -> bytes:
    """Return data that differ a little: as JSON where they are some, else as bytes."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(data, random)[:most]
    if random.random() < 0.1:
        return mutate_bytes(data, random)[:most]
    holder = [tree]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _mutate_tree(holder, random)
    changed = _write(holder[0])
    if random.random() < 0.01:
        changed = b"[" * _DEEP + changed
    return changed if len(changed) <= most else data


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """Return bytes with some removed, doubled, flipped or put in."""
    for _ in range(random.choice((1, 1, 2, 4))):
        first = random.randrange(len(data) + 1)
        last = min(len(data), first + random.choice((0, 1, 2, 8, 64)))
        middle = random.choice((b"", data[first:last] * 2, bytes([random.randrange(256)]), random.choice(TOKENS)))
        data = data[:first] + middle + data[last:]
    return data


def _write(tree: Any) -> bytes:
    try:
        return json.dumps(tree).encode()
    except (ValueError, RecursionError):  # a number of too many digits is written by hand only
        return b"1" * 5000


def _mutate_tree(holder: list[Any], random: Random) -> None:
    """Change one place of a tree, whichever depth it has."""
    parent, key = holder, 0
    while isinstance(parent[key], (dict, list)) and parent[key] and random.random() < 0.85:
        parent, key = parent[key], random.choice(list(_keys(parent[key])))
    action = random.randrange(6)
    if action == 0 and parent is not holder:
        del parent[key]
    elif action == 1:
        places = list(_keys(parent))
        other = random.choice(places)
        parent[key], parent[other] = parent[other], parent[key]
    elif action == 2 and isinstance(parent[key], (dict, list)):
        _grow(parent[key], random)
    elif action == 3 and isinstance(parent[key], (int, float)) and parent[key] == parent[key]:
        parent[key] = random.choice(
            (parent[key] + 1, parent[key] - 1, -parent[key], parent[key] * 2, str(parent[key]))
        )
    elif action == 4 and isinstance(parent[key], str):
        parent[key] = mutate_bytes(parent[key].encode("utf-8", "surrogatepass"), random).decode("utf-8", "replace")
    else:
        parent[key] = random.choice(HOSTILE)


def _keys(tree: Any) -> Any:
    return tree.keys() if isinstance(tree, dict) else range(len(tree))


def _grow(tree: Any, random: Random) -> None:
    value = random.choice([*HOSTILE, *(tree.values() if isinstance(tree, dict) else tree)])
    if isinstance(tree, list):
        tree.insert(random.randrange(len(tree) + 1), value)
    else:
        key = random.choice(HOSTILE)
        tree[key if isinstance(key, str) else random.choice(list(tree) or ["x"])] = value
