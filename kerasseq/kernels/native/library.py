"""The compiled recurrences, and how to call them on memory."""

from __future__ import annotations

import ctypes
import importlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from kerasseq.kernels.sequence_call import backend

CELLS = ["lstm", "gru", "simple_rnn", "peephole_lstm", "coupled_lstm", "layernorm_lstm"]
GATES = [4, 3, 1, 4, 3, 4]  # of each of the cells
SMALL = [0, 0, 0, 3, 0, 10]  # their small weights, for every unit
ACTIVATIONS = ["tanh", "sigmoid", "relu", "linear", "hard_sigmoid"]
PATH = Path(__file__).with_name("recurrence.so.1")

NO_SECOND_DERIVATIVES = (
    "The native kernel has no second derivatives. Use kernel='scan', or "
    "kerasseq.kernels.portable() around what is differentiated twice."
)


class Problem(ctypes.Structure):
    """`KsProblem` of src/problem.h, field by field."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("cell", "activation", "recurrent_activation")),
        *((name, ctypes.c_int32) for name in ("go_backwards", "zero_output", "threads")),
        *((name, ctypes.c_int64) for name in ("batch", "time", "inputs", "units")),
        *((name, ctypes.c_void_p) for name in ("x", "kernel", "recurrent", "bias", "extra")),
        *((name, ctypes.c_void_p) for name in ("h0", "c0", "recurrent_mask", "mask")),
        *((name, ctypes.c_void_p) for name in ("y", "h", "c", "reserve", "dy", "dh", "dc")),
        *((name, ctypes.c_void_p) for name in ("dx", "dkernel", "drecurrent", "dbias")),
        *((name, ctypes.c_void_p) for name in ("dextra", "dh0", "dc0")),
    ]


class Linear(ctypes.Structure):
    """`KsLinear` of src/problem.h, field by field."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("parts", "threads")),
        *((name, ctypes.c_int64) for name in ("batch", "time", "units")),
        *((name, ctypes.c_void_p) for name in ("a", "b", "h0", "trail", "dtrail")),
        *((name, ctypes.c_void_p) for name in ("da", "db", "dh0")),
    ]


@cache
def load() -> Any:
    """The library.

    Raises:
        OSError: If it was not built or cannot be loaded, with the remedy.
    """
    if not PATH.exists():
        raise OSError(f"the extension was not built; {_remedy()}")
    try:
        if backend() == "tensorflow":
            operations()  # of which it takes note only where it loads the library before others do
        library = ctypes.CDLL(str(PATH))
        if backend() == "jax":
            importlib.import_module("kerasseq.kernels.native.xla").register(library)
    except OSError as error:
        raise OSError(f"the extension cannot be loaded ({error}); {_remedy()}") from error
    library.ks_instructions.restype = ctypes.c_char_p
    library.ks_reserve.restype = ctypes.c_size_t
    return library


@cache
def operations() -> Any:
    """TensorFlow's module of our operations.

    Raises:
        OSError: If they cannot be loaded into this TensorFlow.
    """
    import tensorflow as tf

    try:
        module = tf.load_op_library(str(PATH))
        module.kerasseq_recurrence  # noqa: B018
    except (tf.errors.OpError, AttributeError) as error:
        raise OSError(f"TensorFlow {tf.__version__} does not take it: {error}") from error
    return module


def _remedy() -> str:
    # What is run in a checkout finds it before an installed copy that has the extension.
    if (PATH.parents[3] / "setup.py").exists():
        return (
            "this kerasseq is a checkout: with a C++ compiler (GCC or Clang) there, "
            "`pip install -e .` in it builds the extension"
        )
    return (
        "with a C++ compiler (GCC or Clang) there, install kerasseq again from where it came from: "
        "pip install --force-reinstall --no-deps ..."
    )


def status() -> str | None:
    """None if the extension can be used, else why not, with the remedy."""
    try:
        load()
    except OSError as error:
        return str(error)
    return None


def instructions() -> str:
    """The instruction set that the extension chose on this processor."""
    return str(load().ks_instructions().decode())


def reserve(problem: Problem, wide: bool) -> int:
    """Elements that the backward pass needs to be kept."""
    return int(load().ks_reserve(ctypes.byref(problem), int(wide)))


def call(name: str, problem: Any, wide: bool) -> None:
    """Run an entry point.

    Args:
        name: `forward`, `backward`, `linear` or `linear_gradient`.
        problem: A `Problem` or `Linear`, its pointers to dense memory of one dtype.
        wide: Whether that is float64 rather than float32.

    Raises:
        MemoryError: If there is not enough.
    """
    if getattr(load(), f"ks_{name}")(ctypes.byref(problem), int(wide)):
        raise MemoryError("a recurrent layer ran out of memory")


def check(cell: str, tensors: Sequence[Any]) -> None:
    """Raise where tensors do not fit each other, since the C++ side trusts sizes.

    Args:
        cell: One of `CELLS`.
        tensors: Sequences, kernel, recurrent kernel, bias, small weights, state, cell state,
            recurrent mask and mask; None where there is none.

    Raises:
        ValueError: If one is of another shape than the first and the third say.
    """
    (batch, time, inputs), units = tensors[0].shape, tensors[2].shape[0]
    index = CELLS.index(cell)
    columns, state = GATES[index] * units, (batch, units)
    shapes = {
        "sequences": (batch, time, inputs),
        "kernel": (inputs, columns),
        "recurrent kernel": (units, columns),
        "bias": (2, columns) if cell == "gru" else (columns,),
        "small weights": (SMALL[index] * units,),
        "state": state,
        "cell state": state,
        "recurrent mask": state,
        "mask": (batch, time),
    }
    for (name, shape), tensor in zip(shapes.items(), tensors, strict=True):
        _expect(name, shape, tensor)


def check_linear(a: Any, b: Any, start: Any) -> None:
    """The same for a linear recurrence: factors, summands and first states, parts stacked.

    Raises:
        ValueError: If one is of another shape than the first says.
    """
    parts, batch, _, units = a.shape
    _expect("summands", tuple(a.shape), b)
    _expect("state", (parts, batch, units), start)


def _expect(name: str, shape: tuple[int, ...], tensor: Any) -> None:
    if tensor is not None and tuple(tensor.shape) != shape:
        raise ValueError(f"The {name} must be of shape {shape}. Received: {tuple(tensor.shape)}")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
