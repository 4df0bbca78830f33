"""The compiled library: loading it, and calling its functions on memory."""

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
GATES = [4, 3, 1, 4, 3, 4]  # number of gates of each cell
SMALL = [0, 0, 0, 3, 0, 10]  # number of small weights of each cell, per unit
ACTIVATIONS = ["tanh", "sigmoid", "relu", "linear", "hard_sigmoid"]
# The number rises when the interface of src/ changes, lest an older build be taken.
PATH = Path(__file__).with_name("recurrence.so.2")

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


class Chain(ctypes.Structure):
    """`KsChain` of src/problem.h, field by field."""

    _fields_ = [
        ("threads", ctypes.c_int32),
        *((name, ctypes.c_int64) for name in ("batch", "time", "labels")),
        *((name, ctypes.c_void_p) for name in ("unary", "transitions", "mask", "total")),
        *((name, ctypes.c_void_p) for name in ("gradient", "dunary", "dtransitions")),
    ]


@cache
def load() -> Any:
    """Load the library, once in a process.

    Raises:
        OSError: If it was not built or cannot be loaded, with the remedy.
    """
    if not PATH.exists():
        raise OSError(f"the extension was not built; {_remedy()}")
    try:
        if backend() == "tensorflow":
            operations()  # first: TensorFlow registers them only if it is the first to load it
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
    """Load TensorFlow's module with the operations of the library.

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
    # In a checkout, Python imports the checkout before an installed copy with the extension.
    if (PATH.parents[3] / "setup.py").exists():
        return (
            "this kerasseq is a checkout: install a C++ compiler (GCC or Clang), and build the "
            "extension by `pip install -e .` in the checkout"
        )
    return (
        "install a C++ compiler (GCC or Clang), then install kerasseq again from the same source: "
        "pip install --force-reinstall --no-deps ..."
    )


def status() -> str | None:
    """Why the extension cannot be used, with the remedy; None if it can."""
    try:
        load()
    except OSError as error:
        return str(error)
    return None


def instructions() -> str:
    """The instruction set that the extension chose on this processor."""
    return str(load().ks_instructions().decode())


def reserve(problem: Problem, wide: bool) -> int:
    """Number of elements of the buffer that the forward pass writes for the backward pass.

    Args:
        problem: Sizes and cell of the call.
        wide: Whether the dtype is float64 rather than float32.
    """
    return int(load().ks_reserve(ctypes.byref(problem), int(wide)))


def call(name: str, problem: Any, wide: bool) -> None:
    """Run an entry point.

    Args:
        name: `forward`, `backward`, `linear`, `linear_gradient`, `chain` or `chain_gradient`.
        problem: A `Problem`, `Linear` or `Chain`, whose pointers are to contiguous memory of one
            dtype.
        wide: Whether the dtype is float64 rather than float32.

    Raises:
        MemoryError: If there is not enough memory.
    """
    if getattr(load(), f"ks_{name}")(ctypes.byref(problem), int(wide)):
        raise MemoryError("a layer ran out of memory")


def check(cell: str, tensors: Sequence[Any]) -> None:
    """Check the shapes of the tensors of a call, since the C++ side does not.

    Args:
        cell: One of `CELLS`.
        tensors: Sequences, kernel, recurrent kernel, bias, small weights, state, cell state,
            recurrent mask and mask, in this order; None for an absent one.

    Raises:
        ValueError: If a shape does not fit the shapes of sequences and recurrent kernel.
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
        _check_shape(name, shape, tensor)


def check_linear(a: Any, b: Any, start: Any) -> None:
    """Check the shapes of the tensors of a linear recurrence.

    Args:
        a: Factors, (parts, batch, time, units).
        b: Summands, of the same shape.
        start: First states, (parts, batch, units).

    Raises:
        ValueError: If a shape does not fit the shape of `a`.
    """
    parts, batch, _, units = a.shape
    _check_shape("summands", tuple(a.shape), b)
    _check_shape("state", (parts, batch, units), start)


def check_chain(unary: Any, transitions: Any, mask: Any) -> None:
    """Check the shapes of the tensors of a linear chain.

    Args:
        unary: Scores of labels, (batch, time, labels).
        transitions: (labels, labels).
        mask: (batch, time).

    Raises:
        ValueError: If a shape does not fit the shape of `unary`.
    """
    batch, time, labels = unary.shape
    _check_shape("transitions", (labels, labels), transitions)
    _check_shape("mask", (batch, time), mask)


def _check_shape(name: str, shape: tuple[int, ...], tensor: Any) -> None:
    if tensor is not None and tuple(tensor.shape) != shape:
        raise ValueError(f"The {name} must be of shape {shape}. Received: {tuple(tensor.shape)}")


def cores() -> int:
    """Number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
