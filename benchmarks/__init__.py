"""The figures of the README and of docs/, each by one command: `python -m benchmarks.NAME`.

A benchmark measures through `rows.measured` and has a function `table(rows)` that renders its rows
as Markdown; `python -m benchmarks.readme` puts those tables into the pages.
"""
