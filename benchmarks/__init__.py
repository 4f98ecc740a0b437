"""Speed of the workbench, each part compared with its lower bound: the code of `workbench bench`.

Every module in `rows` is a row of the benchmark: a function `measure(effort)` that yields figures.
The package is separate, because a trial's result holds a hash of the workbench's source, and code
that only measures time should not make results look stale.
"""
