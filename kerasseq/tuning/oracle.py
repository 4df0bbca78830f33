"""KerasTuner's oracles, which propose what to try: within a budget, not twice, and journalled."""

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
from kerasseq.tuning.space import Space, declare, decode, encode, inside, nearest, plain, usable
from kerasseq.tuning.task import Task, key

__all__ = ["HEARTBEAT", "MARK", "OBJECTIVE", "OUTCOME", "SETTINGS", "make", "watched"]

# Values that travel with KerasTuner's own between oracle and workers, as JSON.
SETTINGS, OUTCOME = "kerasseq/settings", "kerasseq/outcome"
MARK = "kerasseq/search"  # by which a worker sees that it has the same search
OBJECTIVE = "score"

_STATUS = keras_tuner.engine.trial.TrialStatus
_RUNNING, _IDLE, _STOPPED = _STATUS.RUNNING, _STATUS.IDLE, _STATUS.STOPPED
_COMPLETED, _FAILED, _INVALID = _STATUS.COMPLETED, _STATUS.FAILED, _STATUS.INVALID
_DRAWS = 300  # for settings that fit and were not tried, before there are taken to be no more
_SKIPPED = 20_000  # points of a grid in a row, after which it is taken to have no more
_FOREVER = 10**9
# Seconds: a worker that is at a trial lets the chief know after each of the first, and has its
# trial given to another one after the second.
HEARTBEAT, SILENCE = 20.0, 180.0

Event = dict[str, Any]
Events = Callable[[Event], None]
Fit = Callable[[Settings], dict[str, Any] | None]
Settle = Callable[[Settings], Settings]


def make(task: Task, fit: Fit, record: Events, settle: Settle | None = None) -> Any:
    """The oracle of a search.

    Args:
        task: the search.
        fit: settings within the budget, from those that are proposed; None if there are none.
        record: takes what happens, before anybody else learns of it.
        settle: settings with what the data decides of them, from the recipe's own.
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
        own = {
            "max_epochs": epochs,
            "factor": factor_for(epochs, task.trials),
            "hyperband_iterations": task.trials,
        }
        kind = keras_tuner.oracles.HyperbandOracle
    else:
        own = {"max_trials": None}  # which are counted here
        kind = {
            "random": keras_tuner.oracles.RandomSearchOracle,
            "grid": GridOracle,
            "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
        }[task.tuner]
    if task.tuner == "bayesian":
        own["num_initial_points"] = max(5, len(task.space))
    oracle = type(f"Journalled{kind.__name__}", (_JournalMixin, kind), {})(**shared, **own)
    if task.tuner == "bayesian":
        oracle.gpr = GaussianProcess(oracle.alpha, oracle.seed)
    oracle.begin(task, fit, record, settle or (lambda own: own))
    return oracle


@contextlib.contextmanager
def watched(oracle: Any) -> Iterator[None]:
    """Give up on silent workers in the meantime, also where no other one asks for anything."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(HEARTBEAT):
            oracle.give_up()

    thread = threading.Thread(target=look, daemon=True)
    if "KERASTUNER_ORACLE_IP" in os.environ:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.is_alive():
            thread.join()


class _JournalMixin(keras_tuner.Oracle):  # type: ignore[misc]
    """What is ours of an oracle; the proposals are those of KerasTuner's class behind it."""

    def begin(self, task: Task, fit: Fit, record: Events, settle: Settle) -> None:
        """Take up a search."""
        self._task, self._fit, self._record, self._settle = task, fit, record, settle
        self._space: Space = task.space
        self._tried: set[str] = set()
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self._heard: dict[str, float] = {}
        self._skipped = 0  # points of a grid, one after the other
        self.verbose = 0

    def replay(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Come to where a journal ends: the same proposals, in the same order, and their outcomes.

        Raises:
            ValueError: if other proposals come than the journal has.
        """
        record, self._record = self._record, lambda event: None
        workers = {}
        for event in events:
            name = event["trial"]
            if event["event"] == "began":
                # Who is at what is another matter after an interruption: to propose, each trial
                # has a worker of its own.
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
        """Offer again what was begun by others than these workers."""
        with contextlib.redirect_stdout(io.StringIO()):  # KerasTuner prints of each
            for worker in sorted({*self.ongoing_trials} - {*workers}):
                trial = self.ongoing_trials[worker]
                trial.status = _INVALID
                super().end_trial(trial)
                self.tuner_ids.discard(worker)

    # What KerasTuner calls

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if len(self._begun) >= self._task.trials:
            return self._over()
        if self._task.tuner == "grid":
            return self._next(trial_id)
        # Threads slow the small matrices of a Gaussian process down.
        with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
            warnings.simplefilter("ignore")  # of scikit-learn, when few trials say little
            proposal: dict[str, Any] = super().populate_space(trial_id)
        if proposal["status"] == _STOPPED:
            return self._over()
        if proposal["status"] != _RUNNING:
            return proposal
        values = proposal["values"]
        if "tuner/trial_id" in values:  # what is promoted goes on as it is
            return proposal
        values.pop(SETTINGS, None)
        found = self._fitting(values, trial_id)
        if found is None:
            return self._over()
        proposal["values"] = {**values, **encode(self._space, found), **self._sent(found)}
        return proposal

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Any:
        self._hear(tuner_id)
        return self._create(tuner_id)

    def _create(self, worker: str) -> Any:
        """The trial that a worker has, or another one that is within the budget."""
        trial = super().create_trial(worker)
        if trial.status == _RUNNING and trial.trial_id not in self._begun:
            values = trial.hyperparameters.values
            settings = json.loads(values[SETTINGS])
            self._begun.add(trial.trial_id)
            self._tried.add(key(settings))
            event = {"event": "began", "trial": trial.trial_id, "worker": worker}
            if "tuner/bracket" in values:
                names = ("trial_id", "epochs", "bracket", "round")
                event |= {name: values.get(f"tuner/{name}") for name in names}
            self._record({**event, "settings": settings})
        return trial

    def update_trial(self, *given: Any, **options: Any) -> Any:
        with warnings.catch_warnings():  # of NumPy, when a trial has no score
            warnings.simplefilter("ignore")
            return super().update_trial(*given, **options)

    @keras_tuner.synchronized
    def end_trial(self, trial: Any) -> None:
        outcome = json.loads(trial.hyperparameters.values[OUTCOME])
        own = self.trials[trial.trial_id]
        if outcome is None:  # whoever has it cannot run it
            self.requeue(w for w, running in self.ongoing_trials.items() if running is not own)
            return
        if trial.trial_id not in self._ended:  # else a worker that was taken for dead came second
            self._record({"event": "ended", "trial": trial.trial_id, **outcome})
            self._end(own, outcome)

    def save(self) -> None:
        """Nothing: the journal has it all."""

    def _end(self, trial: Any, outcome: Mapping[str, Any]) -> None:
        trial.status = _FAILED if outcome["score"] is None else _COMPLETED
        if outcome["score"] is not None and not trial.metrics.exists(OBJECTIVE):
            self.update_trial(trial.trial_id, {OBJECTIVE: outcome["score"]})
        super().end_trial(trial)
        self._ended.add(trial.trial_id)

    def _adopt(self, trial: Any, settings: dict[str, Any]) -> None:
        """Take the settings of the journal, which may differ from these in their last digits."""
        values = trial.hyperparameters.values
        if _json(settings) != values[SETTINGS]:
            values.update({**encode(self._space, settings), **self._sent(settings)})
            self._tried.add(key(settings))

    def _hear(self, worker: str) -> None:
        """Note that a worker is there, and which ones are not."""
        self._heard[worker] = time.monotonic()
        self.give_up()

    @keras_tuner.synchronized
    def give_up(self) -> None:
        """Give up on workers that have been silent for long, with a trial or without."""
        now = time.monotonic()
        known = {*self.ongoing_trials, *self.tuner_ids}
        silent = {name for name in known if now - self._heard.setdefault(name, now) > SILENCE}
        if silent:
            self.requeue({*self.ongoing_trials} - silent)
            self.tuner_ids -= silent

    def _sent(self, settings: Settings) -> dict[str, str]:
        """What a worker is sent beside KerasTuner's own values."""
        return {SETTINGS: _json(settings), MARK: self._task.mark}

    def _over(self) -> dict[str, Any]:
        """Nothing more to propose; a worker stays for what another may leave undone."""
        return {"status": _IDLE if self.ongoing_trials else _STOPPED}

    def _fitting(self, values: Mapping[str, Any], trial_id: str) -> dict[str, Any] | None:
        """Settings within the budget that were not tried, as near to the proposal as may be."""
        found = self._own() or self._settled(decode(self._space, values))
        if found is not None:
            return found
        seeds = itertools.count(hash((self._task.seed, int(trial_id))) % 2**31)
        for draw in range(2 * _DRAWS):
            drawn = self._drawn(seeds)
            if draw >= _DRAWS:  # most of them may be too large: lean to the smallest numbers
                drawn = self._lowered(drawn, next(seeds))
            found = self._settled(drawn)
            if found is not None:
                return found
        return None

    def _lowered(self, drawn: dict[str, Any], seed: int) -> dict[str, Any]:
        """About half of the numbers that are chosen from a list at their smallest."""
        draw = random.Random(seed)
        for name, own in ((name, plain(self._space[name])) for name in drawn):
            if _numbers(own) and draw.random() < 0.5:
                drawn[name] = min(own.options)
        return drawn

    def _own(self) -> dict[str, Any] | None:
        """To begin with, the recipe's own setting as far as space and budget go, if not that far.

        One that is within both is a rival in any case.
        """
        settings = self._task.settings
        if self._begun or self._task.match_params is not None:
            return None
        if self._task.allows(settings) and self._fit(settings) == settings:
            return None
        return next((own for near in self._near() if (own := self._settled(near))), None)

    def _near(self) -> Iterator[dict[str, Any]]:
        """The recipe's own setting as far as the space goes, then with one number of it changed."""
        own = self._settle(self._task.settings)
        ranges = {name: plain(found) for name, found in self._space.items()}
        near = {name: nearest(found, own[name]) for name, found in ranges.items()}
        for name, found in ranges.items():
            if isinstance(found, Choice) and not inside(found, near[name]):
                near[name] = found.options[0]
        if not all(inside(found, near[name]) for name, found in ranges.items()):
            return
        yield near
        for name, found in ranges.items():
            if _numbers(found):
                others = sorted(found.options, key=lambda option: abs(option - near[name]))
                yield from ({**near, name: option} for option in others[1:])

    def _settled(self, proposed: Settings) -> dict[str, Any] | None:
        """What varies, within the budget; None if that cannot be, or was tried."""
        found = self._fitted({**self._task.settings, **proposed})
        if found is None:
            return None
        varied = {name: found[name] for name in self._task.varied}
        return None if key(varied) in self._tried else varied

    def _fitted(self, settings: Settings) -> dict[str, Any] | None:
        """Settings within the budget, of which each has its use or is as by default."""
        own = self._task.settings
        found = self._fit(usable(self._space, settings, own))
        while found is not None and (used := usable(self._space, found, own)) != found:
            found = self._fit(used)  # what is lowered may leave another one without use
        return found

    def _next(self, trial_id: str) -> dict[str, Any]:
        """The next point of a grid that is within the budget, which is not lowered to it."""
        while self._skipped < _SKIPPED:
            proposal: dict[str, Any] = super().populate_space(trial_id)
            if proposal["status"] == _STOPPED:
                break
            found = self._point(proposal["values"])
            if found is not None:
                self._skipped = 0
                proposal["values"] |= self._sent(found)
                return proposal
            self._skipped += 1
        return self._over()

    def _point(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The settings of a point of the grid, if they are within the budget and new."""
        proposed = {**self._task.settings, **decode(self._space, values)}
        found = self._settled(proposed)
        if found is None or any(found[name] != proposed[name] for name in self._space):
            return None
        return found

    def _drawn(self, seeds: Iterable[int]) -> dict[str, Any]:
        """Settings at random."""
        hp = keras_tuner.HyperParameters()
        for own, seed in zip(self.get_space().space, seeds):
            hp.merge([own])
            if hp.is_active(own):
                hp.values[own.name] = own.random_sample(seed)
        return decode(self._space, hp.values)


def _numbers(own: Int | Float | Choice) -> TypeGuard[Choice]:
    """Whether something is chosen from a list of numbers."""
    return isinstance(own, Choice) and {int, float} >= {type(option) for option in own.options}


def _json(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)
