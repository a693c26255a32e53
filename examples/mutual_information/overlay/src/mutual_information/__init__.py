"""Implementation of: Understanding the Limitations of Variational Mutual Information Estimators

Authors: Jiaming Song, Stefano Ermon
Paper: https://arxiv.org/abs/1910.06222
Official code: https://github.com/ermongroup/smile-mi-estimator

This implementation covers:
    - [x] the separable and the joint critic (model.py)
    - [x] CPC, NWJ and SMILE with τ = 1, 5, ∞ (loss.py)
    - [x] the training up the staircase (procedure.py, configs/experiment/paper.yaml)
    - [x] the correlated Gaussians (data.py)
    - [x] bias and variance at each level (metrics.py, configs/paper.yaml)
    Claims about CPC and SMILE(5) with the separable critic. The others run (loss=nwj, model=joint), and claim nothing.

Known differences from paper:
    - Bias and variance are over all iterations of a level: the paper's window is not stated in what we have.
    - The appendix's table is not compared: what we have of it is not confirmed, and of the joint critic.
    - The loss of NWJ, CPC and SMILE is that of the official code; what the text derives is not in our notes.

Reproduction status:
    not started: python train.py experiment=paper, then python report.py
"""
