"""The task of captioning images."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kerasseq.runs import Standalone
from kerasseq.settings import check
from kerasseq.tasks.base import Learn, Objective, Parts, Prepared, Task, changed
from kerasseq.tasks.captioning.run import CaptionRun

if TYPE_CHECKING:
    import keras

    from kerasseq.data.images.captioned import Captioned
    from kerasseq.evaluation.metrics import Score
    from kerasseq.models import Captioner, FeatureExtractor
    from kerasseq.recipes.captioning import CaptioningSettings
    from kerasseq.tasks.captioning.writing import CaptionExamples, References, Writer, Written

__all__ = ["Captioning"]


class Captioning(Task["CaptioningSettings", CaptionRun]):
    """Image captioning."""

    run = CaptionRun
    headline: ClassVar[str] = "bleu_4"
    rows: ClassVar[str] = "images"

    @property
    def reading(self) -> tuple[str, ...]:
        # The image network is that of the run, so it cannot be passed for new data.
        network_settings = ("encoder", "weights", "size")
        return tuple(name for name in super().reading if name not in network_settings)

    def check(self, settings: CaptioningSettings) -> None:
        from kerasseq.data import parts

        parts.check(settings, lambda part: parts.is_path(part) or parts.is_table(part))
        _check_encoder(settings)
        self._check_sizes(settings)

    def is_separate_part(self, value: Any) -> bool:
        return not isinstance(value, Real)

    def load(self, data: Any, settings: CaptioningSettings) -> Captioned:
        from kerasseq.data.images.captioned import Captioned
        from kerasseq.tasks.captioning import feature_extractor

        if isinstance(data, Captioned):
            return data
        return feature_extractor.captioned(data, settings)

    def split(
        self,
        source: Captioned,
        settings: CaptioningSettings,
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        learn: Learn = "train",
    ) -> Parts:
        import numpy as np

        from kerasseq.data.images.captioned import part_rows, take_images

        rows = part_rows(
            source,
            validation=settings.validation,
            test=settings.test,
            seed=settings.seed,
            fold=fold,
        )
        if learn != "train":
            rows["train"] = np.union1d(rows["train"], rows["validation"])
        if learn == "all":
            rows["train"] = np.union1d(rows["train"], rows["test"])
        parts = {part: take_images(source, numbers) for part, numbers in rows.items()}
        notes = [
            *source.notes,
            f"{len(rows['train']):,} images to train on, {len(rows['validation']):,} to stop by, "
            f"{len(rows['test']):,} to score on",
        ]
        return Parts(parts["train"], parts["validation"], parts["test"] if test else None, notes)

    def prepare(self, parts: Parts, settings: CaptioningSettings) -> Prepared:
        from kerasseq.data.images.caption_text import caption_tokenizer
        from kerasseq.tasks.captioning import writing

        source = parts.train
        scaling = None if source.network else source.inputs.moments()
        captions = [caption for row in source.captions for caption in row]
        words = caption_tokenizer(captions, settings.min_count, settings.length)
        longest = max(len(caption.split()) for caption in captions)
        vocabulary_size = len(words) - 4  # without padding, unknown, start and end
        notes = [
            f"{vocabulary_size:,} words are known, of {len(captions):,} captions of up to "
            f"{longest} words"
        ]
        train, validation = (
            writing.teacher_forcing_examples(words, writing.scaled(part, scaling))[0]
            for part in (source, parts.validation)
        )
        state = {
            "data_info": {
                "words": len(words),
                "inputs": list(source.inputs.shape),
                "network": source.network,
                "timesteps": train.mean_length("tokens"),
            },
            "words": words.state(),
            "known": writing.fingerprints(sorted({*captions})),
            "extractor": source.extractor,
            "scaling": scaling,
        }
        test = None
        if parts.test is not None:
            part = writing.scaled(parts.test, scaling)
            test = writing.examples(words, part, show=True)
            state["shown"] = writing.shown(part, test.targets.shown)
        return Prepared(train, validation, test, state, notes=notes)

    def config(
        self, data_info: Mapping[str, Any], settings: CaptioningSettings, weights: str | None = None
    ) -> Captioner:
        from kerasseq.models import Captioner
        from kerasseq.tasks.captioning import feature_extractor

        network = feature_extractor.trained_network(
            data_info, settings, settings.decoder == "attention", weights
        )
        inputs = data_info["inputs"] if network is None else network.output_shape[1:]
        return Captioner(
            words=data_info["words"],
            features=inputs[-1],
            regions=len(inputs) > 1,
            encoder=network,
            decoder=settings.decoder,
            cell=settings.cell,
            units=settings.units,
            depth=settings.depth,
            embedding=settings.embedding or settings.units,
            tie_embeddings=settings.tie_embeddings,
            dropout=settings.dropout,
            embedding_dropout=settings.embedding_dropout,
            image_dropout=settings.image_dropout,
            scheduled_sampling=settings.scheduled_sampling,
            options=settings.cell_options,
        )

    def macs(self, data_info: Mapping[str, Any], settings: CaptioningSettings) -> int:
        regions = data_info["inputs"][0] if len(data_info["inputs"]) == 2 else None
        return self.config(data_info, settings).macs(data_info["timesteps"], regions)

    def build(self, data_info: Mapping[str, Any], settings: CaptioningSettings) -> keras.Model:
        return self.config(data_info, settings, settings.weights).build()

    def objective(self, data_info: Mapping[str, Any], settings: CaptioningSettings) -> Objective:
        from kerasseq.models import WordLoss

        return Objective(WordLoss(settings.label_smoothing))

    def predictions(
        self,
        model: keras.Model,
        examples: CaptionExamples,
        state: Mapping[str, Any],
        settings: CaptioningSettings,
    ) -> Written:
        from kerasseq.tasks.captioning import writing

        writer = self.writer(model, state, settings)
        return writing.predicted(writer, examples, state["known"])

    def score(
        self, predictions: Written, targets: References, settings: CaptioningSettings
    ) -> Score:
        from kerasseq.evaluation import caption_metrics

        score = caption_metrics.captions(
            predictions.texts,
            targets.captions,
            nats=predictions.nats,
            words=predictions.words,
            new=predictions.new,
            seed=settings.seed,
        )
        score.details["examples"] = [
            {"caption": predictions.texts[row], "references": targets.captions[row]}
            for row in targets.shown
        ]
        return score

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: CaptioningSettings
    ) -> dict[str, Written]:
        from kerasseq.tasks.captioning import baselines
        from kerasseq.tasks.captioning.writing import Written

        if parts.test is None:
            return {}
        # Baselines have no early stopping, so they are fitted on the validation part too.
        captions = [*parts.train.captions, *parts.validation.captions]
        inputs = [parts.train.inputs, parts.validation.inputs]
        common = baselines.commonest(captions)
        return {
            "most frequent caption": Written([common] * len(parts.test)),
            "nearest image's caption": Written(
                baselines.nearest(inputs, captions, parts.test.inputs)
            ),
        }

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: CaptioningSettings,
        reading: Mapping[str, Any],
    ) -> CaptionExamples:
        from kerasseq.data.images.captioned import Captioned, select_test_part
        from kerasseq.data.tokenizers.tokenizer import Tokenizer
        from kerasseq.tasks.captioning import feature_extractor, writing

        if not isinstance(data, Captioned):
            data = feature_extractor.captioned(data, settings, state, reading)
        part = writing.scaled(select_test_part(data), state["scaling"])
        return writing.examples(Tokenizer.from_state(state["words"]), part)

    def standalone(
        self, model: keras.Model, state: Mapping[str, Any], settings: CaptioningSettings
    ) -> Standalone:
        import keras

        from kerasseq.data.tokenizers.tokenizer import Tokenizer
        from kerasseq.models.stepwise import start_model, step_model
        from kerasseq.tasks.captioning import feature_extractor
        from kerasseq.tasks.captioning.writing import SEARCH

        data_info, decoder = state["data_info"], model.get_layer("decoder")
        image = keras.Input(data_info["inputs"], name="image")
        start = start_model(decoder, image)
        models = {"start.onnx": start, "step.onnx": step_model(decoder, decoder.start(image))}
        size = data_info["network"] and data_info["network"]["size"]
        if state["extractor"] is not None:
            extractor = feature_extractor.load_extractor(state, settings)
            models["extractor.onnx"], size = extractor.model, extractor.size
        words = Tokenizer.from_state(state["words"])
        preprocessing = {
            "inputs": data_info["inputs"],
            "size": size,
            "scaling": state["scaling"]
            and {name: values.tolist() for name, values in state["scaling"].items()},
            "vocabulary": words.vocabulary,
            "length": words.length + 1,
            "search": {name: getattr(settings, name) for name in SEARCH},
        }
        module = Path(__file__).with_name("standalone.py")
        requires = () if size is None else ("pillow",)
        return Standalone(module, preprocessing, requires, models)

    def state_type(self) -> Any:
        from kerasseq.tasks.captioning.saved import CaptionState

        return CaptionState

    def metrics_type(self) -> Any:
        from kerasseq.tasks.captioning.saved import CaptionMetrics

        return CaptionMetrics

    def history_type(self) -> Any:
        from kerasseq.runs import LossHistory

        return LossHistory

    def check_saved(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: CaptioningSettings,
        metrics: Mapping[str, Any],
    ) -> None:
        from kerasseq.data.tokenizers.tokenizer import Tokenizer
        from kerasseq.tasks.captioning import writing

        super().check_saved(model, state, settings, metrics)
        model_shape, inputs = model.input["image"].shape[1:], state["data_info"]["inputs"]
        if len(model_shape) != len(inputs) or any(
            size not in (None, n) for size, n in zip(model_shape, inputs)
        ):
            raise ValueError(
                f"the model takes {tuple(model_shape)}, and data_info.inputs is {inputs}"
            )
        network = state["data_info"]["network"]
        if network and network["size"] != inputs[0]:
            raise ValueError(
                f"data_info.network.size is {network['size']:,}, and data_info.inputs is {inputs}"
            )
        if state["scaling"]:
            for name, values in state["scaling"].items():
                if values.shape != (inputs[-1],):
                    raise ValueError(
                        f"scaling.{name} is {values.shape}, and data_info.inputs is {inputs}"
                    )
        writing.check_shown(state.get("shown", {}), inputs, len(metrics["examples"]))
        words = len(Tokenizer.from_state(state["words"]))
        if words != state["data_info"]["words"]:
            raise ValueError(
                f"data_info.words is {state['data_info']['words']:,}, and there are {words:,}"
            )

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        from kerasseq.data.tokenizers.tokenizer import Tokenizer

        return {"decoder/embedding/embeddings": Tokenizer.from_state(state["words"]).vocabulary}

    def resolve(
        self, data_info: Mapping[str, Any], settings: CaptioningSettings
    ) -> tuple[CaptioningSettings, list[str]]:
        if settings.decoder != "auto":
            return settings, []
        network, inputs = data_info["network"], data_info["inputs"]
        if network is None:
            regions = len(inputs) == 2 and inputs[0] > 1
        else:
            # Each region of the small network covers 8 pixels.
            regions = network["name"] == "cnn" and network["size"] > 8
        return changed(settings, decoder="attention" if regions else "init"), []

    def write(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: CaptioningSettings,
        data: Any,
        search: Mapping[str, Any],
    ) -> tuple[list[str], Written]:
        """Write captions of new images: their names, and the captions.

        Args:
            model: the trained model.
            state: state of the fitted preprocessing.
            settings: settings of the run.
            data: images or their features.
            search: settings of beam search that replace those of the run.
        """
        from kerasseq.tasks.captioning import feature_extractor

        settings = changed(settings, **search)
        check(settings)
        writer = self.writer(model, state, settings)

        def load_extractor() -> FeatureExtractor:
            self._extractor = (
                self._extractor if self._extractor and self._extractor[0] is state else None
            )
            self._extractor = self._extractor or (
                state,
                feature_extractor.load_extractor(state, settings),
            )
            return self._extractor[1]

        names, inputs = feature_extractor.read_inputs(
            data, state["data_info"], load_extractor, settings.images
        )
        return names, writer.write(
            inputs.scaled(**state["scaling"]) if state["scaling"] else inputs
        )

    def _check_sizes(self, settings: CaptioningSettings) -> None:
        """Check sizes by counting the model; for decoder="auto", one possible decoder must pass."""
        auto = settings.decoder == "auto"
        decoders: list[Any] = ["init", "attention"] if auto else [settings.decoder]
        faults = []
        for decoder in decoders:
            inputs = [2, 1] if decoder == "attention" else [1]
            data_info = {"words": 5, "network": None, "inputs": inputs}
            try:
                self.count(data_info, changed(settings, decoder=decoder))
            except ValueError as error:
                faults.append(error)
        if len(faults) == len(decoders):
            raise faults[0]

    def writer(
        self, model: keras.Model, state: Mapping[str, Any], settings: CaptioningSettings
    ) -> Writer:
        """The caption writer of a model, cached since compiling takes longer than running it."""
        from kerasseq.data.tokenizers.tokenizer import Tokenizer
        from kerasseq.tasks.captioning.writing import SEARCH, Writer

        search: dict[str, Any] = {name: getattr(settings, name) for name in SEARCH}
        cached = self._writer
        if cached is None or cached.model is not model or cached.search != search:
            self._writer = Writer(model, Tokenizer.from_state(state["words"]), **search)
        assert self._writer is not None
        return self._writer

    # Caches of the run that was used last.
    _writer: Writer | None = None
    _extractor: tuple[Mapping[str, Any], Any] | None = None


def _check_encoder(settings: CaptioningSettings) -> None:
    from kerasseq.models import image_size

    if settings.encoder in ("auto", "cnn"):
        return
    image_size(settings.encoder)  # raises if there is no such network
    if settings.features is not None and settings.weights is None:
        raise ValueError(
            "encoder= beside features= names the network that computed them, and weights=None "
            "gives it random weights: give its weights, or leave encoder out. "
            f"Received: encoder={settings.encoder!r}, weights=None"
        )
