"""Words before a full stop that ends no sentence, and words behind one that begin or do not begin one."""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Whatever comes behind these belongs to them: titles, and what introduces something.
_NEVER = _set(
    "mr mrs ms mx dr prof gen col maj capt cpt lt sgt cpl cmdr cdr gov sen rep rev hon msgr supt insp messrs"
    " hr hrn sr sra srta dra sig dott dhr mevr mme mlle mgr dipl"
    " approx appx ca cf viz vs e.g i.e eg ie incl excl esp resp bzw bspw evtl ggf inkl exkl einschl sog vgl z.b d.h"
    " u.u m.e i.d.r o.g z.t p.ex p.e np m.in tzn tj např tzv bijv d.w.z f.eks dvs bl.a t.ex"
)
_NEVER_GERMAN = _set("gem lt geb betr verh bez zzgl abzgl mind max hrsg st sen jun")
# These end a sentence where another begins behind them, with a capital letter; they go on before a small letter, a
# figure or a sign.
_SOFT = _set(
    "fig figs eq eqs eqn tab tabs vol vols iss nos nr nrn sec secs sect art arts ch chap app appx ed eds p pp par"
    " para pts ref refs ver vers ext tel fax abb abs bd jg jh kap ziff s.a zit std hrsg aufl anm str lit"
    " etc usw u.a u.v.m o.ä u.s.w u.ä ecc enz osv m.m itd itp atd apod bl jr sra p.m a.m"
    " ft in lb lbs oz hr hrs min mins sec msec yr yrs mo mos wk wks gal qt pt tsp tbsp tbs mi yd yds sq cu deg dia"
    " dim wt tgl jährl mind max avg est temp misc qty amt bal acct orig pop alt elev var spec specs config info intro"
    " cont mio mrd tsd stk stck zzgl abzgl ggü gem lt wg betr best geb gest verh v.chr n.chr"
    " jan feb mar apr jun jul aug sep sept oct okt nov dec dez mon tue tues wed thu thur thurs fri sat sun"
    " dept univ inst assn assoc mfg mfr intl natl govt bros com comm adm div bldg blvd ave rd hwy pkwy ste apt rm"
    " ul al os pl ks dot ok tys mln mld wg ww godz poz pkt pág págs núm av cap tít aprox ee"
    " г гг др тыс млн млрд руб коп стр рис табл ул пр им см т п ст ч"
)
# These are words as well: then it takes a capital, a figure or a bracket before them.
_WORDS = _set(
    "art app in ref com ed par sat sun mar mon wed tab gal pop alt div pt p s os al ok dot mind best str config info"
    " intro spec specs comm var mi mo fri dia cap av"
)
_ORGANS = _set("dept univ inst assn assoc mfg mfr intl natl govt bros com comm adm div bldg")
_NUMBERED = _set(  # what a letter or a Roman number may follow: App. B, Tab. II
    "fig figs eq eqs tab tabs vol vols sec secs sect art arts ch chap app appx par para pt ref refs abb bd kap anm nr"
)
_BARE = re.compile(r"[A-Z][bcdfghj-np-tv-xz]{1,4}")  # Bldg, Pkg: no vowel, no word
_LETTER = r"[A-Za-z\u00b5-\u052f]"
_WORD = re.compile(rf"(?<!{_LETTER})(?<![\d.'’-])(?:{_LETTER}\.\s?){{0,4}}{_LETTER}+(?:\.{_LETTER}+)?$")
_MEASURED = re.compile(r"(?:\d\s?|[(\[])$")
_CODE = re.compile(r"(?!I\s+[a-z]|A\s+[a-z])(?:[A-Z]{0,3}\d|[IVXLC]{1,6}\b|[A-Z]\b)(?!['’])")
_SIGNS = "$€£¥₹₽₩~≈<>≤≥±#§№%°+−&=×-–"

_STARTERS = _set(
    "the a an he she it they we i you this that these those there then but and however in on at for if when while"
    " after before as his her its their our my your who what where why how no not so since although though because"
    " with by from to one some all most many each both such also now today yesterday tomorrow later next finally"
    " first second meanwhile instead please see note use it's he's she's they're we're i'm you're"
    " der die das ein eine er sie es wir ich ihr dann danach aber und doch dort hier im am auf bei mit nach seit von"
    " vor zu zum zur für als wenn weil da dabei damit daher deshalb diese dieser dieses heute gestern morgen jetzt"
    " nun noch auch alle man kein keine was wer wie wo warum nur sein seine ihre unser"
)
_NEXT = re.compile(r"[\s(\[“\"‘'*_]{0,9}(?P<word>[^\W\d_]+(?:['’][a-z]{1,3}\b)?)")

_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|(?:Mon|Tues?|Wed|Thur?s?|Fri|Sat|Sun)\b"
_MONTH = (
    r"Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?"
)
_ZONE = (
    r"(?:[ECMPA][SD]?T|GMT|UTC|BST|CES?T|EES?T|WES?T|IST|JST|KST|HKT|SGT|MSK|PKT|WIB|A[CEW][SD]T|NZ[SD]T|Z|AK[SD]T"
    r"|HST)\b|[A-Z]\w+(?:\s[A-Z]\w+)?\s(?:[Tt]ime|Standard|Daylight)\b|local\b"
    r"|(?:Eastern|Central|Mountain|Pacific|Greenwich|Zulu)(?=[.,;)]|\s(?:on|and|to)\b|$)"
)
_CLOCK = re.compile(r"(?:^|[\s\d(])[ap]\.\s?m\.$", re.IGNORECASE)
_OF_CLOCK = re.compile(  # what goes on behind 9 a.m.
    rf"[\s(\[]{{0,9}}(?:(?:{_DAY})(?!\s+(?:was|is|were|are|will|had|has|came|saw|brought)\b)|(?:{_MONTH})\.?\s+\d"
    rf"|{_ZONE}|(?:Christmas|New Year|Thanksgiving|Easter|Boxing)\b)"
)

_GERMAN_MONTH = re.compile(
    r"(?:Jan(?:uar)?|Jänner|Feb(?:ruar)?|März|Mär|Apr(?:il)?|Mai|Juni?|Juli?|Aug(?:ust)?|Sept?(?:ember)?|Okt(?:ober)?"
    r"|Nov(?:ember)?|Dez(?:ember)?)\b"
)
_BEFORE_ORDINAL = re.compile(
    r"(?:^|[\s(\[“„\"])(?:am|vom|zum|zur|beim|im|ins|der|die|das|dem|den|des|ein|(?:k?ein|jed|dies|sein|ihr|unser|mein"
    r"|welch|letzt)e[mnrs]?|ihr|sein|unser|mein|kein|ab|bis|und|oder|seit|nach|vor|in|als|auf|für|mit|von|zu|bei"
    r"|zweite|[–-])\s?\d{1,3}\.$|(?:^|\s)(?:ist|war|wird|wurde|bleibt)\s[123]\.$",
    re.IGNORECASE,
)
_SURELY_GERMAN = re.compile(
    r"(?:^|\s)(?:vom|zum|zur|beim|im|der|das|dem|den|des|(?:ein|jed|sein|ihr)e[mnrs]?)\s\d{1,3}\.$"
    r"|(?-i:(?:^|[.!?:]\s)(?:Die|Ihre?|Seine?|Meine?|Unsere?|Am|Zur)\s\d{1,3}\.$)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,])\d{1,4}\.$")
_ROMAN = re.compile(r"\b[IVXLCDM]{1,7}\.$")


def goes_on(before: str, after: str, language: str, *, informal: bool) -> bool:
    """Tell whether a full stop between two texts, with white space behind it, is part of a word or a number.

    Args:
        before: The text up to the full stop and with it; 40 characters are enough.
        after: What follows the white space; 40 characters are enough.
        language: A language code.
        informal: Whether the sentence itself begins with a small letter, so that the next may, too.
    """
    head = after.lstrip("([“\"'‘*_„«")[:1]
    small = head.islower()
    sign = head.isdigit() or (head != "" and head in _SIGNS)
    if _CLOCK.search(before):
        return small or (sign and not head.isdigit()) or _OF_CLOCK.match(after) is not None
    if before[-2:-1].isdigit():
        return _is_ordinal(before, after, language, small=small)
    if small and (_ROMAN.search(before) or (not informal and language not in ("en", "zh", "ja", "ko"))):
        return True
    found = _WORD.search(before[:-1])
    if found is None:
        return False
    word = found[0]
    if " " in word and _joined(word) not in _NEVER | _SOFT:  # p.m. Tues
        word = word.rsplit(None, 1)[-1]
    if (language == "fr" and word == "M" and not small) or (language == "de" and word.lower() in _NEVER_GERMAN):
        return True
    return _is_abbreviation(word, before[: -1 - len(word)], after, soft=small or sign)


def begins_sentence(after: str) -> bool:
    """Tell whether a text begins with a word that sentences begin with and names do not."""
    found = _NEXT.match(after)
    return found is not None and found["word"].lower().replace("’", "'") in _STARTERS


def _joined(word: str) -> str:
    return "".join(word.lower().split())


def _is_abbreviation(word: str, before: str, after: str, *, soft: bool) -> bool:
    """Tell whether a word with its full stop belongs to what follows.

    Args:
        word: The word.
        before: What stands before it.
        after: What follows.
        soft: Whether that is a small letter, a figure or a sign.
    """
    lower = _joined(word)
    if word.isupper() and word.isalpha() and len(word) > 1 and not after[:2].isupper():
        return False  # CF, IN, MAX: no abbreviations with a full stop
    if lower in _NEVER:
        return True
    if lower == "no":
        return after[:1].isdigit() or after[:1] == "#"
    if lower not in _SOFT and not _BARE.fullmatch(word):
        return False
    if lower in _WORDS and not (word[0].isupper() or _MEASURED.search(before)):
        return False
    follows = lower in _NUMBERED and _CODE.match(after) is not None
    return soft or follows or (lower in _ORGANS and not begins_sentence(after))


def _is_ordinal(before: str, after: str, language: str, *, small: bool) -> bool:
    """Tell whether a number with a full stop is an ordinal: `am 3. Juni`, `der 17. Versuch`, `den 3. juni`."""
    capital = after[:1].isupper() and not begins_sentence(after)
    month = capital and _GERMAN_MONTH.match(after) is not None
    ordinal = _BEFORE_ORDINAL.search(before) is not None
    if language in ("en", "zh", "ja", "ko") or not _NUMBER.search(before):
        return (month and ordinal) or (capital and _SURELY_GERMAN.search(before) is not None)
    return small or (language == "de" and capital and (month or ordinal))
