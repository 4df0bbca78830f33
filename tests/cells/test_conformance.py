"""Every cell is complete: a spec, a reference, documentation, and the weights that it promises.

Walks the registry, so that a newcomer is held to it from its first day.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import keras
import pytest

from kerasseq import cells
from kerasseq.params import catalogue
from kerasseq.params.spec import FORMS, Spec, State
from tests.cells import references
from tests.cells.harness import KINDS

SETTINGS: list[dict[str, Any]] = [
    {},
    {"projection": 3, "trainable_initial_state": True},
    {"use_bias": False},
    {"use_bias": False, "projection": 2},
    {"reset_after": False},
    {"reset_after": False, "use_bias": False, "trainable_initial_state": True},
    {"state": 7},
    {"state": 7, "projection": 2, "trainable_initial_state": True},
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_has_a_reference_in_numpy(kind: str) -> None:
    step = getattr(references, kind, None)
    assert callable(step), (
        f"The cell '{kind}' has no parity test: write `{kind}` in tests/cells/references.py "
        "from the equations of its paper."
    )
    assert step.__doc__, f"the reference of '{kind}' does not say which paper it states"
    source = inspect.getsource(references)
    assert "kerasseq" not in source, "references know the papers and NumPy alone"


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_is_documented(kind: str) -> None:
    cell = cells.get(kind)
    text = inspect.getdoc(cell) or ""
    for part in ("Args:", "Example:\n    >>> ", "Reference: "):
        assert part in text, f"the docstring of {cell.__name__} has no '{part.strip()}'"
    for argument in set(inspect.signature(cell.__init__).parameters) - {"self", "kwargs"}:
        named = f"{argument}:" in text or f"`{argument}`" in text
        assert named, f"the docstring of {cell.__name__} does not name `{argument}`"


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_has_a_spec(kind: str) -> None:
    spec = catalogue.get(kind)
    assert spec.name == kind == cells.get(kind).kind
    assert spec.form in FORMS
    assert spec.title
    assert any(character.isdigit() for character in spec.paper), "a paper has a year"
    assert spec.states
    text = "\n".join(spec.equations)
    assert " = " in text
    assert "h" in text or "s" in text
    for weight in spec.weights:
        assert set(weight.gates) <= set(spec.gates), weight.name


def test_every_spec_has_a_cell() -> None:
    assert cells.names() == catalogue.names()


def test_every_cell_is_in_a_file_of_its_name() -> None:
    for kind in KINDS:
        assert cells.get(kind).__module__ == f"kerasseq.cells.{kind}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_built_cell_has_the_weights_of_its_spec(kind: str) -> None:
    spec = catalogue.get(kind)
    for settings in SETTINGS:
        if not set(settings) <= set(spec.settings()):
            continue
        cell = cells.get(kind)(5, **settings)
        cell.build((None, 3))
        promised = [(sized.name, sized.shape) for sized in spec.sized(3, 5, **settings)]
        built = [(weight.name, tuple(weight.shape)) for weight in cell.weights]
        assert built == promised, settings
        for weight in cell.weights:
            assert getattr(cell, weight.name) is weight
        assert list(cell.state_size) == spec.state_sizes(5, **settings)
        assert cell.count_params() == sum(sized.size for sized in spec.sized(3, 5, **settings))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_takes_every_option_of_its_spec(kind: str) -> None:
    cell = cells.get(kind)(5)
    assert set(cell.options) == set(catalogue.get(kind).settings())
    config = cell.get_config()
    for name in cell.options:
        assert name in config


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_is_known_to_keras(kind: str) -> None:
    cell = cells.get(kind)
    name = keras.saving.get_registered_name(cell)
    assert name == f"kerasseq>{cell.__name__}"
    assert keras.saving.get_registered_object(name) is cell


def test_a_second_spec_of_a_name_raises() -> None:
    with pytest.raises(ValueError, match="'lstm' is registered already"):
        catalogue.register(catalogue.get("lstm"))


def test_a_spec_of_an_unknown_form_raises() -> None:
    spec = Spec("new", "New", "round", (), (State("h", catalogue.UNITS),), (), ("h = h'",), "2024")
    with pytest.raises(ValueError, match="Received: form='round'"):
        catalogue.register(spec)
    assert "new" not in catalogue.names()


def test_a_second_class_of_a_kind_raises() -> None:
    known = cells.get("lstm")
    second = type("AnotherLSTM", (known,), {"kind": "lstm", "__module__": "elsewhere"})
    with pytest.raises(ValueError, match=r"named 'lstm': kerasseq\.cells\.lstm\.LSTMCell and els"):
        cells._add(second)
    assert cells.get("lstm") is known
    cells._add(known)  # the same class may come twice


@pytest.mark.parametrize("find", [cells.get, catalogue.get])
@pytest.mark.parametrize("name", ["lstmm", "", None, 3, ["lstm"]])
def test_an_unknown_name_lists_the_names(find: Any, name: Any) -> None:
    with pytest.raises(ValueError, match="There is no cell named") as raised:
        find(name)
    assert all(kind in str(raised.value) for kind in KINDS)
    assert ("Did you mean 'lstm'?" in str(raised.value)) == ("lstm" in str(name))


def test_the_folder_is_walked() -> None:
    package = importlib.import_module("kerasseq.cells")
    result = {cells.get(kind) for kind in KINDS}
    assert result == set(package._CELLS.values())
    assert len(result) == len(KINDS) >= 14


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, r"`units` must be a positive integer\. Received: units=0"),
        ({"units": 2.5}, "Received: units=2.5"),
        ({"projection": -1}, "Received: projection=-1"),
        ({"dropout": 1.5}, r"`dropout` must be a share in \[0, 1\]\. Received: dropout=1\.5"),
        ({"recurrent_dropout": -0.1}, "Received: recurrent_dropout=-0.1"),
        ({"weight_drop": "much"}, "Received: weight_drop='much'"),
        ({"zoneout": 1}, "Received: zoneout=1"),
        ({"zoneout": [0.1, 0.1, 0.1]}, "one for each of the 2 states of 'lstm'"),
    ],
)
def test_an_argument_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cells.get("lstm")(**{"units": 4, **options})


def test_a_state_out_of_range_is_named() -> None:
    with pytest.raises(ValueError, match="Received: state=0"):
        cells.get("lru")(4, state=0)
