"""Recurrent sequence models in Keras: recipes, layers, cells and exact parameter counts.

Everything here is loaded on first use (PEP 562), so that `import kerasseq` costs next to nothing
and loads no backend. Recipes are attributes too: `kerasseq.sentiment(...)`.
"""

from __future__ import annotations

from importlib import import_module as _import

TYPE_CHECKING = False  # spelt out: importing it from typing costs more than all else here
if TYPE_CHECKING:  # for type checkers and editors; at run time __getattr__ does the same
    # Written by `python -m kerasseq.cli.generate`.
    from kerasseq import cells as cells
    from kerasseq import generation as generation
    from kerasseq import kernels as kernels
    from kerasseq import layers as layers
    from kerasseq import params as params
    from kerasseq import recipes as recipes
    from kerasseq import settings as settings
    from kerasseq.insight.explain import explain as explain
    from kerasseq.interop.convert import convert as convert
    from kerasseq.interop.export import export as export
    from kerasseq.interop.pytorch import from_torch as from_torch
    from kerasseq.interop.pytorch import to_torch as to_torch
    from kerasseq.interop.streaming.stream import stream as stream
    from kerasseq.layers import gru as gru
    from kerasseq.layers import lstm as lstm
    from kerasseq.layers import rnn as rnn
    from kerasseq.layers import simple_rnn as simple_rnn
    from kerasseq.params import compare as compare
    from kerasseq.params import count as count
    from kerasseq.params import report as report
    from kerasseq.params import units_for as units_for
    from kerasseq.recipes.captioning import captioning as captioning
    from kerasseq.recipes.forecasting import forecasting as forecasting
    from kerasseq.recipes.language_model import language_model as language_model
    from kerasseq.recipes.sentiment import sentiment as sentiment
    from kerasseq.recipes.sequence_classification import (
        sequence_classification as sequence_classification,
    )
    from kerasseq.recipes.tagging import tagging as tagging
    from kerasseq.registry import register as register
    from kerasseq.runs import ClassificationRun as ClassificationRun
    from kerasseq.runs import Run as Run
    from kerasseq.runs import load as load
    from kerasseq.tasks.captioning import CaptionRun as CaptionRun
    from kerasseq.tasks.forecasting import ForecastRun as ForecastRun
    from kerasseq.tasks.language_model import LanguageModelRun as LanguageModelRun
    from kerasseq.tasks.recipe import recipe as recipe
    from kerasseq.tasks.sequence_classification import SequenceRun as SequenceRun
    from kerasseq.tasks.tagging import TaggingRun as TaggingRun
    from kerasseq.tuning.hypermodel import hypermodel as hypermodel
    from kerasseq.tuning.results import tuned as tuned
    from kerasseq.tuning.tune import join as join
    from kerasseq.tuning.tune import tune as tune

    # Until here.
    __version__: str
else:  # hidden from type checkers, which would take any name for Any

    def __getattr__(name: str) -> object:
        if name == "__version__":
            value = _version()
        elif name == "__all__":
            value = __dir__()
        elif name.startswith("_"):
            raise AttributeError(f"module 'kerasseq' has no attribute {name!r}")
        elif name in (public := _import("kerasseq.names").PUBLIC):
            value = getattr(_import(public[name]), name)
        else:
            value = _submodule(name) or _import("kerasseq.registry").find(name)
            if value is None:
                raise AttributeError(_unknown(name))
        globals()[name] = value  # the next look-up finds it without coming here
        return value


def __dir__() -> list[str]:
    names = _import("kerasseq.names")
    recipes = _import("kerasseq.registry").names()
    return sorted(["__version__", *names.PUBLIC, *names.MODULES, *recipes])


def _submodule(name: str) -> object:
    path = f"kerasseq.{name}"
    try:
        return _import(path)
    except ModuleNotFoundError as error:
        if error.name != path:  # the module is there, and something that it needs is not
            raise
        return None


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("kerasseq")
    except metadata.PackageNotFoundError:  # a checkout on the path that was never installed
        return "0+checkout"


def _unknown(name: str) -> str:
    """The message for a name that kerasseq does not have."""
    from difflib import get_close_matches

    known = __dir__()
    near = get_close_matches(name, known)
    remedy = (
        f"Did you mean {' or '.join(map(repr, near))}?" if near else f"It has: {', '.join(known)}."
    )
    return f"module 'kerasseq' has no attribute {name!r}. {remedy}"
