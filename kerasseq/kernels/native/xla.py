"""Makes the functions of the compiled library known to XLA, for JAX."""

from __future__ import annotations

from typing import Any

import jax

__all__ = ["register"]

_TARGETS = ("forward", "backward", "linear", "linear_gradient")
# Minor versions of XLA's interface that are alike in what src/xla.cpp uses of it. An XLA takes some
# of them, an old one its own alone.
_VERSIONS = (3, 2, 1)


def register(extension: Any) -> None:
    """Make the functions of the library known to XLA.

    Raises:
        OSError: If this JAX does not take them.
    """
    refusals = []
    for version in _VERSIONS:
        try:
            extension.ks_xla_version(version)
            jax.devices("cpu")  # else they were checked later, and a refusal ended XLA's start
            for name in _TARGETS:
                function = jax.ffi.pycapsule(getattr(extension, f"ks_xla_{name}"))
                jax.ffi.register_ffi_target(f"kerasseq_{name}", function, platform="cpu")
        except (AttributeError, RuntimeError, ValueError) as error:
            refusals.append(str(error))
        else:
            return
    raise OSError(f"JAX {jax.__version__} does not take it: {refusals[0]}")
