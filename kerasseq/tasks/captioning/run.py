"""The Run class of captioning."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kerasseq.runs import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["CaptionRun"]


class CaptionRun(Run):
    """A trained captioner with its preprocessing and scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> import numpy as np
    >>> run = kerasseq.captioning(epochs=1, units=4, quiet=True)
    >>> run.predict([np.zeros((32, 32, 3), np.uint8)], beam_width=1).columns.tolist()
    ['image', 'caption', 'log_probability']
    """

    row_schema: ClassVar[Mapping[str, Any]] = {"type": "string", "contentEncoding": "base64"}

    @contextlib.contextmanager
    def data_of_request(self, rows: list[Any], *, labelled: bool) -> Iterator[Any]:
        """Context with images or features of a request, or a folder of images and their captions.

        Args:
            rows: image files in base64, or features of images as lists of numbers; if `labelled`,
                objects with an `image` in base64 and its `captions`.
            labelled: whether captions are needed.

        Raises:
            ValueError: if they are anything else.
        """
        from kerasseq.tasks.captioning import request

        if labelled:
            with request.folder(rows) as path:
                yield path
        else:
            yield request.images(rows)

    def predict(
        self,
        data: list[str],
        beam_width: int | None = None,
        length_penalty: float | None = None,
        no_repeat_ngram_size: int | None = None,
    ) -> pd.DataFrame:
        """Captions of new images.

        Args:
            data: images as files or arrays, folders of images, or a table of their names; or
                features, as an array or a file.
            beam_width: as in the recipe; default: the value of the run.
            length_penalty: as in the recipe; default: the value of the run.
            no_repeat_ngram_size: as in the recipe; default: the value of the run.

        Returns:
            A row for each image: `image`, its name, `caption`, and `log_probability` of the
            caption.

        Raises:
            ValueError: if there is no image, or its shape does not fit the model.
        """
        import pandas as pd

        values = {
            "beam_width": beam_width,
            "length_penalty": length_penalty,
            "no_repeat_ngram_size": no_repeat_ngram_size,
        }
        search = {name: value for name, value in values.items() if value is not None}
        names, written = self.task.write(self.model, self.state, self.resolved, data, search)
        return pd.DataFrame(
            {"image": names, "caption": written.texts, "log_probability": written.log_probs}
        )

    def remarks(self) -> list[str]:
        """Remarks for the reader."""
        vocabulary = self.metrics["test"]["vocabulary"]
        return super().remarks() + (
            [] if vocabulary else ["the model writes empty captions: train it for more epochs"]
        )

    def figures(self) -> dict[str, Figure]:
        from kerasseq.tasks.captioning import plots

        figures, images = super().figures(), self.state.get("shown", {})
        if not {"images", "inputs"} <= {*images}:
            return figures
        captions = [example["caption"] for example in self.metrics["examples"]]
        references = [example["references"] for example in self.metrics["examples"]]
        figures["captions"] = plots.contact_sheet(images["images"], captions, references)
        if self.resolved.decoder == "attention":
            rows = slice(0, len(images["inputs"]))
            writer = self.task.writer(self.model, self.state, self.resolved)
            weights = writer.look(images["inputs"], captions[rows])
            figures["attention"] = plots.attention(images["images"][rows], captions[rows], weights)
        return figures
