"""Implementation of: Set Transformer: A Framework for Attention-based Permutation-Invariant Neural Networks

Authors: Juho Lee, Yoonho Lee, Jungtaek Kim, Adam R. Kosiorek, Seungjin Choi, Yee Whye Teh
Paper: https://arxiv.org/abs/1810.00825
Official code: https://github.com/juho-lee/set_transformer

This implementation covers:
    - [x] Section 3: the architecture (model.py)
    - [x] Section 5.1: the objective (loss.py)
    - [x] Section 5.1: the training procedure (procedure.py, configs/experiment/paper.yaml)
    - [x] Section 5.1: the data and its splits (data.py)
    - [x] Table 1: how results are measured (loss.py, configs/paper.yaml)
    Of Table 1, max regression, four rows. The other experiments, and ISAB, are left out.

Known differences from paper:
    - Attention is divided by √64, without layer norm, and rFF in MAB is one linear layer with ReLU, as in the official code,
      whose PMA has no rFF of its own.
    - The residual of MAB is of the projected X: its elements have one feature, and could not be added to 64.
    - The error is the mean of the last 1000 training steps, on sets that no step had seen: the paper does not state on which.

Reproduction status:
    not started: python train.py experiment=paper, then python report.py
"""
