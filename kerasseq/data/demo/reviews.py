"""Demo reviews, generated from a grammar, whose class depends on the order of the words.

Most reviews contain both praise and blame: "the acting is dull, but I loved the ending" and "I
loved the acting, but the ending is dull" use the same words and have opposite classes. A model
that counts words, or pairs of words, cannot classify them all.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

__all__ = ["CLASSES", "demo_reviews"]

CLASSES = ("negative", "positive")


@dataclass(frozen=True)
class _Topic:
    """Words for one kind of thing under review; pairs of lists hold words of blame and praise."""

    things: tuple[str, ...]
    aspects: tuple[str, ...]
    adjectives: tuple[tuple[str, ...], tuple[str, ...]]
    verdicts: tuple[tuple[str, ...], tuple[str, ...]]
    asides: tuple[str, ...]


_TOPICS = (
    _Topic(
        things=("film", "movie", "sequel", "thriller", "comedy"),
        aspects=("acting", "plot", "script", "ending", "dialogue", "music", "first hour", "cast"),
        adjectives=(
            ("dull", "clumsy", "lifeless"),
            ("gripping", "clever", "charming"),
        ),
        verdicts=(
            ("I left before the end", "I looked at my watch all the time", "I fell asleep twice"),
            ("I laughed and I cried", "I would see it again tomorrow", "I was glued to the screen"),
        ),
        asides=(
            "We saw it on a rainy Tuesday",
            "My sister picked it",
            "The cinema was half full",
            "It runs for about two hours",
            "I had read the book before",
        ),
    ),
    _Topic(
        things=("restaurant", "bistro", "place", "pizzeria", "cafe"),
        aspects=("soup", "bread", "fish", "dessert", "coffee", "salad", "main course", "pasta"),
        adjectives=(
            ("bland", "greasy", "stale"),
            ("delicious", "fresh", "tasty"),
        ),
        verdicts=(
            ("we will not be back", "we had to send it back", "nobody cleared their plate"),
            ("we will be back", "we asked for the recipe", "everybody cleared their plate"),
        ),
        asides=(
            "We were a party of six",
            "It was a Friday night",
            "We had booked a week ahead",
            "It is five minutes from the station",
            "My parents were in town",
        ),
    ),
    _Topic(
        things=("phone", "laptop", "camera", "kettle", "headset"),
        aspects=("battery", "lid", "handle", "charger", "hinge", "display", "power button", "case"),
        adjectives=(
            ("flimsy", "unreliable", "shoddy"),
            ("sturdy", "reliable", "handy"),
        ),
        verdicts=(
            ("it went straight back to the shop", "I want my money back", "it broke within a week"),
            ("I have ordered a second one", "I use it every day", "it still works like new"),
        ),
        asides=(
            "It arrived on a Monday",
            "I bought it for my mother",
            "I paid the full price",
            "Mine is the grey one",
            "It replaces one from another brand",
        ),
    ),
)
_ADJECTIVES = (
    ("awful", "terrible", "disappointing", "poor", "bad"),
    ("wonderful", "excellent", "impressive", "great", "good"),
)
_FELT = (
    ("I hated", "I was let down by", "I was annoyed by", "I did not like"),
    ("I loved", "I was won over by", "I was delighted with", "I did like"),
)
_TURN = (("worse",), ("better",))

# A name in braces is replaced by one of its forms, drawn at random: + marks the opinion of the
# writer, - the opposite one. A form that is listed twice is drawn twice as often.
_FORMS = {
    "clause": (
        *("the {aspect} {is} {degree}{adjective+}",) * 3,
        "{felt+} the {aspect}",
        "{verdict+}",
    ),
    "degree": ("", "", "", "", "really ", "so "),
    # Stands between a clause and its contrast, so that word pairs at that place say little.
    "hedge": ("", "", "", " at times", " I admit", " for the most part", " at first"),
    "denial": ("not {adjective-} at all", "far from {adjective-}", "anything but {adjective-}"),
    "plain": (
        "{clause+}",
        "{clause+} and {clause+}",
        "{a adjective+} {thing}, and the {aspect} {is} {adjective+}",
        "not only {is} the {aspect} {adjective+}, {clause+}, too",
    ),
    "negated": (
        "the {aspect} {is} {denial}",
        "the {aspect} {is}n't {degree}{adjective-}",
        "the {aspect} {is} {denial} and {clause+}",
        "the {aspect} {is} {denial} and the {aspect} {is} {adjective+}",
        "the {aspect} {is}n't {adjective-}, and {clause+}",
        "no one could call the {aspect} {adjective-}",
        "there {is} nothing {adjective-} about the {aspect} and {clause+}",
        "I can't call this {thing} {adjective-}",
    ),
    "contrasted": (
        "{clause-}{hedge}, but {clause+}",
        "{clause-}{hedge}, but {clause+} and {clause+}",
        "{clause-}{hedge}, and yet {clause+}",
        "{clause-}{hedge}. Still, {clause+}",
        "although {clause-}{hedge}, {clause+} and {clause+}",
        "even though {clause-}{hedge}, {clause+}",
        "{clause+}{hedge}, although {clause-}",
        "{clause+}{hedge}, even if {clause-}",
        "despite the {adjective-} {aspect}, {clause+}",
        "{clause+}, despite the {adjective-} {aspect}",
    ),
    "compared": (
        "the {aspect} used to be {adjective-} and now it is {adjective+}",
        "now the {aspect} is {adjective+}, and it used to be {adjective-}",
        "I expected {a adjective-} {thing} and got {a adjective+} one",
        "I got {a adjective+} {thing} where I expected {a adjective-} one",
        "everybody says that the {aspect} is {adjective-}, and I found it {adjective+}",
        "I found the {aspect} {adjective+}, whoever calls it {adjective-}",
        "this {thing} {is} {turn+} than the last one, which {is} {adjective-}",
        "this {thing} {is} no {turn-} than the last one, which {is} {adjective+}",
    ),
}
_KINDS = ("plain", "negated", "contrasted", "compared")
# With these shares of the kinds, a bag of word pairs reaches an accuracy of about 80%.
_SHARES = (0.4, 0.2, 0.25, 0.15)
_NAME = re.compile(r"\{(a )?(\w+)([+-]?)\}")


def demo_reviews(seed: int = 0, size: int = 2000) -> list[tuple[str, str]]:
    """Generate distinct reviews of films, restaurants and products, with their class.

    Args:
        seed: the same seed gives the same reviews.
        size: how many; half of them are positive.

    Returns:
        Pairs of a text and "negative" or "positive", in random order.

    Raises:
        ValueError: if size is below 2, or above 100,000.

    Example:

    >>> reviews = demo_reviews(size=4)
    >>> sorted(label for text, label in reviews)
    ['negative', 'negative', 'positive', 'positive']
    """
    if not 2 <= size <= 100_000:
        raise ValueError(f"size must be from 2 to 100,000. Received: size={size!r}")
    draw = random.Random(seed)
    label_of: dict[str, str] = {}
    while len(label_of) < size:
        side = len(label_of) % 2
        label_of.setdefault(_review(draw, side), CLASSES[side])
    reviews = list(label_of.items())
    draw.shuffle(reviews)
    return reviews


def _review(draw: random.Random, label: int) -> str:
    """Generate one review; label 0 is negative, 1 positive."""
    topic = draw.choice(_TOPICS)
    # A review is about one thing, and mentions each aspect at most once.
    constant = {"thing": draw.choice(topic.things), "is": draw.choice(("is", "was"))}
    aspects = draw.sample(topic.aspects, len(topic.aspects))
    by_label = {
        "adjective": [a + b for a, b in zip(_ADJECTIVES, topic.adjectives)],
        "verdict": topic.verdicts,
        "felt": _FELT,
        "turn": _TURN,
    }

    def expand(form: str, label: int) -> str:
        def replacement(match: re.Match[str]) -> str:
            article, name, sign = match.groups()
            opinion = label if sign != "-" else 1 - label
            if name == "aspect":
                return aspects.pop()
            if name in constant:
                return constant[name]
            if name in by_label:
                word = draw.choice(by_label[name][opinion])
            else:
                word = expand(draw.choice(_FORMS[name]), opinion)
            return f"{'an' if word[0] in 'aeiou' else 'a'} {word}" if article else word

        return _NAME.sub(replacement, form)

    kind = draw.choices(_KINDS, _SHARES)[0]
    sentences = [expand(draw.choice(_FORMS[kind]), label)]
    sentences += draw.sample(topic.asides, draw.choice((0, 1, 1, 2)))
    draw.shuffle(sentences)
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)
