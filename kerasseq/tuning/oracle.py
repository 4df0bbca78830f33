"""KerasTuner's oracles with a budget, a journal, and no settings proposed twice."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import random
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeGuard

import keras_tuner
from threadpoolctl import threadpool_limits

from kerasseq.settings import Choice, Float, Int, Settings
from kerasseq.tuning.gaussian import GaussianProcess
from kerasseq.tuning.grid import GridOracle
from kerasseq.tuning.hyperband import factor_for
from kerasseq.tuning.space import (
    Space,
    base_range,
    contains,
    declare,
    decode,
    encode,
    nearest,
    reset_inactive,
)
from kerasseq.tuning.task import Task, settings_key

__all__ = ["HEARTBEAT", "MARK", "OBJECTIVE", "OUTCOME", "SETTINGS", "make", "watch_workers"]

# Hyperparameters in which settings and outcomes travel between oracle and workers, as JSON.
SETTINGS, OUTCOME = "kerasseq/settings", "kerasseq/outcome"
MARK = "kerasseq/search"  # fingerprint of the search; a worker compares it with its own
OBJECTIVE = "score"

_STATUS = keras_tuner.engine.trial.TrialStatus
_RUNNING, _IDLE, _STOPPED = _STATUS.RUNNING, _STATUS.IDLE, _STATUS.STOPPED
_COMPLETED, _FAILED, _INVALID = _STATUS.COMPLETED, _STATUS.FAILED, _STATUS.INVALID
_DRAWS = 300  # attempts to draw new settings within the budget before the search ends
_SKIPPED = 20_000  # grid points over the budget in a row after which the search ends
_FOREVER = 10**9
# Seconds: a worker reports to the chief at intervals of the first; after a silence of the second,
# its trial is given to another worker.
HEARTBEAT, SILENCE = 20.0, 180.0

Event = dict[str, Any]
Events = Callable[[Event], None]
Fit = Callable[[Settings], dict[str, Any] | None]
ResolveAuto = Callable[[Settings], Settings]


def make(task: Task, fit: Fit, record: Events, resolve_auto: ResolveAuto | None = None) -> Any:
    """Make the oracle of a search.

    Args:
        task: the search.
        fit: maps proposed settings to settings within the budget; None if none fit.
        record: writes an event to the journal; called before anybody acts on the event.
        resolve_auto: replaces "auto" in the recipe's settings by the values that the data suggests.
    """
    hp = keras_tuner.HyperParameters()
    declare(task.space, hp, task.settings)
    direction = "max" if task.recipe.higher_is_better else "min"
    shared = {
        "objective": keras_tuner.Objective(OBJECTIVE, direction),
        "hyperparameters": hp,
        "seed": task.seed + 1,  # KerasTuner draws a seed of its own for 0
        "max_retries_per_trial": _FOREVER,
        "max_consecutive_failed_trials": _FOREVER,
    }
    kind: Any
    if task.tuner == "hyperband":
        epochs = task.settings["epochs"]
        options = {
            "max_epochs": epochs,
            "factor": factor_for(epochs, task.trials),
            "hyperband_iterations": task.trials,
        }
        kind = keras_tuner.oracles.HyperbandOracle
    else:
        options = {"max_trials": None}  # the mixin counts trials
        kind = {
            "random": keras_tuner.oracles.RandomSearchOracle,
            "grid": GridOracle,
            "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
        }[task.tuner]
    if task.tuner == "bayesian":
        options["num_initial_points"] = max(5, len(task.space))
    oracle = type(f"Journalled{kind.__name__}", (_JournalMixin, kind), {})(**shared, **options)
    if task.tuner == "bayesian":
        oracle.gpr = GaussianProcess(oracle.alpha, oracle.seed)
    oracle.begin(task, fit, record, resolve_auto or (lambda settings: settings))
    return oracle


@contextlib.contextmanager
def watch_workers(oracle: Any) -> Iterator[None]:
    """Context in which a thread regularly gives the trials of silent workers to others.

    The oracle checks for silent workers at each request too, but there may be no other worker that
    makes one.
    """
    stopped = threading.Event()

    def check_workers() -> None:
        while not stopped.wait(HEARTBEAT):
            oracle.drop_silent_workers()

    thread = threading.Thread(target=check_workers, daemon=True)
    if "KERASTUNER_ORACLE_IP" in os.environ:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        if thread.is_alive():
            thread.join()


class _JournalMixin(keras_tuner.Oracle):  # type: ignore[misc]
    """Mixin that adds budget, deduplication and journal to a KerasTuner oracle."""

    def begin(self, task: Task, fit: Fit, record: Events, resolve_auto: ResolveAuto) -> None:
        """Attach the oracle to a search."""
        self._task, self._record = task, record
        self._fit, self._resolve_auto = fit, resolve_auto
        self._space: Space = task.space
        self._tried_keys: set[str] = set()
        self._begun_trials: set[str] = set()
        self._ended_trials: set[str] = set()
        self._last_heard: dict[str, float] = {}
        self._skipped_points = 0  # grid points over the budget in a row
        self.verbose = 0

    def replay(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Restore the state at the end of a journal.

        The oracle makes the same proposals again, in the same order, and receives their outcomes.
        This works for every kind of oracle, whereas not all of them can save their state.

        Raises:
            ValueError: if a proposal is not the next one in the journal.
        """
        record, self._record = self._record, lambda event: None
        workers = {}
        for event in events:
            name = event["trial"]
            if event["event"] == "began":
                # KerasTuner lets a worker have one running trial. In the replay each trial gets a
                # worker of its own name, since workers are assigned anew after an interruption.
                trial = self._create(name)
                if trial.trial_id != name:
                    raise ValueError(
                        f"the journal has trial {name} where {trial.trial_id} would be begun, "
                        "perhaps since it is that of another version of KerasTuner: search in "
                        "another folder."
                    )
                workers[name] = event["worker"]
                self._adopt(trial, event["settings"])
            else:
                self._end(self.trials[name], event)
        for name in [*self.ongoing_trials]:
            self.ongoing_trials.setdefault(workers[name], self.ongoing_trials[name])
            if self.ongoing_trials[workers[name]] is self.ongoing_trials[name]:
                del self.ongoing_trials[name]
        self.tuner_ids = {*self.ongoing_trials}
        self._record = record

    def requeue(self, workers: Iterable[str]) -> None:
        """Give running trials to other workers, except the trials of these workers."""
        with contextlib.redirect_stdout(io.StringIO()):  # KerasTuner prints each trial
            for worker in sorted({*self.ongoing_trials} - {*workers}):
                trial = self.ongoing_trials[worker]
                trial.status = _INVALID
                super().end_trial(trial)
                self.tuner_ids.discard(worker)

    # Methods that KerasTuner calls

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if len(self._begun_trials) >= self._task.trials:
            return self._no_proposal()
        if self._task.tuner == "grid":
            return self._next_grid_point(trial_id)
        # Threads slow down products of small matrices, as in the Gaussian process.
        with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
            warnings.simplefilter("ignore")  # scikit-learn warns when there are few trials
            proposal: dict[str, Any] = super().populate_space(trial_id)
        if proposal["status"] == _STOPPED:
            return self._no_proposal()
        if proposal["status"] != _RUNNING:
            return proposal
        values = proposal["values"]
        if "tuner/trial_id" in values:  # Hyperband promotes a trial with the same settings
            return proposal
        values.pop(SETTINGS, None)
        settings = self._find_settings(values, trial_id)
        if settings is None:
            return self._no_proposal()
        proposal["values"] = {
            **values,
            **encode(self._space, settings),
            **self._worker_values(settings),
        }
        return proposal

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Any:
        self._note_alive(tuner_id)
        return self._create(tuner_id)

    def _create(self, worker: str) -> Any:
        """The trial that a worker is running, or a new one within the budget."""
        trial = super().create_trial(worker)
        if trial.status == _RUNNING and trial.trial_id not in self._begun_trials:
            values = trial.hyperparameters.values
            settings = json.loads(values[SETTINGS])
            self._begun_trials.add(trial.trial_id)
            self._tried_keys.add(settings_key(settings))
            event = {"event": "began", "trial": trial.trial_id, "worker": worker}
            if "tuner/bracket" in values:
                names = ("trial_id", "epochs", "bracket", "round")
                event |= {name: values.get(f"tuner/{name}") for name in names}
            self._record({**event, "settings": settings})
        return trial

    def update_trial(self, *given: Any, **options: Any) -> Any:
        with warnings.catch_warnings():  # NumPy warns if a trial has no score
            warnings.simplefilter("ignore")
            return super().update_trial(*given, **options)

    @keras_tuner.synchronized
    def end_trial(self, trial: Any) -> None:
        outcome = json.loads(trial.hyperparameters.values[OUTCOME])
        known_trial = self.trials[trial.trial_id]
        if outcome is None:  # the worker has a different search and cannot run the trial
            self.requeue(
                w for w, running in self.ongoing_trials.items() if running is not known_trial
            )
            return
        # A worker that was given up may still report after the one that took over its trial.
        if trial.trial_id not in self._ended_trials:
            self._record({"event": "ended", "trial": trial.trial_id, **outcome})
            self._end(known_trial, outcome)

    def save(self) -> None:
        """Do nothing: the journal has all data."""

    def _end(self, trial: Any, outcome: Mapping[str, Any]) -> None:
        trial.status = _FAILED if outcome["score"] is None else _COMPLETED
        if outcome["score"] is not None and not trial.metrics.exists(OBJECTIVE):
            self.update_trial(trial.trial_id, {OBJECTIVE: outcome["score"]})
        super().end_trial(trial)
        self._ended_trials.add(trial.trial_id)

    def _adopt(self, trial: Any, settings: dict[str, Any]) -> None:
        """Give a trial the settings of the journal, which may differ in the last digits."""
        values = trial.hyperparameters.values
        if _to_json(settings) != values[SETTINGS]:
            values.update({**encode(self._space, settings), **self._worker_values(settings)})
            self._tried_keys.add(settings_key(settings))

    def _note_alive(self, worker: str) -> None:
        """Record that a worker is alive, and give up on silent workers."""
        self._last_heard[worker] = time.monotonic()
        self.drop_silent_workers()

    @keras_tuner.synchronized
    def drop_silent_workers(self) -> None:
        """Remove workers that have been silent for too long, and requeue their trials."""
        now = time.monotonic()
        workers = {*self.ongoing_trials, *self.tuner_ids}
        silent = {
            name for name in workers if now - self._last_heard.setdefault(name, now) > SILENCE
        }
        if silent:
            self.requeue({*self.ongoing_trials} - silent)
            self.tuner_ids -= silent

    def _worker_values(self, settings: Settings) -> dict[str, str]:
        """Extra values for a worker: settings as JSON, and the fingerprint of the search."""
        return {SETTINGS: _to_json(settings), MARK: self._task.mark}

    def _no_proposal(self) -> dict[str, Any]:
        """Reply that there are no proposals; workers wait, to take over a trial if need be."""
        return {"status": _IDLE if self.ongoing_trials else _STOPPED}

    def _find_settings(self, values: Mapping[str, Any], trial_id: str) -> dict[str, Any] | None:
        """Find untried settings within the budget, close to the proposal if possible.

        If the proposal was tried already or does not fit, draw settings at random. After half of
        the draws, prefer small options of each choice of numbers, since most of the space may be
        too large for the budget.
        """
        settings = self._first_settings() or self._fit_untried(decode(self._space, values))
        if settings is not None:
            return settings
        seeds = itertools.count(hash((self._task.seed, int(trial_id))) % 2**31)
        for draw in range(2 * _DRAWS):
            drawn = self._draw_settings(seeds)
            if draw >= _DRAWS:
                drawn = self._lower_choices(drawn, next(seeds))
            settings = self._fit_untried(drawn)
            if settings is not None:
                return settings
        return None

    def _lower_choices(self, settings: dict[str, Any], seed: int) -> dict[str, Any]:
        """Set about half of the choices among numbers to their smallest option."""
        rng = random.Random(seed)
        for name, choice in ((name, base_range(self._space[name])) for name in settings):
            if _is_number_choice(choice) and rng.random() < 0.5:
                settings[name] = min(choice.options)
        return settings

    def _first_settings(self) -> dict[str, Any] | None:
        """For the first trial, the settings closest to the recipe's defaults.

        None if the defaults are within space and budget: they are then scored as a trial anyway.
        """
        settings = self._task.settings
        if self._begun_trials or self._task.match_params is not None:
            return None
        if self._task.allows(settings) and self._fit(settings) == settings:
            return None
        candidates = map(self._fit_untried, self._near_defaults())
        return next((fitted for fitted in candidates if fitted), None)

    def _near_defaults(self) -> Iterator[dict[str, Any]]:
        """The recipe's defaults moved into the space, then variants with one number changed."""
        defaults = self._resolve_auto(self._task.settings)
        ranges = {name: base_range(range_) for name, range_ in self._space.items()}
        values = {name: nearest(range_, defaults[name]) for name, range_ in ranges.items()}
        for name, range_ in ranges.items():
            if isinstance(range_, Choice) and not contains(range_, values[name]):
                values[name] = range_.options[0]
        if not all(contains(range_, values[name]) for name, range_ in ranges.items()):
            return
        yield values
        for name, range_ in ranges.items():
            if _is_number_choice(range_):
                options = sorted(range_.options, key=lambda option: abs(option - values[name]))
                yield from ({**values, name: option} for option in options[1:])

    def _fit_untried(self, proposed: Settings) -> dict[str, Any] | None:
        """The varied settings, made to fit the budget; None if they do not fit or were tried."""
        fitted = self._fit_active({**self._task.settings, **proposed})
        if fitted is None:
            return None
        varied = {name: fitted[name] for name in self._task.varied}
        return None if settings_key(varied) in self._tried_keys else varied

    def _fit_active(self, settings: Settings) -> dict[str, Any] | None:
        """Fit settings to the budget, with inactive settings at their defaults."""
        defaults = self._task.settings
        fitted = self._fit(reset_inactive(self._space, settings, defaults))
        while fitted is not None:
            active = reset_inactive(self._space, fitted, defaults)
            if active == fitted:
                break
            fitted = self._fit(active)  # lowering one setting may have made another one inactive
        return fitted

    def _next_grid_point(self, trial_id: str) -> dict[str, Any]:
        """Propose the next grid point within the budget; points over the budget are skipped."""
        while self._skipped_points < _SKIPPED:
            proposal: dict[str, Any] = super().populate_space(trial_id)
            if proposal["status"] == _STOPPED:
                break
            settings = self._grid_settings(proposal["values"])
            if settings is not None:
                self._skipped_points = 0
                proposal["values"] |= self._worker_values(settings)
                return proposal
            self._skipped_points += 1
        return self._no_proposal()

    def _grid_settings(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The settings of a grid point; None if they are over the budget or were tried."""
        proposed = {**self._task.settings, **decode(self._space, values)}
        settings = self._fit_untried(proposed)
        if settings is None or any(settings[name] != proposed[name] for name in self._space):
            return None
        return settings

    def _draw_settings(self, seeds: Iterable[int]) -> dict[str, Any]:
        """Draw settings at random."""
        hp = keras_tuner.HyperParameters()
        for parameter, seed in zip(self.get_space().space, seeds):
            hp.merge([parameter])
            if hp.is_active(parameter):
                hp.values[parameter.name] = parameter.random_sample(seed)
        return decode(self._space, hp.values)


def _is_number_choice(range_: Int | Float | Choice) -> TypeGuard[Choice]:
    """Whether a range is a choice among numbers."""
    if not isinstance(range_, Choice):
        return False
    return {int, float} >= {type(option) for option in range_.options}


def _to_json(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)
