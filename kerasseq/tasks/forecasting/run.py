"""Runs that forecast."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kerasseq.runs import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.tasks.forecasting.backtest import Backtest

__all__ = ["ForecastRun"]


class ForecastRun(Run):
    """A trained forecaster, with everything that it takes to use it and its scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.forecasting(horizon=3, units=4, epochs=1, quiet=True)
    >>> run.forecast().columns.tolist()
    ['series', 'month', 'forecast', '0.1', '0.5', '0.9']
    """

    verbs: ClassVar[tuple[str, ...]] = ("forecast", "backtest", "update", "evaluate")

    def forecast(
        self,
        horizon: int | None = None,
        history: str | os.PathLike[str] | pd.DataFrame | None = None,
        future: str | os.PathLike[str] | pd.DataFrame | None = None,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        paths: int = 0,
        seed: int = 0,
        **reading: Any,
    ) -> pd.DataFrame:
        """Forecast the steps that come next, in the units of the data.

        Args:
            horizon: number of steps ahead; as many as the model was trained for where it is not
                given.
            history: a table of series to go on from, also series that it was not trained on; the
                end of those that it was trained on where it is not given.
            future: a table of what is known of the steps ahead, where the recipe was given `future`
                columns.
            quantiles: levels between 0 and 1, a column each, where the run has intervals.
            paths: number of whole forecasts to draw, a column each, where the model is recursive
                and has quantiles or a distribution; they are the model's own, not calibrated.
            seed: seed of the draws.
            **reading: arguments of the recipe that say how to read `history` (`fill`, say); the
                others are as they were for the recipe.

        Returns:
            A row for each series, step and target. The column `forecast` has the median, or the
            mean of a point forecast.

        Raises:
            ValueError: if there is nothing to forecast from, or not so far.
        """
        from kerasseq.tasks.forecasting import forecasts

        return forecasts.ahead(
            self.model,
            self.task.config(self.state["data_info"], self.resolved),
            self.state,
            horizon=horizon,
            history=history,
            future=future,
            levels=quantiles,
            reading=reading,
            paths=paths,
            seed=seed,
        )

    def predict(self, data: Any = None, **options: Any) -> pd.DataFrame:
        """The same as `forecast`.

        Args:
            data: the `history` of `forecast`.
            **options: the other arguments of `forecast`.
        """
        if isinstance(data, list):
            raise ValueError("forecasts are made from a table of series, not from a list.")
        return self.forecast(history=data, **options)

    def backtest(
        self,
        folds: int = 5,
        stride: int | None = None,
        refit: bool = False,
        data: str | os.PathLike[str] | pd.DataFrame | None = None,
    ) -> Backtest:
        """Score forecasts from several origins, the last one a horizon before the end.

        Args:
            folds: number of origins.
            stride: steps from one origin to the next; a horizon where it is not given.
            refit: whether to train anew before each origin, on nothing but the rows before it;
                without it, all origins lie in the test part.
            data: the data of the recipe; needed where the run comes from a folder.

        Returns:
            A table of scores, fold by fold, beside those of the baselines, and all forecasts beside
            the values that came; see `kerasseq.tasks.forecasting.backtest.Backtest`.

        Raises:
            ValueError: if there is no room for so many folds.
        """
        from kerasseq.tasks.forecasting.backtest import backtest

        return backtest(self.task, self, folds, stride, refit, data)

    def update(self, rows: Any, **reading: Any) -> None:
        """Append new rows: the next `forecast` begins after them.

        The weights stay as they are. `save` keeps the rows.

        Args:
            rows: a table with the columns of the recipe's, beginning with the row after the last
                one.
            **reading: arguments of the recipe that say how to read them (`fill`, say); the others
                are as they were for the recipe.

        Raises:
            ValueError: if the rows do not follow the last one, or the model cannot take them; then
                the run is as it was.
        """
        from kerasseq.tasks.forecasting import forecasts

        sizes = self.task.config(self.state["data_info"], self.resolved)
        self.state = forecasts.updated(self.model, sizes, self.state, rows, reading)

    def figures(self) -> dict[str, Figure]:
        from kerasseq.tasks.forecasting import forecasts, plots

        fans = [forecasts.fan(example) for example in self.metrics["examples"]]
        found = {
            **super().figures(),
            "forecasts": plots.fans(fans),
            "error_by_step": plots.error_by_step(self.metrics["error_by_step"]),
        }
        if levels := self.metrics["coverage_by_level"]:
            found["coverage_by_level"] = plots.coverage_by_level(levels)
        return found
