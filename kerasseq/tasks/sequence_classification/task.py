"""The task of classifying sequences of numbers, or of predicting a number from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerasseq.formatting.columns import distinct_names
from kerasseq.runs import LossHistory, Standalone, Unlabelled
from kerasseq.tasks.base import Learn, Objective, Parts, Prepared, Task, changed
from kerasseq.tasks.sequence_classification.run import SequenceRun

if TYPE_CHECKING:
    import keras

    from kerasseq.data.sequences.reader import Normalize, SequenceExamples, SequenceReader
    from kerasseq.data.sequences.recordings import Sequences
    from kerasseq.evaluation.metrics import Score
    from kerasseq.models import SequenceClassifierConfig
    from kerasseq.recipes.sequence_classification import SequenceClassificationSettings
    from kerasseq.tasks.sequence_classification.frames import FrameEncoding

__all__ = ["SequenceClassification"]

_POOLINGS = ("last", "mean", "max", "attention")
_JITTER, _SOUND_JITTER = 0.1, 0.5
# The average of the weights spans about 100 steps: no more than some epochs are to be in it.
_MOMENTUM, _LEAST_STEPS = 0.99, 30


class SequenceClassification(Task["SequenceClassificationSettings", SequenceRun]):
    """Classification of sequences, or regression for a numeric target."""

    run = SequenceRun
    headline: ClassVar[str] = "accuracy"
    rows: ClassVar[str] = "sequences"

    @property
    def reading(self) -> tuple[str, ...]:
        # The network of the frames is that of the run, so it cannot be passed for new data.
        return tuple(name for name in super().reading if name not in ("encoder", "weights"))

    def settings_to_json(self, settings: SequenceClassificationSettings) -> dict[str, Any]:
        # Labels and groups of an array are data, which the fingerprint covers, and no columns.
        columns = {
            name: None
            for name in ("label", "groups")
            if not isinstance(getattr(settings, name), str | None)
        }
        pairs = {
            name: f"{len(part[1]):,} sequences and their labels"
            for name, part in self.separate_parts(settings).items()
            if _is_pair(part)
        }
        return super().settings_to_json(changed(settings, **columns, **pairs))

    def check_conflicts(self, settings: SequenceClassificationSettings) -> None:
        if settings.stride is not None and settings.window is None:
            raise ValueError(
                f"stride= is the distance of windows: pass window= too. "
                f"Received: stride={settings.stride}"
            )
        if settings.test_groups is not None and not isinstance(settings.test, Real):
            raise ValueError(
                "test_groups= names the groups to score on, and test= has separate sequences to "
                "score on: leave one of them out."
            )

    def check(self, settings: SequenceClassificationSettings) -> None:
        from kerasseq.data import parts
        from kerasseq.data.sequences.patterns import compile_pattern

        parts.check(settings, _is_separate_data)
        modes = settings.pooling.split("+")
        if len({*modes} & {*_POOLINGS}) != len(modes):
            raise ValueError(
                f"pooling must be one of {', '.join(_POOLINGS)}, or several joined by '+'. "
                f"Received: pooling={settings.pooling!r}"
            )
        if settings.pattern is not None:
            compile_pattern(settings.pattern)
        if settings.image_size is not None:
            from kerasseq.data.images.files import check_scaled_size

            check_scaled_size(settings.image_size)
        if settings.encoder != "cnn":
            from kerasseq.models import image_size

            image_size(settings.encoder)  # raises if there is no such network
        # Counting the model checks the cell and its options.
        self.count({"shape": [2], "channels": 2, "classes": 2}, settings)

    def is_separate_part(self, value: Any) -> bool:
        return not isinstance(value, Real)

    def load(self, data: Any, settings: SequenceClassificationSettings) -> Sequences:
        from kerasseq.data.parts import prefix_errors
        from kerasseq.data.sequences.read import read_sequences
        from kerasseq.data.sequences.recordings import Sequences
        from kerasseq.tasks.sequence_classification import reading
        from kerasseq.tasks.sequence_classification.frames import FrameEncoding
        from kerasseq.tasks.sequence_classification.unused import unused_settings

        source = data
        encoder = FrameEncoding.of_settings(settings)
        how = reading.of_training(settings, encoder)
        if not isinstance(data, Sequences):
            source = read_sequences(data, how)
        parts = {}
        for name, part in self.separate_parts(settings).items():
            with prefix_errors(name):
                parts[name] = (
                    part
                    if isinstance(part, Sequences)
                    else read_sequences(part, reading.of_part(settings, source, encoder))
                )
        if encoder is not None and source.extractor is None:
            if not encoder.used:
                raise ValueError(
                    "encoder= reads the frames of videos, and data has none, as CLASS/VIDEO/FRAME "
                    "or as arrays (timesteps, height, width, channels): leave it out. "
                    f"Received: encoder={settings.encoder!r}"
                )
            source.extractor = encoder.state()
        source = reading.labelled(source, parts, settings.target)
        if not isinstance(data, Sequences):
            source.notes += unused_settings(settings, source, how.readers.used)
        return source

    def split(
        self,
        source: Sequences,
        settings: SequenceClassificationSettings,
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        learn: Learn = "train",
    ) -> Parts:
        from kerasseq.tasks.sequence_classification.splitting import split

        return split(source, settings, test=test, fold=fold, learn=learn)

    def prepare(self, parts: Parts, settings: SequenceClassificationSettings) -> Prepared:
        from kerasseq.data.classes.labels import class_name
        from kerasseq.data.sequences.filling import observed_share
        from kerasseq.data.sequences.reader import SequenceReader

        train = parts.train
        labels = train.labels
        numeric = train.numeric
        classes = [] if numeric else sorted({*labels}, key=_class_order)
        if not numeric and len({class_name(label) for label in classes}) < 2:
            raise ValueError(
                f"there is one class only in the training part, {classes[0]!r}. Give sequences of "
                "at least two classes."
            )
        reader = SequenceReader.fit(
            train.values,
            normalize=_normalization(settings, train),
            differences=settings.differences,
            classes=classes,
            targets=np.array(labels, dtype=np.float64) if numeric else None,
        )
        shares, weights = [], None
        if not numeric:
            counts = np.bincount(_numbers(labels, classes), minlength=len(classes))
            shares = (counts / counts.sum()).tolist()
            if settings.class_weights:
                class_weight = counts.sum() / (len(classes) * np.maximum(counts, 1))
                weights = class_weight[_numbers(labels, classes)].astype(np.float32)
        lengths = train.values.lengths
        state = {
            "data_info": {
                "classes": len(classes),
                "shape": list(reader.shape),
                "channels": reader.width,
                "timesteps": max(1, int(np.ceil(lengths.mean()))),
                "sequences": len(lengths),
                "sound": train.own_offset,
            },
            **reader.state(),
            "shares": shares,
            "channels": train.channels,
            "rate": train.rate,
            "reading": {name: v for name, v in parts.reading.items() if v is not None},
            "extractor": train.extractor,
        }
        sizes = (
            f"{lengths.min():,}"
            if lengths.min() == lengths.max()
            else (f"{lengths.min():,} to {lengths.max():,}")
        )
        notes = [f"{len(train.channels):,} channels, {sizes} timesteps"]
        observed = observed_share(train.values.values)
        if observed < 1:
            notes.append(
                f"{1 - observed:.2%} of the values are missing, and interpolated over time"
            )
        if settings.causal and reader.centred:
            notes.append(
                "sequences are centred by their own mean, so that run.stream() cannot follow them: "
                'for a stream pass normalize="channel"'
            )
        test = None
        if parts.test is not None:
            test = _scored(reader, parts.test)
        return Prepared(
            train=reader.examples(train, labels, weights),
            validation=reader.examples(parts.validation, parts.validation.labels),
            test=test,
            state=state,
            notes=notes,
        )

    def resolve(
        self, data_info: Mapping[str, Any], settings: SequenceClassificationSettings
    ) -> tuple[SequenceClassificationSettings, list[str]]:
        """Add more noise to sounds in training, and average the weights of long epochs.

        There are few speakers and microphones in most collections, and a new one differs from all
        of them. On speakers beside the training part, noise of half a deviation gives a better
        accuracy than a tenth. The loss of averaged weights changes less between epochs, so that
        the epoch that is kept is less a matter of luck; with few steps in an epoch the average
        would still hold the weights of many epochs before.
        """
        steps = data_info.get("sequences", 0) / settings.batch_size
        values: dict[str, Any] = {
            "jitter": _SOUND_JITTER if data_info.get("sound") else _JITTER,
            "ema_momentum": _MOMENTUM if steps >= _LEAST_STEPS else None,
        }
        values = {name: v for name, v in values.items() if getattr(settings, name) == "auto"}
        return dataclasses.replace(settings, **values), []

    def config(
        self, data_info: Mapping[str, Any], settings: SequenceClassificationSettings
    ) -> SequenceClassifierConfig:
        from kerasseq.models import SequenceClassifierConfig

        settings, _ = self.resolve(data_info, settings)  # a count comes before a training
        assert not isinstance(settings.jitter, str)
        shape = data_info["shape"]
        frames = len(shape) == 3
        return SequenceClassifierConfig(
            channels=shape[-1] if frames else data_info["channels"],
            classes=data_info["classes"],
            cell=settings.cell,
            units=settings.units,
            depth=settings.depth,
            bidirectional=settings.bidirectional and not settings.causal,
            pooling=settings.pooling,
            convolutions=settings.convolutions,
            filters=settings.filters,
            kernel_size=settings.kernel_size,
            stride=settings.convolution_stride,
            causal=settings.causal,
            frame=(shape[0], shape[1]) if frames else None,
            frame_features=settings.frame_features,
            jitter=0.0 if frames else settings.jitter,
            scaling=0.0 if frames else settings.scaling,
            time_warp=0.0 if frames else settings.time_warp,
            cropping=0.0 if frames else settings.cropping,
            channel_dropout=0.0 if frames else settings.channel_dropout,
            dropout=settings.dropout,
            options=settings.cell_options,
        )

    def macs(self, data_info: Mapping[str, Any], settings: SequenceClassificationSettings) -> int:
        return self.config(data_info, settings).macs(data_info["timesteps"])

    def objective(
        self, data_info: Mapping[str, Any], settings: SequenceClassificationSettings
    ) -> Objective:
        import keras

        from kerasseq.tasks.classification import classification_objective

        if not data_info["classes"]:
            return Objective(keras.losses.MeanSquaredError())
        objective = classification_objective(data_info["classes"])
        if not data_info.get("sound"):
            return objective
        # On new speakers the model is soon too sure of itself: the loss gets worse while the
        # accuracy still gets better.
        return dataclasses.replace(objective, monitor="val_accuracy")

    def predictions(
        self,
        model: keras.Model,
        examples: SequenceExamples,
        state: Mapping[str, Any],
        settings: SequenceClassificationSettings,
    ) -> np.ndarray:
        """Class probabilities, (rows, classes), or numbers in the unit of the target, (rows,)."""
        from kerasseq import training
        from kerasseq.tasks.classification import class_probabilities

        outputs = training.outputs(model, examples)
        target = state["target"]
        if target is not None:
            numbers = target["mean"] + target["deviation"] * outputs[:, 0].astype(np.float64)
            instead: Any = target["mean"]
        else:
            numbers, instead = class_probabilities(outputs), state["shares"]
        if examples.unreadable is not None:
            numbers[examples.unreadable] = instead
        return numbers

    def score(
        self,
        predictions: np.ndarray,
        targets: np.ndarray,
        settings: SequenceClassificationSettings,
    ) -> Score:
        from kerasseq.evaluation.regression_metrics import regression
        from kerasseq.tasks.classification import class_score

        if predictions.ndim == 1:
            return regression(np.asarray(targets).ravel(), predictions, seed=settings.seed)
        return class_score(predictions, targets, settings.seed)

    def remarks(self, score: Score, state: Mapping[str, Any]) -> list[str]:
        from kerasseq.tasks.classification import unscored_classes

        return unscored_classes(score, state) if state["classes"] else []

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: SequenceClassificationSettings
    ) -> Mapping[str, np.ndarray]:
        from kerasseq.tasks.sequence_classification import baselines

        if parts.test is None:
            return {}
        # Baselines have no early stopping, so they are fitted on the validation part too.
        known = parts.train.joined(parts.validation)
        reader = self._reader(prepared.state)
        return baselines.predictions(reader, known, parts.test)

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: SequenceClassificationSettings,
        reading: Mapping[str, Any],
    ) -> SequenceExamples:
        from kerasseq.data.sequences.read import read_sequences
        from kerasseq.data.sequences.recordings import LeftOut, Sequences
        from kerasseq.tasks.sequence_classification import reading as how

        source = data
        if not isinstance(data, Sequences):
            new = how.of_new(changed(settings, **reading), state, self.frame_encoding(state))
            source = read_sequences(data, new)
        source = source.whole() if source.test is None else source.test
        if source.labels is None:
            raise ValueError(
                "every sequence needs a label to score on, the same for all of its timesteps. Pass "
                "label=, or data with labels."
            )
        left_out = [note for note in source.notes if isinstance(note, LeftOut)]
        return dataclasses.replace(_scored(self._reader(state), source), remarks=left_out)

    def unlabelled(
        self, data: Any, state: Mapping[str, Any], settings: SequenceClassificationSettings
    ) -> Unlabelled:
        """Read new sequences without labels.

        Args:
            data: sequences in a form that the recipe reads, or a list of files.
            state: state of the fitted preprocessing.
            settings: settings of the run.

        Raises:
            ValueError: if there are no sequences.
            FileNotFoundError: if the file does not exist.
        """
        from kerasseq.data.sequences.read import read_sequences
        from kerasseq.tasks.sequence_classification import reading

        new = changed(settings, label=None)  # data to classify may lack the column of labels
        how = reading.of_new(new, state, self.frame_encoding(state), labelled=False)
        source = read_sequences(data, how).whole()
        examples = self._reader(state).examples(source)
        instead = (
            "class shares of the training part" if state["classes"] else "mean of the training part"
        )
        return Unlabelled(
            "sequence", source.names, examples, source.faults, instead, source.remarks
        )

    def standalone(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: SequenceClassificationSettings,
    ) -> Standalone:
        reader, encoding = self._reader(state), self.frame_encoding(state)
        models, size = None, None
        if encoding is not None:
            models = {"model.onnx": model, "encoder.onnx": encoding.model}
            size = encoding.size
        classes = [*map(str, reader.classes)]
        preprocessing = {
            "shape": list(reader.shape),
            "window": settings.window,
            "stride": settings.stride,
            "frame_size": size,
            "dtype": reader.mean.dtype.name,
            "mean": reader.mean.tolist(),
            "deviation": reader.deviation.tolist(),
            "differences": None if reader.differences is None else reader.differences.tolist(),
            "centred": reader.centred,
            "target": None if reader.target is None else dict(reader.target),
            "classes": list(reader.classes),
            "columns": distinct_names(classes, ("sequence", "label", "note")),
        }
        requires = () if encoding is None else ("pillow",)
        kind = "" if encoding is None else "with a frozen network of frames"
        module = Path(__file__).with_name("standalone.py")
        return Standalone(module, preprocessing, requires, models, kind=kind)

    def state_type(self) -> Any:
        from kerasseq.tasks.sequence_classification.saved import SequenceState

        return SequenceState

    def metrics_type(self) -> Any:
        from kerasseq.tasks.sequence_classification.saved import SequenceMetrics

        return SequenceMetrics

    def history_type(self) -> Any:
        return LossHistory

    def check_saved(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: SequenceClassificationSettings,
        metrics: Mapping[str, Any],
    ) -> None:
        from kerasseq.tasks.sequence_classification.saved import check_run

        super().check_saved(model, state, settings, metrics)
        check_run(model, self._reader(state), state, settings, metrics)

    def frame_encoding(self, state: Mapping[str, Any]) -> FrameEncoding | None:
        """The network of the frames of a run, cached since loading takes longer than running it."""
        from kerasseq.tasks.sequence_classification.frames import FrameEncoding

        if self._cached_encoding is None or self._cached_encoding[0] is not state:
            self._cached_encoding = (state, FrameEncoding.of_state(state))
        return self._cached_encoding[1]

    _cached_encoding: tuple[Mapping[str, Any], FrameEncoding | None] | None = None

    def _reader(self, state: Mapping[str, Any]) -> SequenceReader:
        from kerasseq.data.sequences.reader import SequenceReader

        return SequenceReader.from_state(state)


def _is_separate_data(part: Any) -> bool:
    """Whether a validation or test part is data: a path, a table, or sequences and labels."""
    from kerasseq.data.parts import is_path, is_table
    from kerasseq.data.sequences.recordings import Sequences

    return _is_pair(part) or isinstance(part, Sequences) or is_path(part) or is_table(part)


def _is_pair(part: Any) -> bool:
    """Whether a part is a pair of sequences and their labels."""
    return isinstance(part, tuple) and len(part) == 2 and hasattr(part[1], "__len__")


def _normalization(settings: SequenceClassificationSettings, train: Sequences) -> Normalize:
    """The scaling of the channels: "auto" scales channels of one unit together, and centres sounds.

    The mean of a log-spectrum is due to the microphone more than to what is said (cepstral mean
    normalisation: Atal 1974, https://doi.org/10.1121/1.1914702). A stream does not know it.
    """
    if settings.normalize != "auto":
        return settings.normalize
    if train.own_offset and not settings.causal:
        return "sequence"
    return "together" if train.one_unit else "channel"


def _class_order(label: Any) -> tuple[bool, Any]:
    """Sorts numbers as numbers, before texts."""
    return (isinstance(label, str), label)


def _numbers(labels: Sequence[Any], classes: Sequence[Any]) -> np.ndarray:
    from kerasseq.data.classes.labels import class_numbers

    return class_numbers(labels, classes)


def _scored(reader: SequenceReader, sequences: Sequences) -> SequenceExamples:
    """Examples to score on: targets of a regression are in the unit of the data."""
    labels = sequences.labels or []
    if reader.target is None:
        return reader.examples(sequences, labels)
    from kerasseq.tasks.sequence_classification.reading import number_labels

    numbers = np.array(number_labels(labels), dtype=np.float64)[:, None]
    return dataclasses.replace(reader.examples(sequences), targets=numbers)
