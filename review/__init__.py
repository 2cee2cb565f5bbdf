"""The review page: people look at a run's pictures and captions, and decide what is trained on."""
