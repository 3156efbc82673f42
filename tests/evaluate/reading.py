"""A reader and a judge with simple rules on loopback, who misbehave as the query tells them to.

The reader answers with the first sentence of the documents that holds the query's last word, else with the agreed
words for no answer. The judge calls right what shares that sentence with the reference. A query may begin with the
name of a trick, `[prose] Who built the mill?`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from misbehaving import Handler, Server, serving

CASES = [
    ("mill", "The mill was built in 1842 by Ann Lee.", "en"),
    ("tides", "The pull of the Moon causes most of the tides.", "en"),
    ("水车", "水车建于1842年。", "zh"),
    ("nothing", "", "en"),
]
FILLER = [
    "It burned down twice, and nobody knows why.",
    "Who knows? The motion was built by nobody.",
    "没有人知道原因。",
]


def make_row(number: int, trick: str = "") -> dict[str, Any]:
    """Return a question with three documents, one of which answers; every fourth has no answer."""
    word, answer, lang = CASES[number % len(CASES)]
    query = f"[{trick}] {number} what of {word}" if trick else f"{number} what of {word}"
    texts = [
        f"{FILLER[0]} {FILLER[1]}",
        f"{FILLER[1]} {FILLER[number % 3]} {answer}".strip(),
        f"{FILLER[2]} {FILLER[0]}",
    ]
    row = {"id": f"c{number}", "query": query, "documents": texts, "lang": lang, "kind": "QK"[number % 2]}
    return {**row, "answer": answer} if answer else {**row, "unanswerable": "it says nothing of it"}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def answer_of(prompt: str) -> str:
    """Return what the reader says."""
    documents, _, query = prompt.rpartition("问题：" if "文档：" in prompt else "Question:")
    word = query.split()[-1]
    for sentence in re.split(r"(?<=[.?。])\s*", documents):
        if word in sentence:
            return sentence.strip()
    return "没有答案。" if "文档：" in prompt else "NO ANSWER"


def verdict_on(prompt: str) -> str:
    """Return what the judge says."""
    parts = {head: text.strip() for head, text in re.findall(r"^(\w+)[:：]\n(.*?)(?=\n\n|\Z)", prompt, re.M | re.S)}
    reference = parts.get("Reference", parts.get("参考", ""))
    answer = parts.get("Answer", parts.get("回答", ""))
    found = "right" if answer in reference or reference in answer else "wrong"
    return json.dumps({"reasoning": "by its words", "verdict": found})


class Reading(Handler):
    """Answers and judges."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.guard:
            self.server.requests.append(body)
            self.server.keys.add(self.headers.get("Authorization", ""))
        system, prompt = (message["content"] for message in body["messages"])
        judging = "verdict" in system
        found = re.search(r"^\[([\w-]+)\] \d", prompt, re.M)
        trick = found[1] if found else ""
        if trick == "slow" and not judging:
            time.sleep(0.6)
        if trick == "422" and not judging:
            return self.fail(422, "unprocessable")
        if trick == "refusal" and not judging:
            return self.complete(content=None, refusal="I will not.")
        if trick == "cut" and not judging:
            return self.complete(content="It is", finish="length")
        if trick == "prose" and judging:
            return self.complete(content="Well, it seems right to me.")
        if trick == "swayed" and judging:  # by what comes first
            first = "right" if prompt.index("Reference:") < prompt.index("Answer:") else "wrong"
            return self.complete(content=first)
        return self.complete(content=verdict_on(prompt) if judging else f"<think>so</think>{answer_of(prompt)}")


@contextmanager
def a_reader() -> Iterator[Server]:
    """Run it."""
    with serving() as server:
        server.RequestHandlerClass = Reading
        yield server
