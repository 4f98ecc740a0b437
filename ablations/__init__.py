"""Studies of many trials: a study file becomes a plan, Ray Tune runs it, and MLflow records it."""
