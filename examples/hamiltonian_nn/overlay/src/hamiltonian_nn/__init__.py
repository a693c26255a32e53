"""Implementation of: Hamiltonian Neural Networks

Authors: Sam Greydanus, Misko Dzamba, Jason Yosinski
Paper: https://arxiv.org/abs/1906.01563
Official code: https://github.com/greydanus/hamiltonian-nn

This implementation covers:
    - [x] Section 2: the architecture (model.py)
    - [x] Section 2: the objective (loss.py)
    - [x] Section 3.1: the training procedure (procedure.py, configs/experiment/paper.yaml)
    - [x] Section 3, Task 1: the data and its splits (data.py)
    - [x] Section 3.1: how results are measured (metrics.py, configs/paper.yaml)
    Of Table 1, Task 1, both rows. The other tasks are left out.

Known differences from paper:
    - H = q² + p², initial radii for energies, noise of standard deviation 0.1, weight decay, initialisation and the starts of
      the energy metric are those of the official code: with the text's own data the losses of Table 1 cannot come out
      (PAPER.md, Ambiguities).
    - The sample is ours, one for each seed: we do not have the paper's.
    - Trajectories of the data, and the true energy, are exact instead of integrated: the flow is a rotation.
    - The energy metric integrates in float64, since float32 cannot resolve a tolerance of 1e-9.

Reproduction status:
    not started: python train.py experiment=paper, then python report.py
"""
