"""Public names of kerasseq and commands of its shell, listed without importing any module."""

from __future__ import annotations

__all__ = ["COMMANDS", "MODULES", "PUBLIC", "VERBS"]

#: Public names, and the modules that define them.
PUBLIC = {
    "CaptionRun": "kerasseq.tasks.captioning",
    "ClassificationRun": "kerasseq.runs",
    "ForecastRun": "kerasseq.tasks.forecasting",
    "LanguageModelRun": "kerasseq.tasks.language_model",
    "Run": "kerasseq.runs",
    "SequenceRun": "kerasseq.tasks.sequence_classification",
    "TaggingRun": "kerasseq.tasks.tagging",
    "compare": "kerasseq.params",
    "convert": "kerasseq.interop.convert",
    "count": "kerasseq.params",
    "explain": "kerasseq.insight.explain",
    "export": "kerasseq.interop.export",
    "from_torch": "kerasseq.interop.pytorch",
    "gru": "kerasseq.layers",
    "hypermodel": "kerasseq.tuning.hypermodel",
    "join": "kerasseq.tuning.tune",
    "load": "kerasseq.runs",
    "lstm": "kerasseq.layers",
    "recipe": "kerasseq.tasks.recipe",
    "register": "kerasseq.registry",
    "report": "kerasseq.params",
    "rnn": "kerasseq.layers",
    "simple_rnn": "kerasseq.layers",
    "stream": "kerasseq.interop.streaming.stream",
    "to_torch": "kerasseq.interop.pytorch",
    "tune": "kerasseq.tuning.tune",
    "tuned": "kerasseq.tuning.results",
    "units_for": "kerasseq.params",
}
#: Public modules and packages.
MODULES = ("cells", "generation", "kernels", "layers", "params", "recipes", "settings")
#: Commands of the shell, besides recipes and verbs of runs.
COMMANDS = (
    *("count", "units", "compare", "report", "cells", "explain", "convert", "export"),
    *("serve", "doctor", "show", "load", "tune", "tuned"),
)
#: Verbs of the runs of kerasseq's recipes, `kerasseq VERB DIR`, with their help.
# Written by `python -m kerasseq.cli.generate`.
VERBS = {
    "predict": "Predict with a run: its first verb.",
    "evaluate": "Score the model on new data with known targets.",
    "forecast": "Forecast the steps that come next, in the units of the data.",
    "backtest": "Score forecasts from several origins, the last one a horizon before the end.",
    "update": "Append new rows: the next `forecast` begins after them.",
    "anomalies": "Values outside the interval that was forecast for them one step ahead.",
    "score": "Log-probabilities of texts, each read without the others.",
    "generate": "Go on with a text by sampling token by token.",
    "complete": "The likeliest continuations of a text, by beam search.",
    "tag": "Tag the words of new sentences.",
}
# Until here.
