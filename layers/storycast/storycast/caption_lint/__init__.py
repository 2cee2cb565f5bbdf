"""Caption lint: what a whole set of captions would teach a model that nobody wants it to learn.

A model ties to a name what the captions leave unsaid, since nothing else in the caption accounts for it. What all
captions repeat accounts for nothing any more, and becomes part of the name, too. So captions are judged together,
after the last of them is written and before anything is paid for a training. Entry: :mod:`.linting`.
"""
