"""Implementation of: Neural Networks and the Chomsky Hierarchy

Authors: Gregoire Deletang, Anian Ruoss, Jordi Grau-Moya, Tim Genewein, Li Kevin Wenliang, Elliot Catt, Chris Cundy, Marcus Hutter, Shane Legg, Joel Veness, Pedro A. Ortega
Paper: https://arxiv.org/abs/2207.02098
Official code: https://github.com/google-deepmind/neural_networks_chomsky_hierarchy

This implementation covers:
    - [x] Appendix A.2: RNN and LSTM (model.py)
    - [x] Section 4: the objective (loss.py)
    - [x] Section 4 and Appendix A.4: the training procedure (procedure.py, configs/experiment/paper.yaml)
    - [x] Appendix A.3: Parity Check and Cycle Navigation (data.py)
    - [x] Appendix A.4: the score (metrics.py, configs/paper.yaml)
    Of Table 2, level R: these two tasks and networks. Its other tasks, levels and networks are left out.

Known differences from paper:
    - Training ends when strings of its own lengths are learned, after 20,000 steps at the latest (the LSTM on Cycle
      Navigation: 6000), and not after 1,000,000 (Appendix A.4).
    - The maximum of three seeds at one learning rate, where the paper's is of 10 seeds and three rates.
    - 32 test strings for each length, where the official code has 512.

Reproduction status:
    not started: python train.py experiment=paper, then python report.py
"""
