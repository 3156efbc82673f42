"""Small corpora with everything in them that goes wrong."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

SENTENCES = [
    "The mill was built in 1842 by Ann Lee. ",
    "It burned down twice, and nobody knows why. ",
    "What causes tides? ",
    "The pull of the Moon causes most of the motion. ",
    "水车建于1842年。",
]
QUERIES = ["Who built the mill?", "What causes tides?"]
BAD = {  # line (from 1): what stands there, and why it cannot be used
    3: ('{"id": 3, bad', "not JSON"),
    5: ('{"id": 5, "q": "x"}', "no 'd': the keys are 'id', 'q'"),
    6: ('{"id": 6, "q": "x", "d": 5}', "'d' holds a number: expected a text or a list of texts"),
    8: ("[1, 2]", "a JSON list: expected an object"),
    9: ('{"id": 9, "q": null, "d": "y"}', "'q' holds a null: expected a text"),
    10: ('{"id": 10, "q": " ", "d": "y"}', "'q' is blank: expected a query"),
    12: ('{"id": 12, "q": "x", "d": ["y", 1]}', "'d'[1] holds a number: expected a text"),
}


def good_row(number: int, *, several: bool = False) -> dict[str, object]:
    chance = random.Random(number)
    texts = ["".join(chance.choices(SENTENCES, k=chance.randint(1, 6))) for _ in range(3)]
    return {"id": number, "q": QUERIES[number % 2], "d": texts if several else texts[0]}


def lines(count: int, *, bad: bool = True) -> list[str]:
    """Lines of which those in BAD are not good, and the last but one is blank."""
    made = [json.dumps(good_row(n), ensure_ascii=bool(n % 2)) for n in range(1, count + 1)]
    for number, (line, _) in BAD.items() if bad else ():
        made[number - 1] = line
    return [*made[:-1], "", made[-1]]


def write_corpus(folder: Path, *, rows: int) -> Path:
    """Two files of JSON lines, one of them compressed and with several documents a row."""
    (folder / "more").mkdir(parents=True)
    (folder / "a.jsonl").write_text("\n".join(lines(rows)) + "\n", encoding="utf-8")
    several = [json.dumps(good_row(n, several=True)) for n in range(rows // 2)]
    with gzip.open(folder / "more" / "b.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(several))
    (folder / "_notes.jsonl").write_text("not input\n")
    return folder


def digest(folder: Path) -> dict[str, bytes]:
    """All that a folder holds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
