"""Layers in float32, on whichever device the backend has, held against float64 on the CPU.

The statement of every cell in `tests/cells/references.py` is run over JAX's arrays in float64,
where it has derivatives. Products are computed in full float32 (see `devices.full_precision`):
rounding alone then leaves about 1e-6 of a tensor's largest magnitude, products in TF32 leave 1e-3
and mistakes more, so that `race.TOLERANCE` tells them apart.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import devices, race

Array = np.ndarray
Tensor = Any

FORMS = ("none", "right", "left", "gaps", "empty")


@dataclass(frozen=True)
class Case:
    """A layer, its inputs and its mask.

    Args:
        cell: name of the cell.
        shape: batch, time, inputs and units.
        form: of the mask, one of `FORMS`; "empty" has rows of every form and one of no step.
        depth: number of levels.
        bidirectional: run each level in both directions.
        go_backwards: run from the last step.
        return_sequences: give the outputs of all steps.
    """

    cell: str
    shape: Sequence[int]
    form: str = "none"
    depth: int = 1
    bidirectional: bool = False
    go_backwards: bool = False
    return_sequences: bool = True


@dataclass(frozen=True)
class Direction:
    """One recurrence in a layer: its cell, and how it is run."""

    cell: Any
    backwards: bool
    zeros: bool


@dataclass(frozen=True)
class StartValues:
    """Inputs, states and weights of both sides in float64, and the weights of the loss."""

    weights: list[Array]
    inputs: Array
    states: list[Array]
    draws: list[Array]


@dataclass(frozen=True)
class Subject:
    """A layer that is built, with the two functions of a mask that give all there is to compare.

    Each gives outputs and final states, then the gradients of weights, inputs and first states.
    """

    layer: Any
    names: list[str]
    ours: Callable[[Array | None], tuple[list[Array], bool]]
    theirs: Callable[[Array], list[Array]]


def measured(case: Case) -> dict[str, Any]:
    """How far a layer is from float64.

    Returns:
        `apart`, by name the largest difference of a tensor by its own largest magnitude; `worst`
        of them; whether it `passed`; the `kernel` and the `reasons` against faster ones; and
        whether `cudnn` was seen in what ran.
    """
    mask = mask_of(case.form, *case.shape[:2])
    subject = _subject(replace(case, form="none", shape=tuple(case.shape)))
    with devices.full_precision():
        values, cudnn = subject.ours(mask)
    expected = subject.theirs(np.ones(case.shape[:2], bool) if mask is None else mask)
    apart = race.differences(values, expected)
    choices = [
        one.choose(np.zeros(case.shape[:3]), masked=mask is not None, training=True)
        for one in _layers(subject.layer)
    ]
    return {
        "apart": {name: float(f"{each:.2g}") for name, each in zip(subject.names, apart)},
        "worst": float(f"{max(apart):.2g}"),
        "tolerance": race.TOLERANCE,
        "passed": max(apart) <= race.TOLERANCE,
        "kernel": " ".join(dict.fromkeys(choice.name for choice in choices)),
        "reasons": choices[0].reasons,
        "cudnn": cudnn,
    }


def mask_of(form: str, batch: int, time: int) -> Array | None:
    """A mask of (batch, time): None where every step counts."""
    draw = np.random.default_rng(5)
    lengths = draw.integers(1, time + 1, (batch, 1))
    steps = np.arange(time)
    masks = {
        "right": steps < lengths,
        "left": steps >= time - lengths,
        "gaps": draw.random((batch, time)) < 0.6,
    }
    if form != "empty":
        return masks.get(form)
    mixed = np.ones((batch, time), bool)
    for row, mask in enumerate(masks.values()):
        mixed[row::4] = mask[row::4]
    mixed[-1] = False
    return mixed


@functools.lru_cache(maxsize=1)  # cases that differ by their masks follow on each other
def _subject(case: Case) -> Subject:
    import keras

    import kerasseq

    batch, time, inputs, units = case.shape
    layer = kerasseq.rnn(
        case.cell,
        units,
        depth=case.depth,
        bidirectional=case.bidirectional,
        go_backwards=case.go_backwards,
        return_sequences=case.return_sequences,
        return_state=True,
        dtype="float32",
    )
    layer.build((batch, time, inputs))
    draw = np.random.default_rng(3)
    weights = [_drawn(draw, weight) for weight in layer.weights]
    layer.set_weights(weights)
    directions = list(_directions(layer))
    states = [draw.normal(size=(batch, n)) for one in directions for n in one.cell.state_size]
    shape = (batch, time, units) if case.return_sequences else (batch, units)
    width = (*shape[:-1], units * (1 + case.bidirectional))
    draws = [draw.normal(size=each) for each in (width, *(state.shape for state in states))]
    # Rounded to float32, so that both sides compute with the same numbers.
    rounded = [
        [array.astype("float32").astype("float64") for array in arrays]
        for arrays in (weights, [draw.normal(size=(batch, time, inputs))], states, draws)
    ]
    start = StartValues(rounded[0], rounded[1][0], *rounded[2:])
    results = ["outputs", *(f"state {n}" for n, _ in enumerate(states))]
    slopes = [*(weight.path for weight in layer.weights), "inputs", *results[1:]]
    ours = {"jax": _on_jax, "torch": _on_torch}[keras.backend.backend()]
    return Subject(
        layer,
        [*results, *(f"gradient of {name}" for name in slopes)],
        ours(layer, start),
        _statement(directions, start, case.return_sequences),
    )


def _drawn(draw: np.random.Generator, weight: Any) -> Array:
    """Random values around those that a weight starts from.

    Gains are halved: at one, layer-normalised cells are chaotic, and magnify what is rounded.
    """
    start = weight.numpy() * (0.5 if weight.path.endswith("gain") else 1.0)
    return start + 0.1 * draw.normal(size=start.shape)


def _layers(layer: Any) -> Iterator[Any]:
    """The recurrent layers inside, level by level, forward then backward."""
    for level in getattr(layer, "levels", [layer]):
        if hasattr(level, "forward_layer"):
            yield from (level.forward_layer, level.backward_layer)
        else:
            yield level


def _directions(layer: Any) -> Iterator[Direction]:
    for one in _layers(layer):
        yield Direction(one.cell, one.go_backwards, one.zero_output_for_mask)


# Ours


def _on_jax(layer: Any, start: StartValues) -> Callable[[Array | None], tuple[list[Array], bool]]:
    import jax

    others = [weight.value for weight in layer.non_trainable_variables]

    def total(weights: Any, inputs: Any, states: Any, draws: Any, mask: Any) -> Any:
        options = {"initial_state": states, "mask": mask, "training": True}
        result = layer.stateless_call(weights, others, inputs, **options)[0]
        return _weighed(result, draws), result

    run = jax.jit(jax.grad(total, argnums=(0, 1, 2), has_aux=True))

    def ours(mask: Array | None) -> tuple[list[Array], bool]:
        arguments = jax.tree.map(
            lambda array: jax.numpy.asarray(array, "float32"),
            (start.weights, start.inputs, start.states, start.draws),
        )
        mask = None if mask is None else jax.numpy.asarray(mask)
        slopes, result = run(*arguments, mask)
        values = [np.asarray(each) for each in jax.tree.leaves((result, slopes))]
        return values, devices.in_program(run.lower(*arguments, mask))

    return ours


def _on_torch(layer: Any, start: StartValues) -> Callable[[Array | None], tuple[list[Array], bool]]:
    import torch
    from keras import ops

    weights = [weight.value for weight in layer.weights]

    def tensors(arrays: Sequence[Array]) -> list[Tensor]:
        return [ops.convert_to_tensor(array, "float32") for array in arrays]

    def ours(mask: Array | None) -> tuple[list[Array], bool]:
        starts = [x.requires_grad_() for x in tensors([start.inputs, *start.states])]
        options = {"mask": None if mask is None else ops.convert_to_tensor(mask)}
        result = layer(starts[0], initial_state=starts[1:], training=True, **options)
        loss = _weighed(result, tensors(start.draws))
        slopes = torch.autograd.grad(loss, [*weights, *starts], materialize_grads=True)
        values = [ops.convert_to_numpy(each) for each in (*result, *slopes)]
        return values, devices.in_graph(loss)

    return ours


def _weighed(results: Sequence[Tensor], draws: Sequence[Tensor]) -> Tensor:
    return sum((result * draw).sum() for result, draw in zip(results, draws, strict=True))


# The statement


def _statement(
    directions: list[Direction], start: StartValues, return_sequences: bool
) -> Callable[[Array], list[Array]]:
    """Of the mask: what a layer of those directions is to give, from float64 on the CPU."""
    import jax

    def total(weights: Any, inputs: Any, states: Any, draws: Any, mask: Any) -> Any:
        result = _stacked(directions, weights, inputs, states, mask, return_sequences)
        return _weighed(result, draws), result

    run = jax.jit(jax.grad(total, argnums=(0, 1, 2), has_aux=True))

    def theirs(mask: Array) -> list[Array]:
        with jax.default_device(jax.devices("cpu")[0]), jax.enable_x64(True), _over_jax():
            arguments = start.weights, start.inputs, start.states, start.draws
            slopes, result = run(*arguments, mask)
            values = [np.asarray(each) for each in jax.tree.leaves((result, slopes))]
        assert all(each.dtype == np.float64 for each in values)
        return values

    return theirs


def _over_jax() -> Any:
    """The statement of the tests over JAX's arrays instead of NumPy's."""
    import jax

    from tests.cells import references

    functions = {**references.FUNCTIONS, "tanh": jax.numpy.tanh}
    return mock.patch.multiple(references, np=jax.numpy, FUNCTIONS=functions)


def _stacked(
    directions: list[Direction],
    weights: Sequence[Tensor],
    x: Tensor,
    states: Sequence[Tensor],
    mask: Tensor,
    return_sequences: bool,
) -> list[Tensor]:
    """Outputs and final states, level by level."""
    from jax import numpy as jnp

    left, first, final = iter(weights), iter(states), []
    ways = 2 if any(one.backwards for one in directions) and len(directions) > 1 else 1
    for below in range(0, len(directions), ways):
        outputs = []
        for one in directions[below : below + ways]:
            own = [next(left) for _ in one.cell.weights]
            start = [next(first) for _ in one.cell.state_size]
            shown, new = _recurrence(one, own, x, start, mask)
            final += new
            last = below + ways == len(directions)
            if last and not return_sequences:
                shown = shown[:, -1]
            elif ways == 2 and one.backwards:
                shown = shown[:, ::-1]
            outputs.append(shown)
        x = jnp.concatenate(outputs, axis=-1)
    return [x, *final]


def _recurrence(
    one: Direction, weights: Sequence[Tensor], x: Tensor, states: Sequence[Tensor], mask: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Outputs in the order of the run, and final states, of one cell over (batch, time, inputs)."""
    import jax
    from jax import numpy as jnp

    from tests.cells import references

    cell, config = one.cell, one.cell.get_config()
    sized = cell.spec.sized(1, cell.units, **cell.options)  # for the names
    named = references.Weights({each.name: w for each, w in zip(sized, weights, strict=True)})
    advance = getattr(references, cell.kind)
    emit = getattr(references, f"{cell.kind}_output", None)
    if one.backwards:
        x, mask = x[:, ::-1], mask[:, ::-1]

    def step(carried: Any, now: Any) -> Any:
        (states, shown), (x, counts) = carried, now
        new = advance(x, states, named, config)
        output = new[0] if emit is None else emit(x, new, named)
        held = [jnp.where(counts, n, s) for n, s in zip(new, states, strict=True)]
        shown = jnp.where(counts, output, 0.0 if one.zeros else shown)
        return (held, shown), shown

    zeros = jnp.zeros((x.shape[0], cell.output_size), x.dtype)
    over_time = jnp.swapaxes(x, 0, 1), jnp.swapaxes(mask, 0, 1)[..., None]
    (final, _), outputs = jax.lax.scan(step, (list(states), zeros), over_time)
    return jnp.swapaxes(outputs, 0, 1), final
