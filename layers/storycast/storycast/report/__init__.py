"""The run's report: one self-contained page that tells what a run did, found, made and cost.

Needs NumPy, Pillow and Jinja2.

:mod:`~storycast.report.material` reads what the run has left, :mod:`~storycast.report.accounts` adds up what it
cost, the other modules make each a part of the page, and :mod:`~storycast.report.page` puts them together.
"""
