"""The Run class of tagging."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kerasseq.io import paths
from kerasseq.io.tables import TABLES
from kerasseq.runs import Run
from kerasseq.settings import require_bool

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.tasks.tagging.html import Highlighted
    from kerasseq.tasks.tagging.tagging import TaggedTexts

__all__ = ["TaggingRun"]


class TaggingRun(Run):
    """A trained tagger with its preprocessing and scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.tagging(epochs=1, units=4, quiet=True)
    >>> run.predict(["Orvan smiled."]).columns.tolist()
    ['sentence', 'token', 'start', 'end', 'tag', 'probability', 'note']
    """

    verbs: ClassVar[tuple[str, ...]] = ("tag", "evaluate")
    files: ClassVar[tuple[str, ...]] = (*TABLES, ".conll", ".conllu", ".iob", ".bio", ".txt", "")
    rowwise: ClassVar[Mapping[str, str]] = {"tag": "sentence"}
    row_schema: ClassVar[Mapping[str, Any]] = {"type": ["string", "array"]}

    def predict(self, data: Any, **options: Any) -> pd.DataFrame:
        """Tags of new sentences; the same as `tag`.

        Args:
            data: as in `tag`.
            **options: as in `tag`.

        Returns:
            As `tag`.
        """
        return self.tag(data, **options)

    def tag(
        self,
        data: list[str] | list[list[str]] | str | os.PathLike[str] | pd.DataFrame,
        spans: bool = False,
        out: str | os.PathLike[str] | None = None,
    ) -> pd.DataFrame:
        """Tag the words of new sentences.

        A text is split into words as in CoNLL's corpora; `start` and `end` are the places of their
        characters in the text, or, of a list of words, in the words joined by spaces. A sentence
        that cannot be read has one row, whose `note` says why.

        Args:
            data: a list of sentences, each a text or a list of words; a table, or its file, with a
                column of texts or with the columns of the training data; a file of CoNLL columns;
                or a file with a text a line.
            spans: whether to return the chunks, entities say, in place of the words.
            out: file of CoNLL columns to write: in each line a word, its further columns, and its
                tag. Sentences that cannot be read are left out.

        Returns:
            A row for each word: `sentence` (its number, from 0), `token`, `start`, `end`, `tag`,
            `probability` of the tag, and `note`. Or a row for each chunk: `sentence`, `text`,
            `start`, `end`, `type`, `probability` (the lowest of its words), and `note`. Further
            columns of tags (of words alone) and the label of the sentence are in columns of their
            names, each with its probability in `NAME probability`.

        Raises:
            ValueError: if the data cannot be read as a whole.
            FileNotFoundError: if there is no such file.
        """
        require_bool(spans=spans)
        if out is not None:
            paths.output_file(out, "out")  # before the work
        tagged = self._tagged(data)
        if out is not None:
            tagged.write(out)
        return tagged.spans() if spans else tagged.words()

    def highlight(
        self, data: list[str] | list[list[str]] | str | os.PathLike[str] | pd.DataFrame
    ) -> Highlighted:
        """Show sentences with their chunks in colours, in a notebook.

        Args:
            data: as in `tag`.

        Returns:
            An object that a notebook shows as HTML; elsewhere it is a text with brackets.
        """
        return self._tagged(data).highlighted()

    def mistakes(self) -> pd.DataFrame:
        """The wrong tags of the test part in which the model had most confidence.

        Returns:
            A row for each: the words `before`, the `token`, the words `after`, its `true` and its
            `predicted` tag, and the `probability` of the latter.
        """
        import pandas as pd

        return pd.DataFrame(
            self.metrics["mistakes"],
            columns=["before", "token", "after", "true", "predicted", "probability"],
        )

    def types(self) -> pd.DataFrame:
        """Precision, recall and F1 of each type on the test part.

        Returns:
            A row for each type, or for each tag where tags have no chunks: `f1`, `precision`,
            `recall` and `count`, the number of chunks of the type.
        """
        import pandas as pd

        table = pd.DataFrame.from_dict(
            self.metrics["types"],
            orient="index",
            columns=["f1", "precision", "recall", "count"],
        )
        return table.rename_axis("type").reset_index()

    def figures(self) -> dict[str, Figure]:
        from kerasseq.evaluation import plots as shared
        from kerasseq.tasks.tagging import plots

        confusion = self.metrics["confusion"]
        figures = {
            **super().figures(),
            "confusion": shared.confusion_matrix(confusion["counts"], confusion["types"]),
        }
        if self.resolved.crf:
            figures["transitions"] = plots.transitions(self.model, self.state["data_info"]["tags"])
        return figures

    def _tagged(self, data: Any) -> TaggedTexts:
        from kerasseq.tasks.tagging.tagging import tag_new

        return tag_new(self.task, self.model, self.state, self.resolved, data)
