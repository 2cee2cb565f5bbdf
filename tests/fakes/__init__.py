"""In-memory fakes of :mod:`storycast.ports`; the store and the claims pass the adapters' own tests."""
