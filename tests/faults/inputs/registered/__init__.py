"""A package that registers Gymnasium environments when its module `games` is imported."""
