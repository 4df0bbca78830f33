"""Demo sentences with people, places and companies, generated from a grammar.

All three share one stock of invented names, and no name of the training part is in another part. So
the type of a name follows from its sentence alone, often from words far away: in "Tavel, as
everybody knew, hired forty people" a company, in "Tavel, as everybody knew, plays the violin" a
person.
"""

from __future__ import annotations

import random
import re

__all__ = ["TYPES", "demo_sentences"]

TYPES = ("LOC", "ORG", "PER")

_SIZES = {"train": 800, "validation": 160, "test": 400}
_NAMES = {"train": 2000, "validation": 200, "test": 400}
_ONSETS = ("", *"bdfghklmnprstv", "br", "dr", "gr")
_VOWELS = (*"aeiou", "ay", "ea")
_CODAS = ("", *"lnrsm", "nd", "lt", "rk")

# What a name does; PER, ORG or LOC.
_DEEDS = {
    "PER": (
        "plays the violin",
        "was born in a small village",
        "wore a grey coat",
        "has two younger sisters",
        "learned to swim at forty",
        "fell asleep on the train",
    ),
    "ORG": (
        "hired forty people",
        "sold its last factory",
        "published its annual report",
        "will pay a small dividend",
        "has cut its prices twice",
        "is listed on the stock exchange",
    ),
    "LOC": (
        "lies on the northern coast",
        "has a new town hall",
        "was flooded in autumn",
        "is reached by ferry",
        "counts nine bridges",
        "is known for its market square",
    ),
}
# Names beside words that give their type away.
_NEAR = {
    "PER": ("{name} smiled", "Dr {name} agreed", "the letter was signed by Mrs {name}"),
    "ORG": ("shares of {name} rose", "{name} Ltd. agreed", "the bill was paid by {name} & Sons"),
    "LOC": ("it rained in {name}", "the mayor of {name} agreed", "the road leads to Port {name}"),
}
_ASIDES = (
    "",
    "",
    " , as everybody knew ,",
    " , according to an old newspaper ,",
    " , at the time of this report ,",
    " , to the surprise of many ,",
    " , if the rumours are true ,",
)
_LINKS = (" , and ", " , while ", " ; ", " , but ")
_PLAIN = (
    "the weather was mild",
    "nobody asked why",
    "the shop had closed at 18:30",
    "12 came late",
)
# Words that belong to a name of this type.
_PARTS = {"ORG": {"Ltd.", "&", "Sons"}, "LOC": {"Port"}, "PER": set()}

Tagged = tuple[tuple[str, ...], tuple[str, ...]]


def demo_sentences(seed: int = 0) -> dict[str, list[Tagged]]:
    """Generate tagged sentences: parts "train", "validation" and "test" without a common name.

    Args:
        seed: the same seed gives the same sentences.

    Returns:
        For each part its sentences, as words and tags in the scheme IOB2.

    Example:

    >>> words, tags = demo_sentences()["test"][0]
    >>> len(words) == len(tags)
    True
    """
    draw = random.Random(seed)
    names = _names(draw, sum(_NAMES.values()))
    result = {}
    for part, count in _NAMES.items():
        stock, names = names[:count], names[count:]
        sentences: dict[Tagged, None] = {}
        while len(sentences) < _SIZES[part]:
            sentences[_sentence(draw, stock)] = None
        result[part] = list(sentences)
    return result


def _names(draw: random.Random, count: int) -> list[str]:
    names: dict[str, None] = {}
    while len(names) < count:
        syllables = draw.choice((2, 2, 3))
        letters = "".join(
            draw.choice(_ONSETS) + draw.choice(_VOWELS) + draw.choice(_CODAS)
            for _ in range(syllables)
        )
        names[letters.capitalize()] = None
    return list(names)


def _sentence(draw: random.Random, stock: list[str]) -> Tagged:
    """One sentence of one to three clauses."""
    words: list[str] = []
    tags: list[str] = []
    for number in range(draw.choice((1, 2, 2, 3))):
        clause, clause_tags = _clause(draw, stock)
        if number:
            link = draw.choice(_LINKS).split()
            words += link
            tags += ["O"] * len(link)
        words += clause
        tags += clause_tags
    first = words[0]
    return (first[:1].upper() + first[1:], *words[1:], "."), (*tags, "O")


def _clause(draw: random.Random, stock: list[str]) -> tuple[list[str], list[str]]:
    if draw.random() < 0.15:
        words = draw.choice(_PLAIN).split()
        return words, ["O"] * len(words)
    kind = draw.choice(TYPES)
    name = " ".join(draw.sample(stock, draw.choice((1, 1, 2))))
    if draw.random() < 0.35:
        text = draw.choice(_NEAR[kind])
    else:
        text = f"{{name}}{draw.choice(_ASIDES)} {draw.choice(_DEEDS[kind])}"
    words = re.sub(r"\{name\}", name, text).split()
    inside = [word in {*name.split()} | _PARTS[kind] for word in words]
    tags = [
        "O" if not here else f"{'I' if before else 'B'}-{kind}"
        for before, here in zip([False, *inside], inside)
    ]
    return words, tags
