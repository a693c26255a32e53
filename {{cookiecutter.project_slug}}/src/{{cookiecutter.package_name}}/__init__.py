{%- from 'text.jinja' import docstring -%}
{%- import cookiecutter.task ~ '.jinja' as task with context -%}
"""Implementation of: {{ docstring(cookiecutter.title).rstrip() }}

Authors: {{ docstring(cookiecutter.authors).rstrip() or 'TODO(paper)' }}
Paper: {{ docstring(cookiecutter.paper_url).rstrip() or 'TODO(paper)' }}
Official code: {{ docstring(cookiecutter.official_code).rstrip() or 'TODO(paper)' }}

This implementation covers:
    - [ ] Section …: the architecture (model.py)
    - [ ] Section …: the objective (loss.py)
    - [ ] Section …: the training procedure (procedure.py, configs/experiment/paper.yaml)
    - [ ] Section …: the data and its splits (data.py)
    - [ ] Section …: how results are measured (metrics.py, configs/paper.yaml)
    TODO(paper): the sections that it covers; tick what is done and tested. What is left out is a known difference.

Known differences from paper:
    - {{ task.stand_in }}
    TODO(paper): every difference, with its reason.

Reproduction status:
    not started: python train.py experiment=paper, then python report.py
"""
