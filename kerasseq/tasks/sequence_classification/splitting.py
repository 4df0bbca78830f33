"""Split sequences into a training, a validation and a test part, and tell what scores stand on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.recordings import Sequences
from kerasseq.data.sequences.splits import group_rows, hold_out, make_folds
from kerasseq.tasks.base import Learn, Parts

if TYPE_CHECKING:
    from kerasseq.recipes.sequence_classification import SequenceClassificationSettings

__all__ = ["split"]

_AMONG = " beside the test part"


def split(
    source: Sequences,
    settings: SequenceClassificationSettings,
    *,
    test: bool = True,
    fold: tuple[int, int] | None = None,
    learn: Learn = "train",
) -> Parts:
    """Split sequences; groups are never on both sides, and classes are stratified.

    Args:
        source: all sequences, with the parts that the data has of its own.
        settings: settings of the recipe.
        test: whether the test part is returned.
        fold: number of a fold of cross-validation, and of folds.
        learn: the parts to train on.

    Raises:
        ValueError: if a class or a group is missing in a part that needs it.
    """
    rest, tested, notes = _test_part(source, settings)
    train, validation, rest, more = _validation_part(rest, source.validation, settings, fold)
    notes = [*source.notes, *notes, *more]
    notes += _class_notes(train, validation, tested, source.numeric)
    notes += _group_notes({"training": train, "validation": validation, "test": tested})
    if learn != "train":
        train = rest
    if learn == "all":
        train = rest.joined(tested)
    notes.append(
        f"{len(train):,} sequences to train on, {len(validation):,} to stop by, "
        f"{len(tested):,} to score on"
    )
    return Parts(train, validation, tested if test else None, notes, source.reading)


def _test_part(
    source: Sequences, settings: SequenceClassificationSettings
) -> tuple[Sequences, Sequences, list[str]]:
    """The sequences beside the test part, the test part, and notes on it."""
    if settings.test_groups is not None:
        keep, held = group_rows(source.groups, settings.test_groups)
        note = f"test_groups= in place of the test part of {len(source.test or ()):,} sequences"
        return source.take(keep), source.take(held), [note] if source.test is not None else []
    if source.test is not None:
        return source, source.test, []
    assert isinstance(settings.test, Real)
    keep, held = hold_out(
        source.labels or [],
        source.groups,
        float(settings.test),
        settings.seed,
        numeric=source.numeric,
        windows=None if source.grouped else source.values,
    )
    rest, tested = source.take(keep), source.take(held)
    return rest, tested, _time_notes(source, rest, tested, "test")


def _validation_part(
    rest: Sequences,
    separate: Sequences | None,
    settings: SequenceClassificationSettings,
    fold: tuple[int, int] | None,
) -> tuple[Sequences, Sequences, Sequences, list[str]]:
    """The training part, the validation part, both together, and notes on the split."""
    if fold is None and separate is not None:
        return rest, separate, rest.joined(separate), []
    if separate is not None:
        rest = rest.joined(separate)
    labels = rest.labels or []
    if fold is not None:
        number, folds = fold
        keep, held = make_folds(
            labels,
            rest.groups,
            folds,
            settings.seed,
            numeric=rest.numeric,
            windows=_in_order(rest),
            among=_AMONG,
        )[number]
        return rest.take(keep), rest.take(held), rest, []
    assert isinstance(settings.validation, Real)
    keep, held = hold_out(
        labels,
        rest.groups,
        float(settings.validation),
        settings.seed,
        numeric=rest.numeric,
        spare=True,
        windows=_in_order(rest),
        among=_AMONG,
    )
    train, validation = rest.take(keep), rest.take(held)
    return train, validation, rest, _time_notes(rest, train, validation, "validation")


def _in_order(rest: Sequences) -> Ragged | None:
    """The sequences beside the test part, if they may be split by time; else None.

    The validation part may be the end of the only group that is left, since it is not scored.
    """
    may = not rest.grouped or len({*(rest.groups or [])}) == 1
    return rest.values if may else None


def _time_notes(whole: Sequences, keep: Sequences, held: Sequences, name: str) -> list[str]:
    """A note on recordings, or on an only group, that are split by time."""
    if {*(keep.groups or [])}.isdisjoint(held.groups or []):
        return []
    few = "recordings are too few to be held out as a whole"
    if whole.grouped:
        few = f"there is one group alone beside the test part, {(whole.groups or [])[0]!r}"
    kind = "sequences" if whole.grouped else "windows"
    note = f"{few}: the {name} part has the last {kind}" + " of each class" * (not whole.numeric)
    if overlapping := len(whole) - len(keep) - len(held):
        note += f", and {overlapping:,} {kind} that overlap it are left out"
    return [f"{note}; scores tell less of new recordings" if name == "test" else note]


def _class_notes(
    train: Sequences, validation: Sequences, test: Sequences, numeric: bool
) -> list[str]:
    """Notes on classes that are missing in a part; an error for one that is tested and unknown."""
    if numeric:
        return []
    known = {*(train.labels or [])}
    unknown = sorted({*(test.labels or []), *(validation.labels or [])} - known, key=str)
    if unknown:
        raise ValueError(
            f"no sequence of the training part has the label {', '.join(map(repr, unknown))}: all "
            "of them are in the groups or recordings that are held out. Give more of these, or "
            "leave out groups= or test_groups=."
        )
    absent = sorted(known - {*(validation.labels or [])}, key=str)
    if not absent:
        return []
    return [f"classes without a sequence in the validation part: {', '.join(map(repr, absent))}"]


def _group_notes(parts: Mapping[str, Sequences]) -> list[str]:
    """Notes on groups that two parts share, as separate data may."""
    notes = []
    for (one, first), (other, second) in itertools.combinations(parts.items(), 2):
        if not (first.grouped and second.grouped):
            continue
        shared = sorted({*(first.groups or [])} & {*(second.groups or [])})
        if shared:
            notes.append(
                f"groups that the {one} and the {other} part share: {len(shared):,}, such as "
                f"{shared[0]!r}; scores tell less of new groups"
            )
    return notes
