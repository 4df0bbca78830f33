"""Weights of `nn.LSTM`, `nn.GRU` and `nn.RNN` of PyTorch, in and out."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasseq.interop.counterparts import is_of_kerasseq
from kerasseq.io import paths, safetensors
from kerasseq.layers import Stack, rnn

__all__ = ["from_torch", "to_torch"]

_KINDS = {4: "lstm", 3: "gru", 1: "simple_rnn"}
# Where PyTorch has each gate of ours: it begins a GRU with the reset gate, Keras with update.
_ORDER = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "simple_rnn": (0,)}
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
_FIRST = re.compile(r"(?:(?P<prefix>.*)\.)?weight_hh_l0")

Arrays = dict[str, np.ndarray]


def from_torch(source: Any, prefix: str = "", **options: Any) -> Any:
    """Create a recurrent layer with the weights of a layer of PyTorch.

    Its cell, width, depth and directions are read from the weights. The two biases of PyTorch are
    added up where Keras has one, and the gates put into the order of Keras.

    Args:
        source: A module of PyTorch, `nn.LSTM`, `nn.GRU`, `nn.RNN` or one with such a layer inside;
            or the path of a .safetensors file. Files of `torch.save` are pickles, which can run
            code, and are not read.
        prefix: Name of the layer inside the module or file, such as `"encoder.lstm"`; it can be
            left out if there is one recurrent layer.
        **options: Arguments of `kerasseq.rnn`, such as `return_sequences=True`, which is what
            PyTorch does; and `activation="relu"` for the weights of an `nn.RNN` of this kind in a
            file, which does not say so.

    Returns:
        The built layer, as `kerasseq.rnn` gives it.

    Raises:
        ValueError: If there is no such layer, or its weights are not those of one.
        FileNotFoundError: If there is no such file.

    Example:
        >>> import numpy as np, kerasseq
        >>> layer = kerasseq.gru(4)
        >>> layer.build((None, None, 3))
        >>> to_torch(layer, "gru.safetensors")["bias_hh_l0"].shape
        (12,)
        >>> layer = from_torch("gru.safetensors", return_sequences=True)
        >>> layer(np.ones((2, 5, 3), "float32")).shape == (2, 5, 4)
        True
    """
    arrays, nonlinearity = _read(source, prefix)
    state, first = arrays.get("weight_hh_l0"), arrays.get("weight_ih_l0")
    if state is None or first is None or state.ndim != 2 or first.ndim != 2:
        raise ValueError(f"`source` has no weight_hh_l0 and weight_ih_l0 of a layer at {prefix!r}.")
    projection = arrays.get("weight_hr_l0")
    units = state.shape[1] if projection is None else projection.shape[-1]
    gates, rest = divmod(state.shape[0], max(1, units))
    if rest or gates not in _KINDS:
        raise ValueError(
            "`source` must have weights of nn.LSTM, nn.GRU or nn.RNN, with 4, 3 or 1 gates. "
            f"Received: weight_hh_l0 of shape {state.shape}"
        )
    kind = _KINDS[gates]
    if kind == "simple_rnn" and nonlinearity:
        options = {"activation": nonlinearity, **options}
    depth = sum(bool(re.fullmatch(r"weight_hh_l\d+", name)) for name in arrays)
    layer = rnn(
        kind,
        units,
        depth=depth,
        bidirectional="weight_hh_l0_reverse" in arrays,
        use_bias="bias_ih_l0" in arrays,
        projection=None if projection is None else projection.shape[0],
        **options,
    )
    layer.build((None, None, first.shape[1]))
    used = set()
    for suffix, cell in _cells(layer):
        names = _names(cell, suffix)
        missing = [name for name in names if name not in arrays]
        if missing:
            raise ValueError(f"`source` has no {', '.join(missing)}, of a layer of depth {depth}.")
        try:
            cell.set_weights(_to_keras(cell, [arrays[name] for name in names]))
        except ValueError as error:
            raise ValueError(f"`source` has weights {suffix} of other shapes: {error}") from error
        used |= {*names}
    surplus = {*arrays} - used
    if surplus:
        raise ValueError(f"`source` has weights that no such layer has: {', '.join(surplus)}.")
    return layer


def to_torch(
    layer: Any, target: Any = None, prefix: str = "", *, overwrite: bool = False
) -> Arrays:
    """Give the weights of a recurrent layer under the names and in the layout of PyTorch.

    Args:
        layer: A built layer over `lstm`, `gru` or `simple_rnn`: a layer that `kerasseq.rnn` gives,
            deep and bidirectional ones too, or one of `keras.layers`.
        target: Where the weights go, too: a module of PyTorch of the same sizes, or the path of a
            .safetensors file.
        prefix: Name of the layer inside the module or file.
        overwrite: Whether the file may be replaced.

    Returns:
        The arrays by name: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, ... The bias of Keras is
        `bias_ih`, and `bias_hh` zero, where Keras has one.

    Raises:
        ValueError: If PyTorch has no such layer, the module has other sizes, or the file another
            ending or is there already.

    Example:
        >>> import kerasseq
        >>> layer = kerasseq.lstm(4, bidirectional=True)
        >>> layer.build((None, None, 3))
        >>> weights = to_torch(layer)
        >>> sorted(weights)[:2], weights["weight_ih_l0_reverse"].shape
        (['bias_hh_l0', 'bias_hh_l0_reverse'], (16, 3))
    """
    if not (isinstance(layer, keras.layers.Layer) and layer.built):
        raise ValueError(f"`layer` must be a built recurrent layer. Received: {layer!r}")
    arrays: Arrays = {}
    for suffix, cell in _cells(layer):
        values = _from_keras(cell, [np.asarray(value) for value in cell.get_weights()])
        arrays |= zip(_names(cell, suffix), values, strict=True)
    if isinstance(target, str | os.PathLike):
        dotted = f"{prefix}." if prefix else ""
        path = _free_file(target, overwrite)
        safetensors.write(path, {f"{dotted}{name}": value for name, value in arrays.items()})
    elif target is not None:
        _load(target, prefix, arrays)
    return arrays


# Where weights come from and go to


def _read(source: Any, prefix: str) -> tuple[Arrays, str | None]:
    """The weights of one layer by their names in it, and the nonlinearity that a module tells."""
    if isinstance(source, str | os.PathLike):
        path = paths.user_path(source, "source")
        if path.suffix in _PICKLES:
            raise ValueError(
                f"'{path}' is a pickle, which can run any code when it is read. Save the weights "
                "by safetensors.torch.save_file, or pass the module itself."
            )
        if not path.is_file():
            raise FileNotFoundError(f"There is no file '{path}'.")
        names = _names_of_layer(safetensors.header(path), prefix)
        arrays = safetensors.read(path, list(names))
        return {names[name]: array for name, array in arrays.items()}, None
    if not hasattr(source, "state_dict"):
        raise ValueError(
            "`source` must be a module of PyTorch or the path of a .safetensors file. "
            f"Received: {source!r}"
        )
    tensors = source.state_dict()
    names = _names_of_layer(tensors, prefix)
    arrays = {names[name]: tensors[name].detach().float().cpu().numpy() for name in names}
    place = next(iter(names)).rpartition(".")[0]
    return arrays, getattr(source.get_submodule(place), "nonlinearity", None)


def _names_of_layer(names: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """The names of the weights of one layer, with their names inside it."""
    prefixes = [match["prefix"] or "" for match in map(_FIRST.fullmatch, names) if match]
    if not prefixes:
        some = ", ".join([*names][:4]) or "nothing"
        raise ValueError(
            "`source` must have a recurrent layer, nn.LSTM, nn.GRU or nn.RNN, with a weight_hh_l0. "
            f"Received: {some}{', ...' if len(names) > 4 else ''}"
        )
    if prefix not in prefixes and (prefix or len(prefixes) != 1):
        raise ValueError(
            "`prefix` must be the name of a recurrent layer in `source`, one of "
            f"{', '.join(map(repr, prefixes))}. Received: prefix={prefix!r}"
        )
    dotted = f"{prefix or prefixes[0]}.".removeprefix(".") if prefix or prefixes[0] else ""
    return {
        name: name.removeprefix(dotted)
        for name in names
        if name.startswith(dotted) and re.match(r"(weight|bias)_", name.removeprefix(dotted))
    }


def _free_file(target: str | os.PathLike[str], overwrite: bool) -> Path:
    path = paths.output_file(target, "target")
    if path.suffix != ".safetensors":
        raise ValueError(
            f"`target` must be a .safetensors file, or a module of PyTorch. Received: {path}. For "
            "a file of torch.save, load the weights into a module, and save its state_dict()."
        )
    if path.exists() and not overwrite:
        raise ValueError(f"`target` is there already: {path}. Pass overwrite=True.")
    return path


def _load(module: Any, prefix: str, arrays: Arrays) -> None:
    torch = importlib.import_module("torch")
    place = module.get_submodule(prefix)
    state = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    try:
        place.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"`target` must be a module of the same sizes: {reason}") from error


# Layouts


def _cells(layer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the suffix of PyTorch's names and the cell, for each level and direction."""
    if isinstance(layer, Stack) and layer.skip:
        raise ValueError(f"PyTorch has no `{layer.skip}` connections. Received: {layer.name}")
    levels = layer.levels if isinstance(layer, Stack) else [layer]
    for number, level in enumerate(levels):
        directions = [level]
        if isinstance(level, keras.layers.Bidirectional):
            if level.merge_mode != "concat":
                raise ValueError(
                    "PyTorch merges directions by concatenation. Received: "
                    f"merge_mode={level.merge_mode!r}"
                )
            directions = [level.forward_layer, level.backward_layer]
        for direction, suffix in zip(directions, ("", "_reverse")):
            cell = getattr(direction, "cell", None)
            _check(cell)
            yield f"l{number}{suffix}", cell


def _kind(cell: Any) -> str:
    return {"LSTMCell": "lstm", "GRUCell": "gru", "SimpleRNNCell": "simple_rnn"}.get(
        type(cell).__name__, ""
    )


def _check(cell: Any) -> None:
    kind = _kind(cell)
    if not kind or not (is_of_kerasseq(cell) or type(cell).__module__.startswith("keras.")):
        raise ValueError(
            f"PyTorch has LSTM, GRU and RNN, and no {type(cell).__name__}; its weights have no "
            "place there."
        )
    if kind == "gru" and not cell.reset_after:
        raise ValueError("The GRU of PyTorch has reset_after=True. Received: reset_after=False")
    expected = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    if kind == "simple_rnn":
        return
    for name, function in expected.items():
        used = getattr(getattr(cell, name), "__name__", "a function")
        if used != function:
            raise ValueError(f"PyTorch computes {name}={function!r} alone. Received: {used}")


def _names(cell: Any, suffix: str) -> list[str]:
    names = [f"weight_ih_{suffix}", f"weight_hh_{suffix}"]
    if cell.use_bias:
        names += [f"bias_ih_{suffix}", f"bias_hh_{suffix}"]
    if getattr(cell, "projection", None) is not None:
        names.append(f"weight_hr_{suffix}")
    return names


def _reordered(value: np.ndarray, cell: Any) -> np.ndarray:
    """The last axis with its gates in the other order, which is the same way there and back."""
    order = _ORDER[_kind(cell)]
    parts = np.split(value, len(order), axis=-1)
    return np.concatenate([parts[place] for place in order], axis=-1)


def _to_keras(cell: Any, values: list[np.ndarray]) -> list[np.ndarray]:
    """The weights of a cell in the order and layout of Keras."""
    rows: dict[str, Any] = {weight.name: None for weight in cell.weights}
    rows["kernel"], rows["recurrent_kernel"] = (_reordered(value.T, cell) for value in values[:2])
    if cell.use_bias:
        both = _reordered(np.stack(values[2:4]), cell)
        rows["bias"] = both if _kind(cell) == "gru" else both.sum(axis=0)
    if "projection_kernel" in rows:
        rows["projection_kernel"] = values[-1].T
    return list(rows.values())


def _from_keras(cell: Any, values: list[np.ndarray]) -> list[np.ndarray]:
    """The weights of a cell in the order and layout of PyTorch."""
    rows = dict(zip((weight.name for weight in cell.weights), values, strict=True))
    result = [_reordered(rows[name], cell).T for name in ("kernel", "recurrent_kernel")]
    if cell.use_bias:
        bias = rows["bias"]
        both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
        result += list(_reordered(both, cell))
    if "projection_kernel" in rows:
        result.append(rows["projection_kernel"].T)
    return [np.ascontiguousarray(value, "float32") for value in result]
