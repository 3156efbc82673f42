"""A real browser for the page's tests, and what a reader sees in it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# The contrast of every visible text with what lies behind it, as WCAG 2 defines it.
_CONTRAST = """
() => {
  const channel = (v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const parse = (text) => ({ rgb: numbers(text).slice(0, 3), a: numbers(text)[3] ?? 1 });
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    const over = (below, { rgb, a }) => below.map((value, i) => value * (1 - a) + rgb[i] * a);
    return layers.reverse().reduce(over, [255, 255, 255]);
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const text = walk.currentNode.data.trim();
    if (!text || element.closest("script, .unseen, button:disabled") || !element.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color).rgb), light(ground(element))].sort((x, y) => y - x);
    found.push({ ratio: (a + .05) / (b + .05), text });
  }
  return found;
}
"""


def _find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("SECATEURS_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def launched() -> Iterator[Any]:
    """Run a headless Chromium; the body of a fixture, for one module, whose tests are then none of asyncio's."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright, which drives the browser, is not installed: pip install playwright")
    path = _find_chromium()
    if path is None:
        pytest.skip("no Chromium on this machine: install chromium, or name one in SECATEURS_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass(frozen=True)
class View:
    """A page in a browser, as a reader sees it."""

    tab: Any
    requests: list[str]

    def text(self, selector: str) -> str:
        """What stands in the first element of a selector."""
        return self.tab.locator(selector).first.inner_text()

    def wait(self, selector: str, words: str = "") -> None:
        """Wait until an element has words in it; any, if none are given."""
        # not wait_for_function: that evaluates strings in the page, which the page's policy forbids
        self.tab.locator(selector).filter(has_text=words or re.compile(r"\S")).wait_for(state="attached")

    def move(self, threshold: float) -> None:
        """Type a threshold."""
        self.tab.fill("#threshold", repr(threshold))

    def kept(self) -> list[list[str]]:
        """The texts of the sentences that are not cut, one list a document, as shown."""
        code = (
            "all => all.map(a => [...a.querySelectorAll('.sentence:not(.cut) .text')].map(text => text.textContent))"
        )
        return self.tab.locator("article").evaluate_all(code)

    def frames(self) -> list[list[str]]:
        """The texts of the units that are shown as kept with others, one list a document."""
        code = "all => all.map(a => [...a.querySelectorAll('.frame .text')].map(text => text.textContent))"
        return self.tab.locator("article").evaluate_all(code)

    def contrasts(self) -> dict[str, float]:
        """The contrast of every visible text with its ground, 1 to 21; disabled buttons left out."""
        return {item["text"]: item["ratio"] for item in self.tab.evaluate(_CONTRAST)}

    def names(self) -> list[str]:
        """The names of the documents, in the order shown."""
        return self.tab.locator("article h3").all_inner_texts()


def showing(chromium: Any, folder: Path) -> Iterator[Callable[..., View]]:
    """Give a function that opens an address, or a page saved to a file; no page may complain in the console."""
    complaints: list[str] = []
    contexts = []

    def go(page: str, *, width: int = 1280, height: int = 800, **options: Any) -> View:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(20_000)
        requests: list[str] = []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        if not page.startswith("http"):
            file = folder / "page.html"
            file.write_text(page, encoding="utf-8")
            page = file.as_uri()
        tab.goto(page)
        return View(tab, requests)

    yield go
    for context in contexts:
        context.close()
    # a refused request is the browser's own line there, and what the page does about it is the test's to see
    assert [line for line in complaints if not line.startswith("Failed to load resource")] == []
