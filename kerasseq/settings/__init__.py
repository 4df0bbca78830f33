"""Settings of recipes: each is declared once, with its type, default, limits and search range."""

from kerasseq.settings.annotations import union_members
from kerasseq.settings.checks import (
    check,
    raise_faults,
    require_bool,
    require_choice,
    require_list,
    require_positive,
    unknown_setting,
)
from kerasseq.settings.declaration import (
    Setting,
    Settings,
    Stage,
    declarations_of,
    doc,
    documentation,
    names,
    restrict_to,
    setting,
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
    "declarations_of",
    "doc",
    "documentation",
    "require_list",
    "union_members",
    "names",
    "require_choice",
    "require_bool",
    "require_positive",
    "raise_faults",
    "setting",
    "unknown_setting",
    "restrict_to",
]
