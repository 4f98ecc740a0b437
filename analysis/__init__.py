"""Results to claims: frames, statistics, figures, tables, report."""
