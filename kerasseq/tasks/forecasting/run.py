"""The Run class of forecasting."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from kerasseq.runs import Run
from kerasseq.settings import require_choice

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.tasks.forecasting.backtest import Backtest

__all__ = ["ForecastRun"]


class ForecastRun(Run):
    """A trained forecaster with its preprocessing and scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.forecasting(horizon=3, units=4, epochs=1, quiet=True)
    >>> run.forecast().columns.tolist()
    ['series', 'month', 'forecast', '0.1', '0.5', '0.9']
    """

    verbs: ClassVar[tuple[str, ...]] = ("forecast", "backtest", "update", "evaluate", "anomalies")

    def forecast(
        self,
        horizon: int | None = None,
        history: str | os.PathLike[str] | pd.DataFrame | None = None,
        future: str | os.PathLike[str] | pd.DataFrame | None = None,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        paths: int = 0,
        seed: int = 0,
        columns: Literal["kerasseq", "nixtla"] = "kerasseq",
        **reading: Any,
    ) -> pd.DataFrame:
        """Forecast the steps that come next, in the units of the data.

        Args:
            horizon: number of steps ahead; default: the horizon of the recipe.
            history: a table of series to forecast, also new ones; default: the series that the run
                was trained on. A series that is shorter than the lookback is extended back, by its
                first season or its mean.
            future: a table of covariates of the steps ahead, for a recipe with `future` columns.
            quantiles: levels between 0 and 1, a column each, for a run with intervals.
            paths: number of sample paths to draw, a column each, for a recursive model with
                quantiles or a distribution; they are not calibrated.
            seed: seed of the sample paths.
            columns: "nixtla" for the columns `unique_id`, `ds`, `kerasseq`, `kerasseq-lo-80` and
                `kerasseq-hi-80`, as of Nixtla's libraries; several targets are then series.
            **reading: arguments of the recipe that say how to read `history` (`fill`, say);
                default: the values of the run.

        Returns:
            A row for each series, step and target. The column `forecast` has the mean or the
            median, as `resolved.point` says; "auto" is neither, but what `loss` learns. If a series
            is shorter than the lookback, the column `note` says so, and its intervals are wider: by
            the change of the forecasts of the run's series if the model reads as few steps.

        Raises:
            ValueError: if there is no history, or the horizon is too long for the model.
            TypeError: if an argument has the name that it has in another library.
        """
        from kerasseq.tasks.forecasting import forecasts
        from kerasseq.tasks.forecasting.hints import check_arguments

        check_arguments(reading)
        require_choice({"columns": columns}, "columns", ("kerasseq", "nixtla"))
        frame = forecasts.forecast_ahead(
            self.model,
            self.task.config(self.state["data_info"], self.resolved),
            self.state,
            horizon=horizon,
            history=history,
            future=future,
            levels=quantiles,
            point=self.resolved.point,
            reading=reading,
            paths=paths,
            seed=seed,
        )
        if columns == "kerasseq":
            return frame
        from kerasseq.tasks.forecasting.nixtla import to_nixtla

        return to_nixtla(frame, **self._columns)

    def predict(self, data: Any = None, **options: Any) -> pd.DataFrame:
        """The same as `forecast`.

        Args:
            data: the `history` of `forecast`.
            **options: the other arguments of `forecast`.
        """
        if isinstance(data, list) and not all(isinstance(row, dict) for row in data):
            raise ValueError(
                "data must be a table of series or its path, not a list. Received: a list"
            )
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
            stride: steps from one origin to the next; default: the horizon.
            refit: whether to train a new model for each origin, on the rows before it alone;
                otherwise the scored model of the run forecasts from all origins, which must lie in
                the test part. With `final="all"` that is the model before the refit.
            data: the data of the recipe; needed for a run that was loaded from a folder.

        Returns:
            Scores of the model and its baselines by fold, and all forecasts with the actual values;
            see `kerasseq.tasks.forecasting.backtest.Backtest`.

        Raises:
            ValueError: if the series, or the test part, are too short for the folds; if `data` is
                missing or differs from the data of the run.
        """
        from kerasseq.tasks.forecasting.backtest import backtest

        return backtest(self.task, self, folds, stride, refit, data)

    def cross_validation(
        self,
        folds: int = 5,
        stride: int | None = None,
        refit: bool = False,
        data: str | os.PathLike[str] | pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """The forecasts of a backtest, in the columns of Nixtla's `cross_validation`.

        Args:
            folds: number of origins, as `n_windows` there.
            stride: steps from one origin to the next, as `step_size` there; default: the horizon.
            refit: as in `backtest`.
            data: as in `backtest`.

        Returns:
            `unique_id`, `ds`, `cutoff` (the last stamp before the forecast), `y` (the actual
            value), `kerasseq`, and the columns of quantiles as in `forecast(columns="nixtla")`.

        Raises:
            ValueError: as in `backtest`.
        """
        from kerasseq.settings import require_bool
        from kerasseq.tasks.forecasting.nixtla import backtest_to_nixtla

        require_bool(refit=refit)
        forecasts = self.backtest(folds, stride, refit, data).forecasts
        return backtest_to_nixtla(forecasts, **self._columns)

    def anomalies(
        self,
        rows: str | os.PathLike[str] | pd.DataFrame,
        quantiles: Sequence[float] = (0.025, 0.975),
        **reading: Any,
    ) -> pd.DataFrame:
        """Values outside the interval that was forecast for them one step ahead.

        Of values without anomalies, too, about the share outside the levels is marked: 5% by
        default. The run does not change; `update` appends the rows.

        Args:
            rows: new rows, which follow the last ones of the run's series; or any table with the
                columns of the recipe's data, of whose series the first rows, as many as the model
                reads, are not compared. Rows that the model has learned from look less anomalous.
            quantiles: the levels between which values are expected.
            **reading: arguments of the recipe that say how to read the rows (`fill`, say);
                default: the values of the run.

        Returns:
            A row for each compared value: the columns of `forecast`, `actual`, and `anomaly`, which
            is True outside the interval. Covariates that are known ahead are taken to stay after
            the end of the rows.

        Raises:
            ValueError: if the run has no intervals, rows are missing before the new ones, or a
                table has too few of them.
        """
        from kerasseq.tasks.forecasting.anomalies import find_anomalies

        sizes = self.task.config(self.state["data_info"], self.resolved)
        return find_anomalies(
            self.model, sizes, self.state, rows, quantiles, reading, self.resolved.point
        )

    @property
    def _columns(self) -> dict[str, Any]:
        """The number of columns that identify the series, and whether there are several targets."""
        history = self.state["history"]
        series = len(history["encoding"]["roles"]["series"])
        return {"series": series, "several": len(history["names"]["targets"]) > 1}

    def update(self, rows: Any, **reading: Any) -> None:
        """Append new rows: the next `forecast` begins after them.

        The weights stay as they are. `save` keeps the rows.

        Args:
            rows: a table with the columns of the recipe's data, which begins with the row after the
                last one.
            **reading: arguments of the recipe that say how to read the rows (`fill`, say);
                default: the values of the run.

        Raises:
            ValueError: if the rows do not follow the last one, or the model cannot read them; then
                the run does not change.
        """
        from kerasseq.tasks.forecasting import updating

        sizes = self.task.config(self.state["data_info"], self.resolved)
        self.state = updating.update_state(self.model, sizes, self.state, rows, reading)

    def figures(self) -> dict[str, Figure]:
        from kerasseq.tasks.forecasting import forecasts, plots

        subtitle = "weights before the refit on all rows" * (self.resolved.final == "all")
        fans = [forecasts.fan(example) for example in self.metrics["examples"]]
        figures = {
            **super().figures(),
            "forecasts": plots.fans(fans, subtitle),
            "error_by_step": plots.error_by_step(self.metrics["error_by_step"], subtitle=subtitle),
        }
        if levels := self.metrics["coverage_by_level"]:
            figures["coverage_by_level"] = plots.coverage_by_level(levels, subtitle)
        return figures
