"""Runs that assign classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasseq.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["ClassificationRun"]


class ClassificationRun(Run):
    """A trained classifier, with everything that it takes to use it and its scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.sentiment(epochs=1, units=4, quiet=True)
    >>> run.predict(["a fine film"]).columns.tolist()
    ['text', 'label', 'negative', 'positive']
    """

    def predict(self, data: list[str]) -> pd.DataFrame:
        """Classes of new data.

        Args:
            data: texts, or other rows that the recipe takes.

        Returns:
            A row for each row of the data: the row itself, its `label`, and the probability of each
            class.

        Raises:
            ValueError: if there is nothing to predict from.
        """
        import pandas as pd

        column, rows, examples = self.task.unlabelled(data, self.state, self.resolved)
        found = self.task.predictions(self.model, examples, self.state, self.resolved)
        classes = self.state["classes"]
        frame = pd.DataFrame(found, columns=classes)
        frame.insert(0, column, rows, allow_duplicates=True)
        frame.insert(1, "label", [classes[i] for i in found.argmax(1)], allow_duplicates=True)
        return frame

    def figures(self) -> dict[str, Figure]:
        from kerasseq import plots

        return {
            **super().figures(),
            "confusion": plots.confusion_matrix(self.metrics["confusion"], self.state["classes"]),
            "reliability": plots.reliability_diagram(self.metrics["reliability"]),
        }
