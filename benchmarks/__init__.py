"""How fast the workbench is, each part beside its floor: what `workbench bench` runs.

Every module in `rows` is a row of the benchmark: a function `measure(effort)` that yields figures.
It is a package of its own because a trial's result carries a hash of the workbench's source, and
what only times it should not make results look stale.
"""
