"""Captioning: from pictures to sentences, beside captions that need no model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from kerasseq.recipe import (
    Choice,
    Number,
    Objective,
    Parts,
    Prepared,
    Range,
    Stages,
    Whole,
    one_of,
    perform,
    positive,
    share,
)

if TYPE_CHECKING:
    import keras
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.caption_writer import CaptionExamples, References, Writer, Written
    from kerasseq.data.captioned import Captioned
    from kerasseq.metrics import Score
    from kerasseq.models import Captioner
    from kerasseq.run import Run

__all__ = ["STAGES", "Captioning", "captioning"]

_DECODERS = ("merge", "init", "pre", "par")  # and "attention", where there are regions


def captioning(
    data: str | os.PathLike[str] | pd.DataFrame = "demo",
    *,
    images: str | os.PathLike[str] | None = None,
    captions: str | os.PathLike[str] | None = None,
    features: str | os.PathLike[str] | None = None,
    skip_bad: bool = False,
    encoder: str = "auto",
    weights: str | None = "imagenet",
    size: int | None = None,
    fine_tune: int = 0,
    decoder: str = "auto",
    cell: str = "gru",
    units: int = 256,
    depth: int = 1,
    embedding: int | None = None,
    tied: bool = True,
    dropout: float = 0.5,
    embedding_dropout: float = 0.3,
    picture_dropout: float = 0.3,
    recurrent_dropout: float = 0.0,
    zoneout: float = 0.0,
    smoothing: float = 0.0,
    scheduled: float = 0.0,
    min_count: int = 5,
    length: int = 40,
    beam: int = 3,
    normalization: float = 0.7,
    no_repeat: int = 0,
    validation: float = 0.1,
    test: float = 0.1,
    epochs: int = 12,
    patience: int = 3,
    batch_size: int = 128,
    learning_rate: float = 2e-3,
    schedule: str | keras.optimizers.schedules.LearningRateSchedule = "cosine",
    clip: float | None = 1.0,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    warm_start: Run | str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Run:
    """Train a model that says what is in pictures, and tell how good it is beside simple baselines.

    Captions are learned and scored in lower case and without punctuation. Pictures are seen by a
    frozen network, once, and what it sees is kept on disk; or the network is part of the model.

    Args:
        data: a folder with pictures and their captions; a file of captions (a CSV with columns
            `image` and `caption`, Flickr8k's token file with its lists beside it, COCO's
            annotations, Karpathy's JSON) or a DataFrame of them; or "demo", small pictures that
            kerasseq draws itself.
        images: the folder of the pictures; found in or beside `data` where it is not given.
        captions: the file of captions, where `data` is a folder with several files.
        features: a file of features that were computed elsewhere, in place of pictures.
        skip_bad: whether pictures that cannot be read are listed and left out.
        encoder: any network of `keras.applications`, such as "mobilenet_v2"; "cnn" for a small one
            that is trained from the pixels; "auto" takes that for the demo, else mobilenet_v2.
            Beside `features`, the network that they are from.
        weights: of the network: "imagenet", which is downloaded once, a file, or None for random.
        size: height and width of what the network sees; what it was made for where it is not given.
        fine_tune: how many of the network's last blocks are trained too.
        decoder: where the picture comes in: "merge" (after the words), "init" (as first states),
            "pre" (as first word), "par" (beside each word), or "attention" (some regions of it,
            before each word); "auto" takes that for features of several regions and for the small
            network, else "init".
        cell: name of the recurrent cell; `kerasseq cells` lists them.
        units: width of the cell.
        depth: levels of recurrent layers.
        embedding: width of the embedding, and of the layer in which picture and words meet; that of
            the cell where it is not given.
        tied: whether the last layer shares its matrix with the embedding.
        dropout: share of the last features that is dropped in training.
        embedding_dropout: share of the embedded words' features that is dropped in training.
        picture_dropout: share of the picture's features that is dropped in training.
        recurrent_dropout: share of the state that is dropped in training.
        zoneout: share of the state that is kept as it was in training.
        smoothing: share of the target that goes to all words alike in training.
        scheduled: share of the words that are the model's own guesses in training.
        min_count: a word must occur so often in the training captions.
        length: words of the longest caption to learn from, and to write.
        beam: how many captions are followed side by side; 1 takes the likeliest word each time.
        normalization: by which power of its length a caption's log-probability is divided.
        no_repeat: words of the shortest run that must not come twice in a caption; 0 for any.
        validation: share of the pictures that decides when to stop, where the data does not tell.
        test: share of the pictures to score on, where the data does not tell.
        epochs: at most so many passes over the training captions.
        patience: stop after so many epochs without a better one.
        batch_size: captions per step of training.
        learning_rate: of Adam.
        schedule: of the learning rate: "constant", "cosine", or a Keras schedule.
        clip: longest gradient; None for any.
        seed: of everything that is drawn; on a CPU the same seed gives the same run, bit for bit.
        out: folder to write to; after an interruption the same call goes on from there.
        callbacks: further Keras callbacks.
        warm_start: an earlier run, or its folder, to take weights from.
        quiet: whether to show no progress.

    Returns:
        A Run: `predict`, `evaluate`, `save`, `summary`, and the Keras `model` itself.

    Raises:
        ValueError: for data, settings or a folder that cannot be used; it says what to do.
        FileNotFoundError: if there is no such data.

    Example:

    >>> import numpy as np
    >>> run = captioning(epochs=1, units=4, quiet=True)
    >>> run.predict([np.zeros((32, 32, 3), np.uint8)]).columns.tolist()
    ['picture', 'caption', 'log_probability']
    """
    return perform(STAGES, locals())


class Captioning(Stages):
    """The stages of `captioning`."""

    name: ClassVar[str] = "captioning"
    reads: ClassVar[tuple[str, ...]] = (
        "images",
        "captions",
        "features",
        "skip_bad",
        "encoder",
        "weights",
        "size",
    )
    headline: ClassVar[str] = "bleu_4"
    rows: ClassVar[str] = "pictures"
    prepares: ClassVar[tuple[str, ...]] = (
        "encoder",
        "weights",
        "fine_tune",
        "min_count",
        "length",
        "beam",
        "normalization",
        "no_repeat",
        "validation",
        "test",
        "seed",
    )

    def check(self, settings: Mapping[str, Any]) -> None:
        positive(settings, "units", "depth", "min_count", "length", "beam")
        share(settings, "validation", "test", zero=False)
        share(settings, "dropout", "embedding_dropout", "picture_dropout", "smoothing")
        share(settings, "recurrent_dropout", "zoneout")
        one_of(settings, "decoder", ("auto", *_DECODERS, "attention"))
        for name in ("fine_tune", "no_repeat"):
            if not isinstance(settings[name], Integral) or settings[name] < 0:
                raise ValueError(
                    f"{name} must be a whole number, 0 or more. Received: {name}={settings[name]!r}"
                )
        positive(settings, *(n for n in ("size", "embedding") if settings[n] is not None))
        if settings["normalization"] < 0:
            raise ValueError(
                "normalization must not be negative. "
                f"Received: normalization={settings['normalization']!r}"
            )
        if not 0 <= settings["scheduled"] <= 1:
            raise ValueError(
                f"scheduled must be from 0 to 1. Received: scheduled={settings['scheduled']!r}"
            )
        _check_encoder(settings)
        self._check_sizes(settings)

    def load(self, data: Any, settings: Mapping[str, Any]) -> Captioned:
        from kerasseq import sight
        from kerasseq.data.captioned import Captioned

        if isinstance(data, Captioned):
            return data
        return sight.captioned(data, settings)

    def split(
        self,
        source: Captioned,
        settings: Mapping[str, Any],
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        whole: bool = False,
    ) -> Parts:
        import numpy as np

        from kerasseq.data.captioned import part_rows, taken

        shares = {name: settings[name] for name in ("validation", "test", "seed")}
        rows = part_rows(source, **shares, fold=fold)
        if whole:
            rows["train"] = np.union1d(rows["train"], rows["validation"])
        parts = {part: taken(source, own) for part, own in rows.items()}
        notes = [
            *source.notes,
            f"{len(rows['train']):,} pictures to train on, {len(rows['validation']):,} to stop by, "
            f"{len(rows['test']):,} to score on",
        ]
        return Parts(parts["train"], parts["validation"], parts["test"] if test else None, notes)

    def prepare(self, parts: Parts, settings: Mapping[str, Any]) -> Prepared:
        from kerasseq import caption_writer
        from kerasseq.data.caption_text import caption_tokenizer

        source = parts.train
        scaling = None if source.network else source.seen.moments()
        said = [caption for own in source.captions for caption in own]
        words = caption_tokenizer(said, settings["min_count"], settings["length"])
        longest = max(len(caption.split()) for caption in said)
        known = len(words) - 4  # beside padding, unknown, start and end
        notes = [f"{known:,} words are known, of {len(said):,} captions of up to {longest} words"]
        train, validation = (
            caption_writer.taught(words, caption_writer.scaled(part, scaling))[0]
            for part in (source, parts.validation)
        )
        state = {
            "facts": {
                "words": len(words),
                "seen": list(source.seen.shape),
                "network": source.network,
                "timesteps": train.mean_length("tokens"),
            },
            "words": words.state(),
            "writing": {name: settings[name] for name in ("beam", "normalization", "no_repeat")},
            "known": caption_writer.fingerprints(sorted({*said})),
            "sight": source.sight,
            "scaling": scaling,
        }
        test = None
        if parts.test is not None:
            part = caption_writer.scaled(parts.test, scaling)
            test = caption_writer.examples(words, part, show=True)
            state["shown"] = caption_writer.shown(part, test.targets.shown)
        return Prepared(train, validation, test, state, notes=notes)

    def count(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
        return self.sizes(facts, settings).count()

    def macs(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
        regions = facts["seen"][0] if len(facts["seen"]) == 2 else None
        return self.sizes(facts, settings).macs(facts["timesteps"], regions)

    def build(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> keras.Model:
        return self.sizes(facts, settings, settings["weights"]).build()

    def objective(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Objective:
        from kerasseq.models import WordLoss

        return Objective(WordLoss(settings["smoothing"]))

    def predictions(
        self, model: keras.Model, examples: CaptionExamples, state: Mapping[str, Any]
    ) -> Written:
        from kerasseq import caption_writer

        return caption_writer.predicted(self.writer(model, state), examples, state["known"])

    def score(
        self, predictions: Written, targets: References, settings: Mapping[str, Any]
    ) -> Score:
        from kerasseq import text_metrics

        found = text_metrics.captions(
            predictions.texts,
            targets.captions,
            nats=predictions.nats,
            words=predictions.words,
            new=predictions.new,
            seed=settings["seed"],
        )
        found.details["examples"] = [
            {"caption": predictions.texts[row], "references": targets.captions[row]}
            for row in targets.shown
        ]
        return found

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: Mapping[str, Any]
    ) -> dict[str, Written]:
        from kerasseq import caption_baselines
        from kerasseq.caption_writer import Written

        if parts.test is None:
            return {}
        # They stop by nothing, and so learn from the validation part too.
        known = [*parts.train.captions, *parts.validation.captions]
        seen = [parts.train.seen, parts.validation.seen]
        common = caption_baselines.commonest(known)
        return {
            "most frequent caption": Written([common] * len(parts.test)),
            "nearest picture's caption": Written(
                caption_baselines.nearest(seen, known, parts.test.seen)
            ),
        }

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: Mapping[str, Any],
        reading: Mapping[str, Any],
    ) -> CaptionExamples:
        from kerasseq import caption_writer, sight
        from kerasseq.data.captioned import Captioned, scored
        from kerasseq.data.tokenizer import Tokenizer

        if not isinstance(data, Captioned):
            data = sight.captioned(data, settings, state, reading)
        part = caption_writer.scaled(scored(data), state["scaling"])
        return caption_writer.examples(Tokenizer.from_state(state["words"]), part)

    def predict(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: Mapping[str, Any],
        data: Any,
    ) -> pd.DataFrame:
        import pandas as pd

        from kerasseq import sight

        writer = self.writer(model, state)

        def eyes() -> sight.Sight:
            writer.eyes = writer.eyes or sight.eyes(state, settings)
            return writer.eyes

        names, seen = sight.seen(data, state["facts"], eyes, settings["images"])
        found = writer.write(seen.scaled(**state["scaling"]) if state["scaling"] else seen)
        return pd.DataFrame(
            {"picture": names, "caption": found.texts, "log_probability": found.log_probs}
        )

    def remarks(self, metrics: Mapping[str, Any]) -> list[str]:
        return [] if metrics["test"]["vocabulary"] else ["it writes no words: train it longer"]

    def figures(self, run: Run) -> dict[str, Figure]:
        from kerasseq import caption_plots

        found, shown = super().figures(run), run.state.get("shown")
        if not shown:
            return found
        captions = [own["caption"] for own in run.metrics["examples"]]
        references = [own["references"] for own in run.metrics["examples"]]
        found["captions"] = caption_plots.contact_sheet(shown["pictures"], captions, references)
        if self.decoder(run.state["facts"], run.settings) == "attention":
            few = slice(0, len(shown["seen"]))
            looked = self.writer(run.model, run.state).look(shown["seen"], captions[few])
            found["attention"] = caption_plots.attention(
                shown["pictures"][few], captions[few], looked
            )
        return found

    def space(self) -> dict[str, Range]:
        return {
            "decoder": Choice(_DECODERS),
            "min_count": Choice((3, 5, 10)),
            "cell": Choice(("lstm", "gru", "mgu", "ligru", "mingru")),
            "units": Whole(64, 512, log=True),
            "dropout": Number(0.0, 0.7),
            "embedding_dropout": Number(0.0, 0.7),
            "picture_dropout": Number(0.0, 0.7),
            "smoothing": Number(0.0, 0.2),
            "learning_rate": Number(1e-4, 1e-2, log=True),
            "batch_size": Choice((32, 64, 128, 256)),
        }

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        from kerasseq.data.tokenizer import Tokenizer

        vocabulary = Tokenizer.from_state(state["words"]).vocabulary
        return {"decoder/embedding/embeddings": vocabulary}

    def settled(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        return {**settings, "decoder": self.decoder(facts, settings)}

    def decoder(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
        """Where the picture comes in: the setting, or what suits what is seen."""
        if settings["decoder"] != "auto":
            return str(settings["decoder"])
        network, seen = facts["network"], facts["seen"]
        if network is None:
            regions = len(seen) == 2 and seen[0] > 1
        else:
            regions = network["name"] == "cnn" and network["size"] > 8  # pixels across a region
        return "attention" if regions else "init"

    def sizes(
        self, facts: Mapping[str, Any], settings: Mapping[str, Any], weights: str | None = None
    ) -> Captioner:
        """What the model is counted and built from."""
        from kerasseq import sight
        from kerasseq.models import Captioner

        decoder = self.decoder(facts, settings)
        network = sight.trained_network(facts, settings, decoder == "attention", weights)
        seen = facts["seen"] if network is None else network.output_shape[1:]
        own = ("cell", "units", "depth", "tied", "scheduled")
        dropouts = ("dropout", "embedding_dropout", "picture_dropout")
        return Captioner(
            words=facts["words"],
            features=seen[-1],
            regions=len(seen) > 1,
            encoder=network,
            decoder=decoder,
            embedding=settings["embedding"] or settings["units"],
            **{name: settings[name] for name in (*own, *dropouts)},
            options={n: settings[n] for n in ("recurrent_dropout", "zoneout") if settings[n]},
        )

    def _check_sizes(self, settings: Mapping[str, Any]) -> None:
        """The cell and the rest, by their own checks; "auto" if none of what it may be passes."""
        auto = settings["decoder"] == "auto"
        decoders = ["init", "attention"] if auto else [settings["decoder"]]
        faults = []
        for decoder in decoders:
            seen = [2, 1] if decoder == "attention" else [1]
            facts = {"words": 5, "network": None, "seen": seen}
            try:
                self.count(facts, {**settings, "decoder": decoder})
            except ValueError as error:
                faults.append(error)
        if len(faults) == len(decoders):
            raise faults[0]

    def writer(self, model: keras.Model, state: Mapping[str, Any]) -> Writer:
        """What writes captions with a model."""
        from kerasseq.caption_writer import Writer
        from kerasseq.data.tokenizer import Tokenizer

        if self._last is None or self._last.model is not model:
            self._last = Writer(model, Tokenizer.from_state(state["words"]), **state["writing"])
        return self._last

    # That of the run that was asked last: compiling its search takes longer than running it.
    _last: Writer | None = None


def _check_encoder(settings: Mapping[str, Any]) -> None:
    from kerasseq.models import picture_size

    if settings["encoder"] in ("auto", "cnn"):
        return
    picture_size(settings["encoder"])  # raises if there is no such network
    if settings["features"] is not None and settings["weights"] is None:
        raise ValueError(
            "encoder= beside features= is the network that they are from, and with random weights "
            "it sees other things: give its weights, or leave encoder out. "
            f"Received: encoder={settings['encoder']!r}, weights=None"
        )


STAGES = Captioning()
