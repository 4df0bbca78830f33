"""Registers the functions of the compiled library with XLA, for JAX."""

from __future__ import annotations

from typing import Any

import jax

__all__ = ["register"]

_TARGETS = ("forward", "backward", "linear", "linear_gradient", "chain", "chain_gradient")
# Minor versions of XLA's interface; the parts that src/xla.cpp uses are equal in all of them. A new
# XLA accepts several versions, an old one only its own.
_VERSIONS = (3, 2, 1)


def register(extension: Any) -> None:
    """Register the functions of the library as XLA custom calls.

    Args:
        extension: The loaded library.

    Raises:
        OSError: If this JAX does not take them.
    """
    refusals = []
    for version in _VERSIONS:
        try:
            extension.ks_xla_version(version)
            jax.devices("cpu")  # starts XLA first: a refusal at its start would end the process
            for name in _TARGETS:
                function = jax.ffi.pycapsule(getattr(extension, f"ks_xla_{name}"))
                jax.ffi.register_ffi_target(f"kerasseq_{name}", function, platform="cpu")
        except (AttributeError, RuntimeError, ValueError) as error:
            refusals.append(str(error))
        else:
            return
    raise OSError(f"JAX {jax.__version__} does not take it: {refusals[0]}")
