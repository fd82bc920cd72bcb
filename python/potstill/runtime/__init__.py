"""Running models: `model` is the public face, `backends` do the work."""
