"""Implementation of: Grokking: Generalization Beyond Overfitting on Small Algorithmic Datasets

Authors: Alethea Power, Yuri Burda, Harri Edwards, Igor Babuschkin, Vedant Misra
Paper: https://arxiv.org/abs/2201.02177
Official code: https://github.com/openai/grok

This implementation covers:
    - [x] Appendix A.1.2: the architecture (model.py)
    - [x] Appendix A.1.2: the objective (loss.py)
    - [x] Appendix A.1.2: the training procedure (procedure.py, configs/experiment/paper.yaml)
    - [x] Appendix A.1.1: the data and its splits (data.py)
    - [x] Figure 1: how results are measured (metrics.py, procedure.py, configs/paper.yaml)
    Of Figure 1, division modulo 97 with half of the table. The other operations, fractions and optimizers are left out.

Known differences from paper:
    - Training ends with the first validation above 99.9 %, not after 10⁵ updates, which would take three hours.
      The claim is at which update 99 % is exceeded; no later update can change that. What the accuracy would be after all of
      the budget is not measured.
    - Training accuracy is that of an epoch, 10 updates, while the weights move; validation is measured every 100 updates.
    - Layer norm before each part, sinusoidal positions, GELU, no biases, no dropout, untied weights, decay of all parameters
      and the initialisation are our choices: the paper does not state them.

Reproduction status:
    not started: python train.py experiment=paper, then python report.py
"""
