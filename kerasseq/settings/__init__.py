"""Settings of recipes: each is declared once, with its type, default, limits and search range."""

from kerasseq.settings.annotations import members
from kerasseq.settings.checks import (
    check,
    listed,
    one_of,
    raise_faults,
    require_bool,
    require_positive,
    unknown,
)
from kerasseq.settings.declaration import (
    Setting,
    Settings,
    Stage,
    declared,
    doc,
    documentation,
    names,
    setting,
    visible,
)
from kerasseq.settings.ranges import Choice, Conditional, Float, Int, Range

__all__ = [
    "Choice",
    "Float",
    "Range",
    "Setting",
    "Stage",
    "Settings",
    "Conditional",
    "Int",
    "check",
    "declared",
    "doc",
    "documentation",
    "listed",
    "members",
    "names",
    "one_of",
    "require_bool",
    "require_positive",
    "raise_faults",
    "setting",
    "unknown",
    "visible",
]
