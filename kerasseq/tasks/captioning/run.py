"""Runs that write captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasseq.runs import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["CaptionRun"]


class CaptionRun(Run):
    """A trained captioner, with everything that it takes to use it and its scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> import numpy as np
    >>> run = kerasseq.captioning(epochs=1, units=4, quiet=True)
    >>> run.predict([np.zeros((32, 32, 3), np.uint8)], beam_width=1).columns.tolist()
    ['image', 'caption', 'log_probability']
    """

    def predict(
        self,
        data: list[str],
        beam_width: int | None = None,
        length_penalty: float | None = None,
        no_repeat_ngram_size: int | None = None,
    ) -> pd.DataFrame:
        """Captions of new images.

        Args:
            data: images as files or arrays, folders of them, or a table that names them; or their
                features, as an array or a file.
            beam_width: as in the recipe; that of the run where it is not given.
            length_penalty: as in the recipe; that of the run where it is not given.
            no_repeat_ngram_size: as in the recipe; that of the run where it is not given.

        Returns:
            A row for each image: `image`, its name, `caption`, and `log_probability` of the
            caption.

        Raises:
            ValueError: if there is nothing to see, or it does not fit the model.
        """
        import pandas as pd

        asked = {
            "beam_width": beam_width,
            "length_penalty": length_penalty,
            "no_repeat_ngram_size": no_repeat_ngram_size,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        names, written = self.task.write(self.model, self.state, self.resolved, data, given)
        return pd.DataFrame(
            {"image": names, "caption": written.texts, "log_probability": written.log_probs}
        )

    def remarks(self) -> list[str]:
        """Remarks for the reader."""
        vocabulary = self.metrics["test"]["vocabulary"]
        return super().remarks() + ([] if vocabulary else ["it writes no words: train it longer"])

    def figures(self) -> dict[str, Figure]:
        from kerasseq.tasks.captioning import plots

        found, shown = super().figures(), self.state.get("shown", {})
        if not {"images", "inputs"} <= {*shown}:
            return found
        captions = [own["caption"] for own in self.metrics["examples"]]
        references = [own["references"] for own in self.metrics["examples"]]
        found["captions"] = plots.contact_sheet(shown["images"], captions, references)
        if self.resolved.decoder == "attention":
            few = slice(0, len(shown["inputs"]))
            writer = self.task.writer(self.model, self.state, self.resolved)
            looked = writer.look(shown["inputs"], captions[few])
            found["attention"] = plots.attention(shown["images"][few], captions[few], looked)
        return found
