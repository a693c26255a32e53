"""The machinery around the paper: training, checkpoints, records, evaluation and the report.

Nothing here imports the paper's files; it meets them through the ``_target_`` entries of ``configs/``.
``settings``, ``records`` and ``report`` do without torch, so that the commands answer at once.
"""
