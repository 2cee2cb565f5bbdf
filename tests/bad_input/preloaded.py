"""What every case's process has in memory before it begins."""

import cli.main
import tests.bad_input.corpus

LOADED = (cli.main, tests.bad_input.corpus.all_cases())
