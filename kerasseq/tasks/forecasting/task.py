"""The task of forecasting series."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerasseq.runs import Standalone
from kerasseq.settings import check, declarations_of, raise_faults
from kerasseq.tasks.base import Learn, Objective, Parts, Prepared, Task, changed
from kerasseq.tasks.forecasting.hints import SETTINGS as HINTS
from kerasseq.tasks.forecasting.point import are_counts, point_fault, sum_ratio, sum_remark
from kerasseq.tasks.forecasting.run import ForecastRun

if TYPE_CHECKING:
    import keras

    from kerasseq.data.series.panel import Panel
    from kerasseq.data.series.reader import SeriesExamples, SeriesReader, Truth
    from kerasseq.evaluation.forecast_metrics import Forecasts
    from kerasseq.evaluation.metrics import Score
    from kerasseq.models import Forecaster, Likelihood
    from kerasseq.recipes.forecasting import ForecastingSettings

__all__ = ["Forecasting"]


class Forecasting(Task["ForecastingSettings", ForecastRun]):
    """Forecasting of series, with calibrated quantiles."""

    run = ForecastRun
    headline: ClassVar[str] = "mase"
    higher_is_better: ClassVar[bool] = False
    rows: ClassVar[str] = "windows"
    suggestions: ClassVar[tuple[str, ...]] = ("suggested", "windows", "seasonality")
    keeps_source: ClassVar[bool] = True
    refused: ClassVar[Mapping[str, str]] = HINTS

    def check(self, settings: ForecastingSettings) -> None:
        from kerasseq.tasks.forecasting import defaults

        if settings.holidays is not None:
            from kerasseq.data.series.public_holidays import check_place

            check_place(settings.holidays)

        resolved, _ = self.resolve(defaults.SMALLEST, settings)
        linear = bool(settings.linear)
        norm = resolved.normalization if resolved.model == "hybrid" else "none"
        smallest = changed(resolved, normalization=norm, segment=1, linear=linear)
        self.count(defaults.SMALLEST, smallest)  # the model checks its cell and sizes

    def check_conflicts(self, settings: ForecastingSettings) -> None:
        """Needs neither a backend nor pandas, so that conflicts are told at once."""
        from kerasseq.data import parts
        from kerasseq.data.series.part_values import is_stamp, is_table

        parts.check(settings, lambda part: is_table(part) or is_stamp(part))
        faults = []
        if settings.lookback is not None and settings.lookback_seasons is not None:
            faults.append(
                "give lookback= in steps, or lookback_seasons= as a multiple, not both. Received: "
                f"lookback={settings.lookback}, lookback_seasons={settings.lookback_seasons}"
            )
        levels = list(settings.quantiles)
        if not levels or sorted({*levels}) != levels:
            faults.append(
                "quantiles must be levels between 0 and 1, each above the one before. "
                f"Received: quantiles={tuple(levels)!r}"
            )
        for name in parts.NAMES:
            part = getattr(settings, name)
            share = isinstance(part, float)
            if isinstance(part, Real) and not (0 < float(part) < 1 if share else float(part) >= 1):
                faults.append(declarations_of(type(settings))[name].refusal(part))
        if settings.output == "negative_binomial" and settings.scaling not in ("auto", "none"):
            faults.append(
                "output='negative_binomial' is for counts, which are not scaled: scaling must be "
                f"'auto' or 'none'. Received: scaling={settings.scaling!r}"
            )
        if (fault := point_fault(settings)) is not None:
            faults.append(fault)
        if settings.seeds > 1 and settings.warm_start is not None:
            faults.append(
                "warm_start would give all models of an ensemble the same first weights: leave it "
                f"or seeds out. Received: seeds={settings.seeds}"
            )
        if settings.seed + settings.seeds > 2**32:
            faults.append(
                "the seeds of an ensemble are seed, seed + 1, ..., and must be below 2**32. "
                f"Received: seed={settings.seed}, seeds={settings.seeds}"
            )
        raise_faults(faults)

    def is_separate_part(self, value: Any) -> bool:
        from kerasseq.data.series.part_values import is_table

        return is_table(value) or (isinstance(value, str) and value.startswith("a table of "))

    def resolve(
        self, data_info: Mapping[str, Any], settings: ForecastingSettings
    ) -> tuple[ForecastingSettings, list[str]]:
        from kerasseq.tasks.forecasting import defaults

        return defaults.resolved(data_info, settings)

    def load_early(self, settings: ForecastingSettings) -> Panel:
        from kerasseq.io.tables import table_path

        check(settings)
        self.check_conflicts(settings)
        if isinstance(settings.data, str | os.PathLike) and settings.data != "demo":
            table_path(settings.data)  # before `load` imports pandas
        return self.load(settings.data, settings)

    def load(self, data: Any, settings: ForecastingSettings) -> Panel:
        from kerasseq.data.parts import prefix_errors
        from kerasseq.data.series.parts import add_parts
        from kerasseq.data.series.read import Panel, read_series

        if not isinstance(data, Panel):
            reading = {name: getattr(settings, name) for name in self.names("read")}
            data = read_series(data, **reading)
        parts = {}
        for name, part in self.separate_parts(settings).items():
            with prefix_errors(name):
                parts[name] = read_series(part, encoding=data.encoding)
        panel: Panel = add_parts(data, parts) if parts else data
        # A horizon that is left open is short enough for every series.
        if settings.short == "error" or settings.horizon is None:
            return panel
        from kerasseq.data.series.splits import drop_short

        lookback = settings.lookback or 1
        return drop_short(panel, settings.validation, settings.test, settings.horizon, lookback)

    def split(
        self,
        source: Panel,
        settings: ForecastingSettings,
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        learn: Learn = "train",
    ) -> Parts:
        from kerasseq.data.series.reader import Part
        from kerasseq.data.series.splits import chronological, rolling
        from kerasseq.tasks.forecasting import defaults
        from kerasseq.tasks.forecasting.longer_lookback import longer_lookback
        from kerasseq.tasks.forecasting.series_baselines import HISTORY

        notes = list(source.notes)
        horizon = settings.horizon or defaults.horizon(source)
        steps, seasons = settings.lookback, settings.lookback_seasons
        split = chronological(source, settings.validation, settings.test, horizon, steps or 1)
        if fold is not None:
            split = rolling(split, fold)
        lengths = split.validation - split.train
        lookback = defaults.lookback(
            steps,
            seasons,
            source.season,
            horizon,
            shortest=int(lengths.min()),
            rows=int(lengths.sum()) * len(source.names["targets"]),
        )
        reads = f"{horizon:,} steps ahead, from {lookback:,} steps back"
        if steps is None and seasons is None:
            train = source.cut(split.train, split.validation)
            longer = longer_lookback(train, lookback, horizon)
            if longer > lookback:
                reads = (
                    f"{horizon:,} steps ahead, from {longer:,} steps back: a linear "
                    f"map forecasts the training part better from them than from {lookback:,}"
                )
                lookback = longer
        notes.append(reads)
        # Baselines may read more steps than the model.
        context = max(lookback, source.season, HISTORY) + max(settings.lags, default=0)
        parts = Part.split(source, split, lookback, horizon, context, learn)
        tested = test and bool((split.end > split.test).all())
        return Parts(parts[0], parts[1], parts[2] if tested else None, notes)

    def prepare(self, parts: Parts, settings: ForecastingSettings) -> Prepared:
        from kerasseq.data.series.calendar import cycles
        from kerasseq.data.series.public_holidays import check_steps
        from kerasseq.data.series.reader import SeriesReader
        from kerasseq.data.series.state import panel_state
        from kerasseq.tasks.forecasting import defaults
        from kerasseq.tasks.forecasting.first_rates import first_rates
        from kerasseq.tasks.forecasting.updating import last_rows

        train = parts.train
        defaults.check(parts, settings.output)
        if settings.holidays is not None:
            check_steps(train.panel.frequency, settings.holidays)
        panel, sizes = train.panel, {"lookback": train.lookback, "horizon": train.horizon}
        suggested = defaults.suggested(panel, settings.output, **sizes)
        scaling = settings.scaling if settings.scaling != "auto" else suggested["scaling"][0]
        reader = SeriesReader.fit(
            panel,
            scaling,
            settings.per_series and panel.ids != [""],
            lags=tuple(settings.lags),
            cycles=tuple(cycles(panel.stamps, panel.frequency) if settings.calendar else ()),
            masked=train.masked,
            series_ids=settings.series_embedding,
            holidays=settings.holidays,
            **sizes,
        )
        train_examples, validation_examples = (
            reader.examples(part.panel, part.first, stride=stride)
            for part, stride in ((train, settings.stride), (parts.validation, None))
        )
        test_examples = None
        if (held_out := parts.test) is not None:
            test_examples = reader.examples(
                held_out.panel, held_out.first, insample=held_out.before
            )
        seasonality = defaults.seasonality(panel, scaling)
        is_hybrid = suggested["model"][0] == "hybrid"
        state = {
            "data_info": {
                "suggested": suggested,
                "seasonality": seasonality,
                **sizes,
                **reader.columns(panel),
                "series": len(panel) if settings.series_embedding else 0,
                "masked": train.masked,
                "season": panel.season,
                "windows": len(train_examples),
                "independent": validation_examples.independent,
            },
            "reader": reader.state(),
            "history": panel_state(last_rows(_latest_panel(parts), reader.rows_needed)),
            "calibration": None,
        }
        notes = [defaults.rows_remark(train_examples, validation_examples, test_examples)]
        return Prepared(
            train_examples,
            validation_examples,
            test_examples,
            state,
            initial=first_rates(train_examples, seasonality) if is_hybrid else {},
            notes=notes,
        )

    def standalone(
        self, model: keras.Model, state: Mapping[str, Any], settings: ForecastingSettings
    ) -> Standalone:
        from kerasseq.tasks.forecasting.exporting import preprocessing

        sizes = self.config(state["data_info"], settings)
        requires = ("scipy",) if sizes.output in ("student_t", "negative_binomial") else ()
        module = Path(__file__).with_name("standalone.py")
        return Standalone(module, preprocessing(state, sizes), requires)

    def state_type(self) -> Any:
        from kerasseq.tasks.forecasting.saved import ForecastState

        return ForecastState

    def metrics_type(self) -> Any:
        from kerasseq.tasks.forecasting.saved import ForecastMetrics

        return ForecastMetrics

    def upgrade_state(self, state: dict[str, Any]) -> dict[str, Any]:
        from kerasseq.io import schema
        from kerasseq.tasks.base import State
        from kerasseq.tasks.forecasting.saved import EarlierState

        schema.check(state, State)
        data_info = state["data_info"]
        if "suggested" in data_info:
            return state
        schema.check(state, EarlierState)
        # Format 1 saved the data-driven settings as entries of data_info.
        values = {name: data_info[name] for name in ("model", "normalization")}
        values["scaling"] = state["reader"]["scalers"]["targets"]["kind"]
        suggested = {name: [value, "chosen before"] for name, value in values.items()}
        return {**state, "data_info": {**data_info, "suggested": suggested}}

    def check_saved(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: ForecastingSettings,
        metrics: Mapping[str, Any],
    ) -> None:
        from kerasseq.tasks.forecasting import forecasts, updating

        super().check_saved(model, state, settings, metrics)
        updating.check_state(model, state, self.config(state["data_info"], settings))
        if "scored" in state:
            scored = state["scored"]
            expected = self.count(scored["data_info"], settings)
            if (parameters := sum(weight.size for weight in scored["weights"])) != expected:
                raise ValueError(
                    f"the scored model has {parameters:,} parameters, and its state {expected:,}"
                )
        for example in metrics["examples"]:
            forecasts.fan(example)

    def config(self, data_info: Mapping[str, Any], settings: ForecastingSettings) -> Forecaster:
        from kerasseq.models import Forecaster
        from kerasseq.tasks.forecasting import defaults

        return Forecaster(
            lookback=data_info["lookback"],
            horizon=data_info["horizon"],
            kind=settings.model,
            cell=settings.cell,
            units=settings.units,
            depth=settings.depth,
            targets=data_info["targets"],
            past=data_info["past"],
            future=data_info["future"],
            static=data_info["static"],
            series=data_info["series"],
            masked=data_info["masked"],
            embedding=settings.embedding,
            channels=settings.channels,
            segment=settings.segment or 1,
            linear=bool(settings.linear),
            attention=settings.attention,
            scheduled_sampling=settings.scheduled_sampling,
            normalization=settings.normalization,
            season=data_info["season"],
            output=settings.output,
            quantiles=tuple(defaults.learned(settings.quantiles, settings.point)),
            error=settings.loss,
            dropout=settings.dropout,
            options=settings.cell_options,
            members=settings.seeds,
        )

    def macs(self, data_info: Mapping[str, Any], settings: ForecastingSettings) -> int:
        return self.config(data_info, settings).macs()

    def members(self, settings: ForecastingSettings) -> list[ForecastingSettings]:
        seeds = range(settings.seed, settings.seed + settings.seeds)
        return [changed(settings, seed=seed, seeds=1) for seed in seeds]

    def join(
        self,
        models: Sequence[keras.Model],
        data_info: Mapping[str, Any],
        settings: ForecastingSettings,
    ) -> keras.Model:
        return self.config(data_info, settings).join(models)

    def objective(self, data_info: Mapping[str, Any], settings: ForecastingSettings) -> Objective:
        return Objective(self.config(data_info, settings).loss())

    def training(
        self, model: keras.Model, prepared: Prepared, settings: ForecastingSettings
    ) -> tuple[keras.Model, Any, Any]:
        from kerasseq.training import Repeated

        train: Any = prepared.train
        validation: Any = prepared.validation
        if settings.model == "recursive":
            train, validation = train.teacher_forced, validation.teacher_forced
        if (times := settings.passes_per_epoch or 1) > 1:
            train = Repeated(train, times)
        return self.config(prepared.data_info, settings).training_model(model), train, validation

    def calibrate(
        self, model: keras.Model, prepared: Prepared, settings: ForecastingSettings
    ) -> dict[str, Any]:
        if not settings.calibrate:
            return {}
        from kerasseq import training
        from kerasseq.tasks.forecasting import defaults, forecasts, rolling

        examples: Any = prepared.validation
        likelihood = self._likelihood(prepared.data_info, settings)
        if defaults.is_stretched(prepared.data_info, settings.output, settings.quantiles):
            levels = sorted({*defaults.LEVELS, *settings.quantiles})
            calibration = rolling.calibration(model, prepared, likelihood, levels)
            return {"calibration": calibration.state()}
        calibration = forecasts.calibration(
            training.outputs(model, examples),
            examples.scaled_targets,
            likelihood,
            settings.quantiles,
            examples.independent,
        )
        return {"calibration": calibration.state()}

    def scored_model(self, model: keras.Model, state: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: state[name] for name in ("data_info", "reader")}
        return {"scored": {"weights": model.get_weights(), **kept}}

    def predictions(
        self,
        model: keras.Model,
        examples: SeriesExamples,
        state: Mapping[str, Any],
        settings: ForecastingSettings,
    ) -> Forecasts:
        from kerasseq import training
        from kerasseq.tasks.forecasting import forecasts

        return forecasts.in_original_units(
            training.outputs(model, examples),
            self._likelihood(state["data_info"], settings),
            list(settings.quantiles),
            state["calibration"],
            examples.in_original_units,
            settings.point,
        )

    def score(self, predictions: Forecasts, targets: Truth, settings: ForecastingSettings) -> Score:
        from kerasseq.evaluation import forecast_metrics
        from kerasseq.tasks.forecasting import forecasts

        score = forecast_metrics.score(
            targets.values,
            predictions,
            insample=targets.insample,
            series=targets.series,
            season=targets.season,
            block=targets.block,
            seed=settings.seed,
        )
        score.details["examples"] = forecasts.examples(targets, predictions)
        score.details["point"] = settings.point
        score.details["sum_ratio"] = sum_ratio(targets.values, predictions.point)
        return score

    def remarks(self, score: Score, state: Mapping[str, Any]) -> list[str]:
        counts = are_counts(state["history"]["targets"])
        remark = sum_remark(score.details["sum_ratio"], score.details["point"], counts)
        return [] if remark is None else [remark]

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: ForecastingSettings
    ) -> Mapping[str, Forecasts]:
        from kerasseq.tasks.forecasting import forecasts

        return forecasts.BaselineForecasts(prepared, settings.quantiles)

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: ForecastingSettings,
        reading: Mapping[str, Any],
    ) -> SeriesExamples:
        from kerasseq.data.series.read import Panel, read_series

        reader = self.reader(state)
        if not isinstance(data, Panel):
            data = read_series(data, encoding=reader.encoding, **reading)
        return reader.examples(data)

    def details(self, score: Score, baselines: Mapping[str, Score]) -> dict[str, Any]:
        scores = {"this model": score, **baselines}
        errors = {name: each.details["by_step"]["mae"] for name, each in scores.items()}
        covered = {
            name: each.details["coverage_by_level"]
            for name, each in scores.items()
            if "coverage_by_level" in each.details
        }
        return {**score.details, "error_by_step": errors, "coverage_by_level": covered}

    def reader(self, state: Mapping[str, Any]) -> SeriesReader:
        """The fitted reader of a run, which converts series to examples."""
        from kerasseq.data.series.reader import SeriesReader

        return SeriesReader.from_state(state["reader"])

    def _likelihood(
        self, data_info: Mapping[str, Any], settings: ForecastingSettings
    ) -> Likelihood:
        return self.config(data_info, settings).likelihood


def _latest_panel(parts: Parts) -> Panel:
    """The series of the part that ends last."""
    candidates = [part for part in (parts.test, parts.validation, parts.train) if part is not None]
    ends = [part.panel.stamps[0][-1] for part in candidates]
    panel: Panel = candidates[int(np.argmax([end >= max(ends) for end in ends]))].panel
    return panel
