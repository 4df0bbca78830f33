"""What `benchmarks.kernels` and `benchmarks.gpu` time: one step of one layer of a library."""

from __future__ import annotations

import functools
import gc
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kerasseq
from benchmarks import devices
from kerasseq import training

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Task:
    """What a step is made of.

    Args:
        library: "kerasseq", "keras.layers", "keras.layers.RNN" (over a cell of ours), "torch.nn".
        cell: name of the cell.
        shape: batch, time, inputs and units; not for `data`.
        training: forward and backward, with the gradients of all weights and of the inputs; else
            forward alone.
        masked: the rows have lengths of their own, and are padded on the right.
        data: name of the texts of which an epoch of the sentiment recipe's model is a step.
        kernel: the kernel that kerasseq is to take.
        any_batch: trace for any size of the batch, as `fit` does.
    """

    library: str
    cell: str
    shape: Sequence[int] = ()
    training: bool = True
    masked: bool = False
    data: str | None = None
    kernel: str = "auto"
    any_batch: bool = False


def _unseen() -> bool:
    return False


@dataclass(frozen=True)
class Contender:
    """A step, ready to be run.

    Args:
        step: runs it; gives the outputs and, in training, the gradients.
        arrays: runs it and gives the same as arrays: `outputs`, `inputs` for the gradient of the
            inputs, and one per weight, in the layout of Keras.
        weights: gives the weights, in the layout of Keras.
        load: takes weights of that layout.
        kernel: gives the kernel that has run; None for the other libraries.
        layer: what is run, where it is a layer of Keras or kerasseq.
        calls_cudnn: whether cuDNN is seen in what the backend runs (JAX, PyTorch in training).
    """

    step: Callable[[], Any]
    arrays: Callable[[], Arrays]
    weights: Callable[[], list[np.ndarray]]
    load: Callable[[list[np.ndarray]], None]
    kernel: Callable[[], str | None]
    layer: Any = None
    calls_cudnn: Callable[[], bool] = _unseen


def contender(task: Task) -> Contender:
    """What a task says, built for the backend that runs."""
    keras.utils.set_random_seed(0)
    if task.data is not None:
        return _epoch(task, task.data)
    if task.library == "torch.nn":
        return _torch_module(task)
    return _keras_layer(task)


def peak(task: Task) -> tuple[int, str | None]:
    """The bytes that training steps take beyond what the process held before, and our kernel.

    The step is traced for any batch and run on one row before, so that what is counted is that of
    a step and not of loading libraries and building graphs. Linux alone tells.
    """
    layer = _layer(task)
    x, upstream, _ = _data(task)
    step, tensor = _compiled(layer, task)
    step(tensor(x[:1]), tensor(upstream[:1]))
    arguments = tensor(x), tensor(upstream)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts here
    before = _status("VmRSS")
    for _ in range(3):
        step(*arguments)
    return _status("VmHWM") - before, _kernel_of(layer)


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found
    return int(found[1]) * 1024


def _data(task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Inputs, the gradient of the outputs, and the mask."""
    batch, time, inputs, units = task.shape
    random = np.random.default_rng(0)
    x = random.standard_normal((batch, time, inputs), dtype=np.float32)
    upstream = random.standard_normal((batch, time, units), dtype=np.float32)
    lengths = random.integers(1, time + 1, batch)
    lengths[0] = time  # as where batches are cut to what they need
    return x, upstream, np.arange(time) < lengths[:, None] if task.masked else None


# Layers of kerasseq and Keras


def _layer(task: Task) -> Any:
    units = task.shape[-1]
    if task.library == "kerasseq":
        layer = kerasseq.rnn(task.cell, units, return_sequences=True, kernel=task.kernel)
    elif task.library == "keras.layers.RNN":
        cell = kerasseq.cells.get(task.cell)(units)
        layer = keras.layers.RNN(cell, return_sequences=True)
    else:
        kinds = {
            "lstm": keras.layers.LSTM,
            "gru": keras.layers.GRU,
            "simple_rnn": keras.layers.SimpleRNN,
        }
        layer = kinds[task.cell](units, return_sequences=True)
    layer.build((None if task.any_batch else task.shape[0], *task.shape[1:3]))
    for weight in layer.weights:
        if weight.path.endswith("gain"):
            # With gains of one a layer-normalised LSTM is chaotic: over 200 steps rounding becomes
            # a difference of percents, in every kernel, and nothing could be compared.
            weight.assign(weight * 0.5)
    return layer


def _keras_layer(task: Task) -> Contender:
    layer = _layer(task)
    given = [array for array in _data(task) if array is not None]
    calls_cudnn: Callable[[], bool] = _unseen
    if keras.backend.backend() == "tensorflow":
        compiled, tensor = _compiled(layer, task)
        arguments = [tensor(array) for array in given]
        step: Callable[[], Any] = functools.partial(compiled, *arguments)
    elif keras.backend.backend() == "jax":
        step, calls_cudnn = _jitted(layer, task, given)
    else:
        step = _eager(layer, task, given)
        calls_cudnn = functools.partial(_seen_in_graph, step)

    def arrays() -> Arrays:
        outputs, gradients = step()
        names = ["outputs", "inputs", *(weight.path for weight in layer.trainable_weights)]
        found = zip(names, [outputs, *gradients])  # without gradients the outputs alone
        return {name: keras.ops.convert_to_numpy(tensor) for name, tensor in found}

    return Contender(
        step,
        arrays,
        layer.get_weights,
        layer.set_weights,
        lambda: _kernel_of(layer),
        layer,
        calls_cudnn,
    )


def _kernel_of(layer: Any) -> str | None:
    choice = getattr(getattr(layer, "forward_layer", layer), "kernel", None)
    return None if choice is None else str(choice.name)


def _compiled(layer: Any, task: Task) -> tuple[Callable[..., Any], Callable[[np.ndarray], Any]]:
    import tensorflow as tf  # a graph is what users of this backend run

    def step(x: Any, upstream: Any, mask: Any = None) -> Any:
        if not task.training:
            return layer(x, mask=mask, training=False), []
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, mask=mask, training=True)
        sources = [x, *(weight.value for weight in layer.trainable_weights)]
        return outputs, tape.gradient(outputs, sources, output_gradients=upstream)

    batch, time, inputs, units = (None if task.any_batch else task.shape[0], *task.shape[1:])
    signature = [tf.TensorSpec((batch, time, inputs)), tf.TensorSpec((batch, time, units))]
    if task.masked:
        signature.append(tf.TensorSpec((batch, time), "bool"))
    return tf.function(step, input_signature=signature), tf.constant


def _jitted(
    layer: Any, task: Task, given: list[np.ndarray]
) -> tuple[Callable[[], Any], Callable[[], bool]]:
    import jax

    def step(weights: Any, x: Any, upstream: Any, mask: Any = None) -> Any:
        def outputs(weights: Any, x: Any) -> Any:
            others = [weight.value for weight in layer.non_trainable_variables]
            options = {"mask": mask, "training": task.training}
            return layer.stateless_call(weights, others, x, **options)[0]

        if not task.training:
            return outputs(weights, x), []
        result, pull_back = jax.vjp(outputs, weights, x)
        found, slope = pull_back(upstream)
        return result, [slope, *found]

    compiled, arguments = jax.jit(step), [jax.numpy.asarray(array) for array in given]

    def values() -> list[Any]:
        return [weight.value for weight in layer.trainable_weights]

    def run() -> Any:
        return jax.block_until_ready(compiled(values(), *arguments))

    def calls_cudnn() -> bool:
        return devices.in_program(compiled.lower(values(), *arguments))

    return run, calls_cudnn


def _eager(layer: Any, task: Task, given: list[np.ndarray]) -> Callable[[], Any]:
    import torch

    x, upstream, *mask = [keras.ops.convert_to_tensor(array) for array in given]
    weights = [weight.value for weight in layer.trainable_weights]
    options = {"mask": mask[0] if mask else None, "training": task.training}
    return _torch_step(torch, lambda x: layer(x, **options), x, upstream, weights, task.training)


def _seen_in_graph(step: Callable[[], Any]) -> bool:
    outputs, _ = step()
    return devices.in_graph(outputs)


def _torch_step(
    torch: Any, forward: Callable[[Any], Any], x: Any, upstream: Any, weights: Any, train: bool
) -> Callable[[], Any]:
    def training_step() -> Any:
        for tensor in (x, *weights):
            tensor.grad = None
        outputs = forward(x)
        outputs.backward(upstream)
        return outputs, [tensor.grad for tensor in (x, *weights)]

    def inference_step() -> Any:
        with torch.no_grad():
            return forward(x), []

    x.requires_grad_(train)
    return training_step if train else inference_step


# Layers of PyTorch


def _torch_module(task: Task) -> Contender:
    import torch

    *_, inputs, units = task.shape
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple_rnn": torch.nn.RNN}[task.cell]
    module = kind(inputs, units, batch_first=True)
    module.train(task.training)
    x, upstream, _ = _data(task)
    # `flatten_parameters` and the fused paths want the module's own list of parameters.
    weights = [module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, module.bias_hh_l0]
    step = _torch_step(
        torch,
        lambda x: module(x)[0],
        torch.from_numpy(x),
        torch.from_numpy(upstream),
        weights,
        task.training,
    )

    def arrays() -> Arrays:
        outputs, gradients = step()
        found = {"outputs": outputs.detach().numpy()}
        if gradients:
            found["inputs"] = gradients[0].numpy()
            weights = to_keras(task.cell, [gradient.numpy() for gradient in gradients[1:]])
            found |= dict(zip(("kernel", "recurrent_kernel", "bias"), weights))
        return found

    def load(values: list[np.ndarray]) -> None:
        with torch.no_grad():
            for weight, value in zip(weights, to_torch(task.cell, values)):
                weight.copy_(torch.from_numpy(value))

    def current() -> list[np.ndarray]:
        return to_keras(task.cell, [weight.detach().numpy() for weight in weights])

    return Contender(step, arrays, current, load, lambda: None)


def to_torch(cell: str, weights: list[np.ndarray]) -> list[np.ndarray]:
    """Weights of a Keras layer as `torch.nn` has them: transposed, with a second bias."""
    kernel, recurrent, bias = (_gates(cell, weight) for weight in weights)
    both = bias if cell == "gru" else np.stack([bias, np.zeros_like(bias)])
    return [np.ascontiguousarray(array) for array in (kernel.T, recurrent.T, *both)]


def to_keras(cell: str, weights: list[np.ndarray]) -> list[np.ndarray]:
    """Weights, or their gradients, of `torch.nn` as a Keras layer has them."""
    kernel, recurrent, bias, second = weights
    both = np.stack([bias, second]) if cell == "gru" else bias
    return [_gates(cell, array) for array in (kernel.T, recurrent.T, both)]


def _gates(cell: str, weight: np.ndarray) -> np.ndarray:
    """PyTorch has the GRU's reset gate before the update gate; the others are in one order."""
    if cell != "gru":
        return weight
    update, reset, candidate = np.split(weight, 3, axis=-1)
    return np.concatenate([reset, update, candidate], axis=-1)


# The sentiment recipe


def _epoch(task: Task, data: str) -> Contender:
    """A step is an epoch of `fit`, with its validation, as the recipe runs it."""
    recipe, settings = _sentiment()
    prepared = _prepared(data)
    model = recipe.build(prepared.data_info, settings)
    layer = _recurrent(task, model.get_layer("recurrent"))
    model = keras.models.clone_model(
        model,
        clone_function=lambda one: (
            layer if one.name == layer.name else type(one).from_config(one.get_config())
        ),
    )
    weights = {weight.path: weight for weight in model.weights}
    for path, value in prepared.initial.items():
        weights[path].assign(value)
    objective = recipe.objective(prepared.data_info, settings)
    plan = training.TrainingConfig(
        loss=objective.loss,
        metrics=objective.metrics,
        branches=objective.branches,
        **{name: getattr(settings, name) for name in training.SETTINGS},
    )
    batches = training.Batches(prepared.train, plan.batch_size, plan.seed, plan.branches)
    held = training.Batches(prepared.validation, 4 * plan.batch_size, branches=plan.branches)
    training_model = plan.compile_model(model, len(batches))
    fed, judged = _dataset(batches), _dataset(held)

    def step() -> None:
        training_model.fit(fed, validation_data=judged, shuffle=False, verbose=0)

    def arrays() -> Arrays:
        import tensorflow as tf  # gradients have no name in keras.ops

        inputs = keras.tree.map_structure(tf.constant, held[0][0])
        with tf.GradientTape() as tape:
            logits = model(inputs, training=False)
        trained = model.trainable_weights
        gradients = tape.gradient(logits, [weight.value for weight in trained])
        found = {"outputs": logits, **{w.path: g for w, g in zip(trained, gradients)}}
        return {name: tf.convert_to_tensor(value).numpy() for name, value in found.items()}

    return Contender(step, arrays, model.get_weights, model.set_weights, lambda: _kernel_of(layer))


def _dataset(batches: training.Batches) -> Any:
    """The batches as `fit` would turn them into a `tf.data.Dataset`, but for its autotuning.

    On one core the thread that tunes is at times not told that an epoch is over, and `fit` waits
    for it: 10 ms times a power of two, as much as all steps together.
    """
    import tensorflow as tf  # keras.layers and kerasseq are fed by it alike

    signature = keras.tree.map_structure(
        lambda array: tf.TensorSpec((None, None, *array.shape[2:])[: array.ndim], array.dtype),
        batches[0],
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    source = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)
    counted = source.apply(tf.data.experimental.assert_cardinality(len(batches)))
    return counted.prefetch(2).with_options(options)


def _recurrent(task: Task, made: Any) -> Any:
    """The recurrent layer of the recipe's model, from kerasseq or from Keras."""
    units = made.forward_layer.cell.units
    if task.library == "kerasseq":
        return kerasseq.rnn(
            task.cell,
            units,
            bidirectional=True,
            return_sequences=True,
            kernel=task.kernel,
            name=made.name,
        )
    return keras.layers.Bidirectional(
        keras.layers.LSTM(units, return_sequences=True), name=made.name
    )


def _sentiment() -> tuple[Any, Any]:
    """The task of the recipe, and its default settings."""
    recipe = kerasseq.sentiment.task
    return recipe, recipe.make_settings({"quiet": True})


@functools.cache
def _prepared(data: str) -> Any:
    from kerasseq.tasks import perform

    recipe, settings = _sentiment()
    source = recipe.load("demo" if data == "demo" else long_texts(), settings)
    return perform.prepare(recipe, source, settings)[1]


def long_texts(number: int = 2000) -> Any:
    """Texts as long as film reviews: half of them have over 174 words, and the mean is 234.

    The words are drawn by Zipf's law and mean nothing, which takes as long to learn from.
    """
    import pandas as pd

    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(np.log(174), 0.77, number), 10, 2000).astype(int)
    words = np.minimum(random.zipf(1.3, lengths.sum()), 30_000)
    texts = [
        " ".join(f"w{word}" for word in part) for part in np.split(words, lengths.cumsum()[:-1])
    ]
    return pd.DataFrame({"text": texts, "label": random.choice(["bad", "good"], number)})
