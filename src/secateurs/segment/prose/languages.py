"""Which language a text is in: by its script, and for Latin script by the small words that every sentence has."""

from __future__ import annotations

import re
from collections import Counter

_SCRIPT = re.compile(
    r"(?P<latin>[A-Za-z\u00c0-\u024f]+)|(?P<zh>[\u3400-\u9fff\uf900-\ufaff]+)|(?P<ja>[\u3041-\u30ff\uff66-\uff9d]+)"
    r"|(?P<ko>[\uac00-\ud7a3\u1100-\u11ff]+)|(?P<ru>[\u0400-\u052f]+)|(?P<el>[\u0370-\u03ff\u1f00-\u1fff]+)"
    r"|(?P<ar>[\u0600-\u06ff]+)|(?P<he>[\u0590-\u05ff]+)|(?P<hi>[\u0900-\u097f]+)|(?P<bn>[\u0980-\u09ff]+)"
    r"|(?P<ta>[\u0b80-\u0bff]+)|(?P<th>[\u0e00-\u0e7f]+)|(?P<lo>[\u0e80-\u0eff]+)|(?P<my>[\u1000-\u109f]+)"
    r"|(?P<ka>[\u10a0-\u10ff]+)|(?P<hy>[\u0530-\u058f]+)|(?P<am>[\u1200-\u137f]+)|(?P<km>[\u1780-\u17ff]+)"
)
_OTHER = re.compile(r"[\u0370-\u1fff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9d]")
_RARE = re.compile(r"[\u0370-\u1fff\uac00-\ud7a3]")  # none of the next three
_FREQUENT = {
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]+"),
    "zh": re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+"),
    "ja": re.compile(r"[\u3041-\u30ff\uff66-\uff9d]+"),
}
_WORD = re.compile(r"[a-zà-öø-ɏ]+")
_SAMPLE = 400  # characters that small words are looked for in

# Words that are frequent in one language and rare in the others of this table.
_SMALL = {
    "en": "the of and to in is that for it was with as be by are this from or have not he his they which had you were"
    " a an no do so on i we me my will can has been when one all more if there their but out up who she her",
    "de": "der die das und ist nicht von den dem des ein eine einen einem einer mit für auf im zu zum zur sich es als"
    " auch an am bei nach über wird wurde sind hat habe er sie ich wir ihr um aus oder aber wenn wie vom bis dass sah"
    " sein seine seinen seinem ihre ihrem war waren wurden kann muss soll nur noch schon sehr mehr hier dann doch da"
    " diese dieser dieses jede jeder kein keine alle man unser unsere mein meine gegen ohne unter vor seit beim",
    "fr": "le la les des du et est un une dans pour que qui pas sur avec par au aux ce il elle nous vous sont été",
    "es": "el la los las de del y es un una que en por con para no se su al lo más como pero fue son está",
    "it": "il lo la gli le di del della e è un una che in per con non si al da come ma sono nel alla dei",
    "pt": "o a os as de do da dos das e é um uma que em por com para não se no na ao mais como mas foi são",
    "nl": "de het een en van is niet op te dat die voor met zijn aan er ook als door naar bij maar wordt werd",
    "sv": "och att det som en på är av för med den till inte om ett har jag var han hon från",
    "da": "og at det som en på er af for med den til ikke om et har jeg var han hun fra blev",
    "no": "og at det som en på er av for med den til ikke om et har jeg var han hun fra ble",
    "pl": "i w na z się nie do że to jest o jak po za od przez przy był była dla są",
    "cs": "a v na se je že to s z do o k ve pro za by byl byla jsou jako po",
    "fi": "ja on ei se että oli hän kun joka mutta ovat myös mukaan vuonna sen",
}
_LANGUAGES_OF: dict[str, tuple[str, ...]] = {}
for _code, _words in _SMALL.items():
    for _one in _words.split():
        _LANGUAGES_OF[_one] = (*_LANGUAGES_OF.get(_one, ()), _code)


def detect_language(text: str) -> str:
    """Name the language that a text's script suggests: `"ja"`, `"zh"`, `"ko"`, `"ru"`, ..., else `"en"`.

    Looks at most at 3,000 characters, from the start, the middle and the end. Latin text is always `"en"`.
    """
    if text.isascii():
        return "en"
    if len(text) > 3000:
        middle = len(text) // 2
        text = text[:1000] + text[middle - 500 : middle + 500] + text[-1000:]
    if not _OTHER.search(text):
        return "en"
    counts = _counts(text)
    latin = counts.pop("latin", 0)
    han, kana = counts.get("zh", 0), counts.get("ja", 0)
    if kana and kana * 10 >= han:  # a Japanese name in Chinese text is no Japanese text
        counts["ja"] += counts.pop("zh", 0)
    code, count = max(counts.items(), key=lambda item: item[1], default=("en", 0))
    weight = 4 if code in ("zh", "ja") else 1  # an ideograph says about as much as four letters
    return code if count * weight > latin else "en"


def _counts(text: str) -> dict[str, int]:
    """Count a text's letters by script."""
    counts: Counter[str] = Counter()
    if _RARE.search(text):
        for match in _SCRIPT.finditer(text):
            counts[match.lastgroup or ""] += match.end() - match.start()
    else:  # the same, and quicker
        for code, script in _FREQUENT.items():
            counts[code] = len(text) - len(script.sub("", text))
    return dict(counts)


def language_of(text: str) -> str:
    """Name the language of a paragraph as `detect_language` does, and that of Latin text by its small words.

    Two different small words of German tell, three of another language, where there are fewer of English; an umlaut
    counts as one for German.

    Example:
        >>> language_of("Ich habe am 3. Juni Geburtstag."), language_of("He died in the war.")
        ('de', 'en')
    """
    code = detect_language(text)
    if code != "en":
        return code
    counts: dict[str, int] = {}
    words = set(_WORD.findall(text[:_SAMPLE].lower()))
    for word in words:
        for one in _LANGUAGES_OF.get(word, ()):
            counts[one] = counts.get(one, 0) + 1
    if counts.get("en", 0) * 4 > len(words):
        return "en"
    if not text.isascii() and not {"ä", "ö", "ü", "ß"}.isdisjoint(text[:_SAMPLE]):
        counts["de"] = counts.get("de", 0) + 1
    best = max(counts, key=lambda one: counts[one], default="en")
    enough = 2 if best == "de" else 3
    return best if counts and counts[best] >= enough and counts[best] > counts.get("en", 0) else "en"
