"""A function with a gradient written by hand, on each backend."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from kerasseq.kernels.sequence_call import backend

Tensor = Any
Tensors = Sequence[Tensor]
Forward = Callable[[Tensors], Tensors]
Keep = Callable[[Tensors, Tensors], Tensors]
Backward = Callable[[Tensors, Tensors], Sequence[Tensor | None]]


def with_gradient(
    forward: Forward, keep: Keep, backward: Backward, inputs: Tensors
) -> list[Tensor]:
    """Compute `forward(inputs)` with a gradient that `backward` computes.

    Second derivatives work too, since `backward` is differentiated like any other function.

    Args:
        forward: inputs -> outputs; reads no other tensor than its inputs.
        keep: (inputs, outputs) -> residuals, the tensors among them that `backward` needs.
        backward: (residuals, gradients of the outputs) -> gradients of the inputs, None for an
            input without gradient.
        inputs: Tensors.

    Example:
        >>> from keras import ops
        >>> square = with_gradient(
        ...     forward=lambda inputs: [inputs[0] * inputs[0]],
        ...     keep=lambda inputs, outputs: inputs,
        ...     backward=lambda residuals, gradients: [2 * residuals[0] * gradients[0]],
        ...     inputs=[ops.convert_to_tensor(3.0)],
        ... )
        >>> float(square[0])
        9.0
    """
    runs = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    return list(runs[backend()](forward, keep, backward, list(inputs)))


def _tensorflow(forward: Forward, keep: Keep, backward: Backward, inputs: list[Tensor]) -> Tensors:
    import tensorflow as tf

    # The gradient reads the inputs and outputs of the whole function, which the tape knows; with
    # the tensors inside `run`, second derivatives would not work.
    outputs: list[Tensor] = []
    inputs = [
        tf.convert_to_tensor(x) for x in inputs
    ]  # a variable would be read inside, not passed

    def run(*arguments: Tensor) -> tuple[list[Tensor], Callable[..., Any]]:
        def gradient(*gradients: Tensor) -> Any:
            return backward(keep(inputs, outputs), gradients)

        return list(forward(arguments)), gradient

    outputs.extend(tf.custom_gradient(run)(*inputs))
    return outputs


def _jax(forward: Forward, keep: Keep, backward: Backward, inputs: list[Tensor]) -> Tensors:
    import jax

    @jax.custom_vjp
    def run(*inputs: Tensor) -> Tensors:
        return list(forward(inputs))

    def outputs_and_residuals(*inputs: Tensor) -> tuple[Tensors, Tensors]:
        outputs = run(*inputs)
        return outputs, list(keep(inputs, outputs))

    run.defvjp(
        outputs_and_residuals, lambda residuals, gradients: tuple(backward(residuals, gradients))
    )
    return run(*map(ops.convert_to_tensor, inputs))  # a variable is passed by its value


def _torch(forward: Forward, keep: Keep, backward: Backward, inputs: list[Tensor]) -> Tensors:
    return _torch_function().apply(forward, keep, backward, *inputs)


@functools.cache
def _torch_function() -> Any:
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, forward: Forward, keep: Keep, backward: Backward, *inputs: Tensor
        ) -> tuple[Tensor, ...]:
            outputs = tuple(forward(inputs))
            # Outputs that are kept in any other way would never be freed.
            ctx.save_for_backward(*keep(inputs, outputs))
            ctx.run = backward
            return outputs

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Any:
            return None, None, None, *ctx.run(ctx.saved_tensors, gradients)

    return Function


def pullback(
    function: Callable[[list[Tensor]], Tensors], inputs: Tensors, gradients: Tensors
) -> list[Tensor | None]:
    """Gradients of a function's inputs from the gradients of its outputs (TensorFlow and JAX).

    Args:
        function: inputs -> outputs.
        inputs: Tensors.
        gradients: Gradients of the outputs, one for each.

    Returns:
        One gradient for each input; None where TensorFlow sees that no output depends on it.
    """
    if backend() == "jax":
        import jax

        _, back = jax.vjp(lambda *inputs: tuple(function(list(inputs))), *inputs)
        return list(back(tuple(gradients)))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = function(list(inputs))
    return list(tape.gradient(outputs, list(inputs), output_gradients=list(gradients)))
