"""The closed form says what the weights sum to, in numbers and in words."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.params import catalogue, count
from kerasseq.params.count import WEIGHTLESS
from tests.params.drawn import Layer, layers

ROOT = Path(__file__).parents[2]


def _evaluated(text: str) -> int:
    """What a formula comes to: its numbers, with the words left out."""
    tokens = re.findall(r"\d[\d,]*|[()+]|(?<= )x(?= )", text)
    return eval("".join({"x": "*"}.get(token, token.replace(",", "")) for token in tokens))


def _summed(layer: Layer) -> int:
    """The parameters, weight by weight from the spec, level by level."""
    spec = catalogue.get(layer.cell)
    options = dict(layer.options)
    depth, both, merge = options.pop("depth"), options.pop("bidirectional"), options.pop("merge")
    highway, _ = options.pop("highway", False), options.pop("residual", False)
    width, total = layer.inputs, 0
    for _ in range(depth):
        total += (2 if both else 1) * sum(
            sized.size for sized in spec.sized(width, layer.units, **options)
        )
        output = layer.units if options["projection"] is None else options["projection"]
        output *= 2 if both and merge == "concat" else 1
        if highway and width == output:
            total += output * output + output
        width = output
    return total


@given(layers())
def test_the_count_is_the_sum_over_the_weights_of_the_spec(layer: Layer) -> None:
    counted = count(layer.cell, layer.inputs, layer.units, **layer.options)
    assert counted.total == _summed(layer)
    assert counted.total == sum(row.params for row in counted.weights)
    assert counted.total == sum(counted.gates.values())


@given(layers())
def test_the_formula_evaluates_to_the_total(layer: Layer) -> None:
    counted = count(layer.cell, layer.inputs, layer.units, **layer.options)
    lines = counted.formula.splitlines()
    for level, line in zip(counted.levels, lines, strict=False):
        words, _, stated = (
            line.partition(": ")[2].rpartition(" = ") if ":" in line else (line.rpartition(" = "))
        )
        assert _evaluated(f" {words}") == int(stated.replace(",", "")) == level.total
    words, _, stated = lines[-1].rpartition(" = ")
    assert _evaluated(f" {words}") == int(stated.replace(",", "")) == counted.total


@pytest.mark.parametrize("d", [1, 3, 64])
@pytest.mark.parametrize("u", [1, 5, 128])
def test_counts_that_are_known(d: int, u: int) -> None:
    assert count("simple_rnn", d, u).total == u * (d + u + 1)
    assert count("lstm", d, u).total == 4 * u * (d + u + 1)
    assert count("gru", d, u).total == 3 * u * (d + u + 2)
    assert count("gru", d, u, reset_after=False).total == 3 * u * (d + u + 1)
    assert count("lstm", d, u).pytorch == 4 * u * (d + u + 2)
    assert count("gru", d, u).pytorch == 3 * u * (d + u + 2)
    assert count("simple_rnn", d, u).pytorch == u * (d + u + 2)


GOLDEN = {
    "4 gates x (128 units x (64 inputs + 128 units + 1 bias)) = 98,816": ("lstm", 64, 128, {}),
    "4 gates x (128 units x (64 inputs + 128 units)) = 98,304": (
        *("lstm", 64, 128),
        {"use_bias": False},
    ),
    "3 gates x (5 units x (3 inputs + 5 units + 2 biases)) = 150": ("gru", 3, 5, {}),
    "3 gates x (5 units x (3 inputs + 5 units + 1 bias)) = 135": (
        *("gru", 3, 5),
        {"reset_after": False},
    ),
    "1 unit x (1 input + 1 unit + 1 bias) = 3": ("simple_rnn", 1, 1, {}),
    "2 directions x (4 gates x (8 units x (1,000 inputs + 8 units + 1 bias))) = 64,576": (
        *("lstm", 1000, 8),
        {"bidirectional": True},
    ),
    "4 gates x (5 units x (3 inputs + 2 projected outputs + 1 bias))"
    " + 5 units x 2 projected outputs + 2 initial h + 5 initial c = 137": (
        *("lstm", 3, 5),
        {"projection": 2, "trainable_initial_state": True},
    ),
    "4 gates x (5 units x (3 inputs + 5 units + 1 bias)) + 3 peepholes x 5 units = 195": (
        *("peephole_lstm", 3, 5),
        {},
    ),
    "4 gates x (5 units x (3 inputs + 5 units + 1 bias + 2 gains))"
    " + 5 state gains + 5 state shifts = 230": ("layernorm_lstm", 3, 5, {}),
    "5 units x (3 inputs + 1 recurrent weight + 1 bias) = 25": ("indrnn", 3, 5, {}),
    "3 diagonals x 7 states + 2 kernels x 3 inputs x 7 states + 2 readouts x 7 states x 5 units"
    " + 3 inputs x 5 units of skip kernel = 148": ("lru", 3, 5, {"state": 7}),
    "2 gates x (3 units x (3 inputs + 3 units + 1 bias)) + 3 highway units x (3 inputs + 1 bias)"
    " = 54": ("mgu", 3, 3, {"highway": True}),
    "level 1: 5 units x (3 inputs + 5 units + 1 bias) = 45\n"
    "level 2: 5 units x (5 inputs + 5 units + 1 bias) = 55\n"
    "all levels: 45 + 55 = 100": ("simple_rnn", 3, 5, {"depth": 2}),
}


@pytest.mark.parametrize(("formula", "arguments"), GOLDEN.items(), ids=range(len(GOLDEN)))
def test_formulas_in_words(formula: str, arguments: tuple[str, int, int, dict[str, Any]]) -> None:
    cell, inputs, units, options = arguments
    assert count(cell, inputs, units, **options).formula == formula


def test_every_weight_is_listed_with_its_level_direction_and_shape() -> None:
    counted = count("gru", 3, 5, depth=2, bidirectional=True, highway=True)
    rows = [(w.level, w.direction, w.name, w.shape) for w in counted.weights]
    assert rows[:3] == [
        (1, "forward", "kernel", (3, 15)),
        (1, "forward", "recurrent_kernel", (5, 15)),
        (1, "forward", "bias", (2, 15)),
    ]
    assert rows[9:] == [
        (2, "backward", "kernel", (10, 15)),
        (2, "backward", "recurrent_kernel", (5, 15)),
        (2, "backward", "bias", (2, 15)),
        (2, "merged", "highway_kernel", (10, 10)),
        (2, "merged", "highway_bias", (10,)),
    ]


def test_gates_share_their_weights_equally_and_the_rest_is_shared() -> None:
    gates = count("peephole_lstm", 3, 5, projection=2).gates
    each = 5 * (3 + 2 + 1)
    assert gates == {
        "input": each + 5, "forget": each + 5, "cell": each, "output": each + 5, "shared": 10,
    }  # fmt: skip
    assert "shared" not in count("lstm", 3, 5).gates


@pytest.mark.parametrize(("merge", "width"), [("concat", 10), ("sum", 5), ("mul", 5), ("ave", 5)])
def test_the_next_level_reads_the_merged_output(merge: str, width: int) -> None:
    levels = count("gru", 3, 5, depth=3, bidirectional=True, merge=merge).levels
    assert [level.inputs for level in levels] == [3, width, width]


def test_states_are_those_of_all_levels_and_directions() -> None:
    assert count("lstm", 3, 5).states == 10
    assert count("lstm", 3, 5, projection=2).states == 7
    assert count("gru", 3, 5, depth=2, bidirectional=True).states == 20
    assert count("lru", 3, 5, state=7).states == 14


def test_work_is_one_product_per_weight_that_multiplies() -> None:
    counted = count("lstm", 64, 128)
    assert counted.macs == 4 * 128 * (64 + 128)
    assert counted.macs_for(10) == 10 * counted.macs
    assert count("gru", 3, 3, highway=True).macs == 3 * 3 * (3 + 3) + 9
    assert count("gru", 3, 5, bidirectional=True).macs == 2 * count("gru", 3, 5).macs


def test_memory_is_counted_by_dtype() -> None:
    assert count("gru", 3, 5).bytes == {
        "float64": 1200, "float32": 600, "float16": 300, "bfloat16": 300, "int8": 150,
    }  # fmt: skip


def test_backpropagation_holds_inputs_gates_states_and_what_the_spec_keeps() -> None:
    assert count("lstm", 3, 5).activation_bytes == 4 * (3 + 4 * 5 + 2 * 5)
    held = 3 + 4 * 5 + 2 * 5 + 9 * 5
    assert count("layernorm_lstm", 3, 5, batch=7, timesteps=11).activation_bytes == (
        7 * 11 * 4 * held
    )
    assert count("lstm", 3, 5, dtype="float16", batch=2).activation_bytes == 2 * 2 * 33
    first, second = 2 * (3 + 15 + 5), 2 * (10 + 15 + 5)
    deep = count("gru", 3, 5, depth=2, bidirectional=True, highway=True)
    assert deep.activation_bytes == 4 * (first + second + 10)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("mgu", {}),
        ("gru", {"reset_after": False}),
        ("gru", {"projection": 2}),
        ("lstm", {"projection": 5}),
        ("lstm", {"trainable_initial_state": True}),
        ("lstm", {"depth": 2, "residual": True}),
        ("lstm", {"depth": 2, "highway": True}),
        ("lstm", {"bidirectional": True, "merge": "sum"}),
    ],
)
def test_pytorch_has_no_such_layer(cell: str, options: dict[str, Any]) -> None:
    assert count(cell, 3, 5, **options).pytorch is None


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
def test_the_count_of_pytorch_is_what_torch_has(
    cell: str, bidirectional: bool, use_bias: bool
) -> None:
    torch = pytest.importorskip("torch")
    kind = {"simple_rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    for projection in (None, 2) if cell == "lstm" else (None,):
        options = {"bidirectional": bidirectional, "projection": projection}
        projected = {} if projection is None else {"proj_size": projection}
        built = kind(3, 5, 2, bias=use_bias, bidirectional=bidirectional, **projected)
        counted = count(cell, 3, 5, depth=2, use_bias=use_bias, **options)
        assert counted.pytorch == sum(weight.numel() for weight in built.parameters())


def test_a_list_of_cells_has_one_level_each() -> None:
    shared = count(["lstm", "gru"], 3, 5)
    apart = count([("lstm", 5), ("gru", 7)], 3)
    assert [level.cell for level in shared.levels] == ["lstm", "gru"]
    assert shared.total == count("lstm", 3, 5).total + count("gru", 5, 5).total
    assert apart.total == count("lstm", 3, 5).total + count("gru", 5, 7).total
    assert shared.cell == "lstm, gru"
    assert shared.pytorch is None


def test_options_go_to_the_levels_that_have_them() -> None:
    counted = count(["lstm", "gru"], 3, 5, reset_after=False)
    assert counted.total == count("lstm", 3, 5).total + count("gru", 5, 5, reset_after=False).total


@given(st.sampled_from(sorted(WEIGHTLESS)), st.sampled_from(catalogue.names()))
def test_weightless_options_change_nothing(option: str, cell: str) -> None:
    assert count(cell, 3, 5, **{option: 0.5}) == count(cell, 3, 5)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("grv", 3, 5), {}, "no cell named 'grv'.*Did you mean 'gru'.*simple_rnn"),
        ((7, 3, 5), {}, "no cell named 7"),
        (("gru", 0, 5), {}, "`inputs` must be a positive integer. Received: inputs=0"),
        (("gru", 3, 2.5), {}, "`units` must be a positive integer. Received: units=2.5"),
        (("gru", 3), {}, "`units`.*must be given"),
        (("gru", 3, 5), {"depth": 0}, "`depth` must be a positive integer"),
        (("gru", 3, 5), {"depth": True}, "`depth` must be a positive integer"),
        (("gru", 3, 5), {"projection": 0}, "`projection` must be a positive integer"),
        (("gru", 3, 5), {"timesteps": 0}, "`timesteps` must be a positive integer"),
        (("gru", 3, 5), {"batch": -1}, "`batch` must be a positive integer"),
        (("gru", 3, 5), {"merge": "max"}, "`merge` must be one of 'concat'.*merge='max'"),
        (("gru", 3, 5), {"dtype": "int4"}, "`dtype` must be one of float64.*dtype='int4'"),
        (("gru", 3, 5), {"dtype": ["int8"]}, "`dtype` must be one of float64"),
        (("gru", 3, 5), {"depth": 10**12}, "`depth` must be at most 1,000. Received: depth=10000"),
        (("gru", 3, 5), {"depth": [3]}, "`depth` must be a positive integer"),
        (("gru", 3, 5), {"unitz": 3}, "no option 'unitz' for 'gru'.*reset_after.*zoneout"),
        (("lstm", 3, 5), {"reset_after": True}, "no option 'reset_after' for 'lstm'"),
        (("gru", 3, 5), {"residual": True}, "`residual` needs a level.*3 inputs.*outputs of 5"),
        (("gru", 3, 5), {"highway": True}, "`highway` needs a level"),
        (("gru", 3, 3), {"highway": True, "residual": True}, "exclude each other"),
        (
            ("gru", 3, 3),
            {"residual": True, "bidirectional": True, "merge": None},
            "`residual` needs a level",
        ),
        (("gru", 3, 5), {"depth": 2, "bidirectional": True, "merge": None}, "`merge=None`"),
        (([], 3, 5), {}, "at least one level"),
        ((["gru"], 3, 5), {"depth": 2}, "`depth` must be left out .*Received: depth=2"),
        (([("gru", 5)], 3, 5), {}, "`units` must be left out .* Received: units=5"),
        (([("gru", 5), "gru"], 3), {}, "`units`.*must be given"),
        (([("gru", 5, 1)], 3), {}, r"\(name, units\) pair"),
    ],
)
def test_what_cannot_be_counted_says_why(
    arguments: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        count(*arguments, **options)


def test_macs_of_no_timesteps_are_refused() -> None:
    with pytest.raises(ValueError, match="`timesteps` must be a positive integer"):
        count("gru", 3, 5).macs_for(0)


def test_the_table_reads_as_text() -> None:
    expected = """\
gru: 3 inputs to 5 outputs

 weight             shape     params
 ───────────────────────────────────
 kernel             (3, 15)       45
 recurrent_kernel   (5, 15)       75
 bias               (2, 15)       30
 ───────────────────────────────────
 total                           150

3 gates x (5 units x (3 inputs + 5 units + 2 biases)) = 150
per gate: update 50, reset 50, candidate 50
state size: 5
multiply-accumulates: 120 per step, 1,200 for 10 steps
bytes: float64 1,200, float32 600, float16 300, bfloat16 300, int8 150
held for backpropagation: 1,840 bytes (2 rows x 10 steps, float32)
PyTorch's GRU: 150"""
    assert str(count("gru", 3, 5, timesteps=10, batch=2)) == expected


def test_the_table_names_levels_and_directions_where_there_are_several() -> None:
    assert count("gru", 3, 5).table().columns == ("weight", "shape", "params")
    table = count("gru", 3, 5, depth=2, bidirectional=True).table()
    assert table.columns == ("level", "direction", "weight", "shape", "params")
    assert table.rows[-1] == (2, "backward", "bias", (2, 15), 30)
    assert table.total == ("total", "", "", "", 30 * (3 + 5 + 2) + 30 * (10 + 5 + 2))


def test_params_load_no_backend() -> None:
    code = (
        "import sys; from kerasseq import params;"
        "params.count('lru', 3, 5); params.units_for('gru', 1000, 3); params.cells();"
        "str(params.compare(['gru', 'lstm'], units=3, inputs=2));"
        "loaded = {name.partition('.')[0] for name in sys.modules};"
        "print(loaded & {'keras', 'tensorflow', 'jax', 'torch', 'pandas', 'h5py', 'numpy'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert (done.stdout.strip(), done.stderr) == ("set()", "")
