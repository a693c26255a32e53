"""The machinery around the paper. It never imports the paper's files; it meets them through ``_target_`` in ``configs/``.

command.py     Hydra's main for our commands: starts at once, says what was probably meant
identity.py    where the repository lies, and what names a run
procedure.py   what every training procedure shares; PaperProcedure inherits from it
schedules.py   learning-rate schedules, named by configs/scheduler/
training/      from a configuration to a tested checkpoint: run.py tells the story of a run
verification/  comparison with a reference implementation
evidence/      what the runs prove: records, claims, sources, citations
reporting/     how it is shown: terminal, Markdown, figures, HTML
reading/       what the paper states, found by patterns and proposed: python read.py

``command``, ``identity``, ``evidence``, ``reporting`` and ``reading`` do not need PyTorch.
"""
