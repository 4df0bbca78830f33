"""The Run class of sequence classification."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kerasseq.runs import ClassificationRun
from kerasseq.settings import require_bool

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.tasks.sequence_classification.stream import Stream

__all__ = ["SequenceRun"]


class SequenceRun(ClassificationRun):
    """A trained classifier of sequences, or a regression, with its preprocessing and scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> import numpy as np
    >>> data = np.random.default_rng(0).normal(size=(40, 9, 2)), ["a", "b"] * 20
    >>> run = kerasseq.sequence_classification(data, epochs=1, units=4, causal=True, quiet=True)
    >>> stream = run.stream()
    >>> stream.update([0.1, 0.2])["label"] in ("a", "b")
    True
    """

    rowwise: ClassVar[Mapping[str, str]] = {}  # a recording has a row for each window
    row_schema: ClassVar[Mapping[str, Any]] = {"type": "array"}

    @contextlib.contextmanager
    def data_of_request(self, rows: list[Any], *, labelled: bool) -> Iterator[Any]:
        """Context with sequences: nested lists, or objects of a `sequence` and its `label`.

        A table is no data of a request, since it may name files.

        Args:
            rows: sequences, (timesteps, channels) or (timesteps,); or objects.
            labelled: whether labels are needed.

        Raises:
            ValueError: if they are anything else.
        """
        if labelled:
            for place, row in enumerate(rows):
                if not isinstance(row, dict) or {*row} != {"sequence", "label"}:
                    raise ValueError(
                        "every row must be an object with a sequence and its label, such as "
                        '{"sequence": [[0.1, 0.2], [0.3, 0.4]], "label": "walking"}. '
                        f"Received: row {place} (counted from 0) is {str(row)[:60]!r}"
                    )
            yield [row["sequence"] for row in rows], [row["label"] for row in rows]
            return
        for place, row in enumerate(rows):
            if not isinstance(row, list):
                raise ValueError(
                    "every row must be a list of timesteps, such as [[0.1, 0.2], [0.3, 0.4]]. "
                    f"Received: row {place} (counted from 0) is {str(row)[:60]!r}"
                )
        yield rows

    def predict(
        self, data: list[str] | str | os.PathLike[str] | pd.DataFrame, strict: bool = False
    ) -> pd.DataFrame:
        """Classes of new sequences, or numbers.

        A sequence that cannot be read gets the class shares of the training part, or its mean, and
        its `note` says why.

        Args:
            data: new sequences in a form that the recipe reads, with or without labels, of all
                parts that it has; or a list of files, folders and arrays.
            strict: whether a sequence that cannot be read is an error.

        Returns:
            A row for each sequence, or for each window of a recording: `sequence`, its name; its
            `label`, of the type of the training labels, and the probability of each class, in a
            column of that name (with _ at its end if another column has it); for a regression its
            `prediction`; and `note`.

        Raises:
            ValueError: if there is nothing to predict from.
            FileNotFoundError: if there is no such file.
        """
        require_bool(strict=strict)
        return super().predict(data, strict)

    def stream(self) -> Stream:
        """Create a stream, which returns the current class after each new timestep.

        Raises:
            ValueError: if the model reads later timesteps; train it with causal=True.
        """
        from kerasseq.tasks.sequence_classification.stream import Stream

        return Stream(self)

    def _answers(self, outputs: np.ndarray, column: str) -> dict[str, Any]:
        if self.state["classes"]:
            return super()._answers(outputs, column)
        return {"prediction": outputs}

    def figures(self) -> dict[str, Figure]:
        if self.state["classes"]:
            return super().figures()
        from kerasseq.tasks.sequence_classification import plots

        figures = super(ClassificationRun, self).figures()
        return {**figures, "predictions": plots.predicted_against_true(self.metrics["examples"])}
