"""The device of the backend in this process, and whether a program or graph calls cuDNN."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

_LIBRARIES = ("keras", "numpy", "jax", "jaxlib", "torch")
_OF_GPUS = ("jax-cuda", "nvidia-cudnn", "nvidia-cuda-runtime", "triton")


def described() -> dict[str, Any]:
    """The device: its kind, `gpu` or another, and its name; and versions of what runs on it.

    Something is computed there first, so that a device that is broken raises.
    """
    import keras

    total = float(keras.ops.sum(keras.ops.ones((64, 64)) @ keras.ops.ones((64, 64))))
    assert total == 64**3
    kind, name = {"jax": _jax, "torch": _torch}[keras.backend.backend()]()
    return {"kind": kind, "name": name, "versions": _versions()}


@contextmanager
def full_precision() -> Iterator[None]:
    """While it lasts, products of float32 are not rounded to the 10 bits of TF32."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        with jax.default_matmul_precision("highest"):
            yield
        return
    if keras.backend.backend() == "tensorflow":  # by default it rounds on GPUs alone
        yield
        return
    import torch

    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    try:
        for place in places:
            place.allow_tf32 = False
        yield
    finally:
        for place, allowed in zip(places, before, strict=True):
            place.allow_tf32 = allowed


def in_program(lowered: Any) -> bool:
    """Whether a program of JAX, as `jax.jit(...).lower` gives it, calls cuDNN's recurrences."""
    return "cudnn_rnn" in lowered.as_text()


def in_graph(tensor: Any) -> bool:
    """Whether a tensor of PyTorch comes from cuDNN's recurrences, by the graph of its gradient."""
    visited, left = set(), [tensor.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in visited:
            continue
        if "Cudnn" in node.name():
            return True
        visited.add(node)
        left += [below for below, _ in node.next_functions]
    return False


def _jax() -> tuple[str, str]:
    import jax

    return jax.default_backend(), jax.devices()[0].device_kind


def _torch() -> tuple[str, str]:
    import torch

    if not torch.cuda.is_available():
        return "cpu", "cpu"
    return "gpu", torch.cuda.get_device_name(0)


def _versions() -> dict[str, str]:
    """Of the libraries, and of those that NVIDIA's and JAX's packages bring."""
    import keras

    versions = {"backend": keras.backend.backend()}
    for one in metadata.distributions():
        name = (one.name or "").lower()
        if name in _LIBRARIES or name.startswith(_OF_GPUS):
            versions[name] = one.version
    if versions["backend"] == "torch":
        import torch

        if torch.version.cuda is not None:
            versions["cuda"] = torch.version.cuda
            versions["cudnn"] = str(torch.backends.cudnn.version())
    return dict(sorted(versions.items()))
