"""Trains an open image model on a reviewed dataset with LoRA, and draws with it: ``python -m trainer --root DIR``.

It knows nothing of AWS: it reads one folder and writes another, laid out as SageMaker lays them out.
"""
