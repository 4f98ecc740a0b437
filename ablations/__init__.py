"""Many trials: a study file becomes a plan, Ray Tune runs it, a ledger and MLflow remember it."""
