"""Ranges: as text, narrowed by the caller, and there and back through KerasTuner."""

from __future__ import annotations

from typing import Any

import keras_tuner
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.settings import Choice, Conditional, Float, Int
from kerasseq.tuning.space import declare, decode, encode, narrow, parse, sizes

SPACE = {
    "cell": Choice(("lstm", "gru")),
    "units": Int(16, 256, log=True),
    "depth": Int(1, 9, step=2),
    "dropout": Float(0.0, 0.5),
    "rate": Float(1.23456e-4, 1e-2, log=True),
    "lookback": Choice((None, 24, [1, 2])),
    "bias": Choice((True, False)),
    "zoneout": Conditional("cell", ("gru",), Float(0.1, 0.3)),
}
DEFAULTS = {
    "cell": "gru",
    "units": 64,
    "depth": 1,
    "dropout": 0.1,
    "rate": 1e-3,
    "lookback": None,
    "bias": True,
    "zoneout": 0.0,
    "epochs": 5,
}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("16..256", Int(16, 256)),
        ("16..256:log", Int(16, 256, log=True)),
        ("16..256:8", Int(16, 256, step=8)),
        ("0..0.5", Float(0, 0.5)),
        ("0.0..0.5", Float(0.0, 0.5)),
        ("1e-4..1e-2:log", Float(1e-4, 1e-2, log=True)),
        ("-1..1", Int(-1, 1)),
        ("gru,mingru", Choice(("gru", "mingru"))),
        ("1,2,none,true", Choice((1, 2, None, True))),
        ("gru", "gru"),
        ("3", 3),
        ("none", None),
        ("max+mean", "max+mean"),
        ("1..3:2 if cell = gru,mgu", Conditional("cell", ("gru", "mgu"), Int(1, 3, step=2))),
        ("true,false if batch-size=8", Conditional("batch_size", (8,), Choice((True, False)))),
    ],
)
def test_a_text_stands_for_a_range_or_a_value(text: str, meant: Any) -> None:
    assert parse(text) == meant
    assert type(parse(text)) is type(meant)


@pytest.mark.parametrize(
    "text",
    [
        "a..b",
        "1..b",
        "1..2:often",
        "0.1..0.2:3",
        "1 if cell=gru",
        "1..2 if gru",
        "1..2 if a=b if c=d",
        "1..2 if =3",
    ],
)
def test_a_text_that_stands_for_no_range_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=f"Received: '{text}'$"):
        parse(text)


def test_a_space_is_narrowed_widened_and_fixed() -> None:
    space, fixed = narrow(
        SPACE,
        {"cell": ["lstm", "gru", "mgu"], "units": "8..9", "depth": 3, "epochs": "2,4"},
        DEFAULTS,
    )
    assert space["cell"] == Choice(("lstm", "gru", "mgu"))
    assert space["units"] == Int(8, 9)
    assert space["epochs"] == Choice((2, 4))
    assert "depth" not in space
    assert fixed == {"depth": 3}


@pytest.mark.parametrize(("cell", "varies"), [("gru", True), ("lstm", False)])
def test_what_depends_on_a_fixed_setting_varies_always_or_never(cell: str, varies: bool) -> None:
    space, _ = narrow(SPACE, {"cell": cell}, DEFAULTS)
    assert (space.get("zoneout") == Float(0.1, 0.3)) == varies == ("zoneout" in space)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"colour": 3}, r"no setting 'colour'\. It has: bias, cell, depth"),
        ({"cell": []}, "cell has no options"),
        ({"cell": ["gru", "gru"]}, "cell has an option twice"),
        ({"units": Int(9, 8)}, r"units must begin below its end\. Received: 9\.\.8"),
        ({"rate": Float(0.0, 1.0, log=True)}, "rate must begin above zero"),
        (
            {"depth": Conditional("epochs", (2,), Int(1, 2))},
            "depth is to vary with epochs, which is not",
        ),
    ],
)
def test_a_range_that_cannot_be_is_told(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        narrow(SPACE, given, DEFAULTS)


def test_defaults_within_their_range_are_the_defaults_of_kerastuner() -> None:
    hp = keras_tuner.HyperParameters()
    decoded = declare(SPACE, hp, DEFAULTS)
    inside = {name: value for name, value in DEFAULTS.items() if name in SPACE}
    assert decoded == {**inside, "zoneout": 0.1}  # 0.0 is not within


@given(st.integers(0, 2**31))
def test_what_is_drawn_is_within_its_range_and_survives_the_way_to_a_worker(seed: int) -> None:
    hp = keras_tuner.HyperParameters()
    declare(SPACE, hp, DEFAULTS)
    drawn = keras_tuner.HyperParameters()
    for place, own in enumerate(hp.space):
        drawn.merge([own])
        if drawn.is_active(own):
            drawn.values[own.name] = own.random_sample(seed + place)
    decoded = decode(SPACE, drawn.values)
    assert ("zoneout" in decoded) == (decoded["cell"] == "gru")
    assert 16 <= decoded["units"] <= 256
    assert decoded["depth"] in (1, 3, 5, 7, 9)
    assert 1.23456e-4 <= decoded["rate"] <= 1e-2
    assert decoded["lookback"] in (None, 24, [1, 2])
    assert isinstance(decoded["bias"], bool)
    # KerasTuner's protocol carries numbers in 32 bits.
    sent = keras_tuner.HyperParameters.from_proto(drawn.to_proto()).values
    assert decode(SPACE, sent) == decoded
    assert decode(SPACE, encode(SPACE, decoded)) == decoded


def test_sizes_are_the_ranges_of_whole_numbers_that_there_is_a_use_for() -> None:
    space = {**SPACE, "projection": Conditional("cell", ("lstm",), Int(1, 9))}
    common = {"units": Int(16, 256, log=True), "depth": Int(1, 9, step=2)}
    assert sizes(space, {"cell": "gru"}) == common
    assert sizes(space, {"cell": "lstm"}) == {**common, "projection": Int(1, 9)}
