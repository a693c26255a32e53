"""How the paper measures its results: how well the labels can be read from frozen features."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric, MetricCollection


class FeatureAccuracy(Metric):
    """The share of samples, in [0, 1], whose label is predicted from features, by those of labelled training samples.

    Shapes:
        updated with training features (N, D) float and labels (N,) long, then features (M, D) float and labels (M,)
        long of the samples to predict, all of a split at once.
    """

    higher_is_better = True

    def __init__(self):
        super().__init__()
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, known: Tensor, known_labels: Tensor, features: Tensor, labels: Tensor) -> None:
        predicted = self.predict(known, known_labels, features)
        self.correct += (predicted == labels).sum()
        self.total += len(labels)

    def compute(self) -> Tensor:
        return self.correct / self.total

    def predict(self, known: Tensor, known_labels: Tensor, features: Tensor) -> Tensor:
        """The labels of ``features``: (N, D), (N,), (M, D) -> (M,)."""
        raise NotImplementedError


class KNN(FeatureAccuracy):
    """The most frequent label among the k nearest training features by cosine; the smallest label where two are.

    Args:
        k: neighbours.
    """

    def __init__(self, k: int):
        super().__init__()
        self.k = k

    def predict(self, known: Tensor, known_labels: Tensor, features: Tensor) -> Tensor:
        cosine = F.normalize(features, dim=-1) @ F.normalize(known, dim=-1).T  # (M, D), (D, N) -> (M, N)
        nearest = known_labels[cosine.topk(self.k).indices]  # (M, N) -> (M, k)
        return F.one_hot(nearest).sum(dim=1).argmax(dim=-1)  # (M, k, K) -> (M, K) -> (M,)


class LinearProbe(FeatureAccuracy):
    """Multinomial logistic regression on standardised features, by L-BFGS (Kornblith et al. 2019).

    It minimises what scikit-learn's ``LogisticRegression(C=1 / l2)`` does, on the device of the features; for two
    classes, where that has one vector of weights instead of two, ``C=2 / l2``.

    Args:
        l2: weight of ‖W‖² / (2N) beside the mean cross-entropy; the bias is free.
        max_iter: iterations of L-BFGS at most.
    """

    def __init__(self, l2: float, max_iter: int = 200):
        super().__init__()
        self.l2, self.max_iter = l2, max_iter

    def predict(self, known: Tensor, known_labels: Tensor, features: Tensor) -> Tensor:
        std, mean = torch.std_mean(known, dim=0, correction=0)  # (N, D) -> (D,)
        std = torch.where(std > 1e-6 * std.max(), std, torch.inf)  # what never changed in training says nothing
        weight, bias = self.fit((known - mean) / std, known_labels)
        return F.linear((features - mean) / std, weight, bias).argmax(dim=-1)  # (M, D) -> (M, K) -> (M,)

    @torch.enable_grad()  # for the probe, also in validation and test
    def fit(self, known: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """W and bias of the probe: (N, D), (N,) -> (K, D), (K,)."""
        known, classes = known.detach(), int(labels.max()) + 1
        weight = known.new_zeros(classes, known.shape[1], requires_grad=True)
        bias = known.new_zeros(classes, requires_grad=True)
        lbfgs = torch.optim.LBFGS([weight, bias], max_iter=self.max_iter, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            lbfgs.zero_grad()
            penalty = self.l2 * weight.square().sum() / (2 * len(known))
            loss = F.cross_entropy(F.linear(known, weight, bias), labels) + penalty
            loss.backward()
            return loss

        lbfgs.step(closure)
        return weight.detach(), bias.detach()


class PaperMetrics(MetricCollection):
    """Accuracy of a k-nearest-neighbour classifier and of a linear probe on frozen features.

    TODO(paper): the metrics of the paper's table, as defined in Section …. A target in ``configs/paper.yaml`` names
    one of them as ``test/<name>``.

    Args:
        k: neighbours of ``KNN``.
        l2: of ``LinearProbe``.

    Shapes:
        as ``FeatureAccuracy``.
    """

    def __init__(self, k: int, l2: float):
        # Both count what is correct: where their first counts agree, compute_groups would take them for the same metric
        super().__init__({"knn": KNN(k), "linear": LinearProbe(l2)}, compute_groups=False)
