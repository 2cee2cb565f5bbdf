"""Trains an open image model on a reviewed dataset with LoRA, and draws with it: ``python -m trainer --root DIR``.

It knows nothing of AWS: it reads one folder and writes another, laid out as SageMaker lays them out.
"""

import os

# Read as the library is imported; it would warn of image processors that nothing here uses.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
