"""How the paper measures its results."""

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.utilities import dim_zero_cat


def mmd2(x: Tensor, y: Tensor, bandwidth: Tensor | float) -> Tensor:
    """Unbiased estimate of the squared maximum mean discrepancy, Gretton et al. 2012, Lemma 6.

    The kernel is k(a, b) = exp(-|a - b|² / (2 · bandwidth²)).

    Args:
        x, y: two samples of at least two points each.
        bandwidth: in the unit of the points.

    Shapes:
        x (N, D), y (M, D) float; returns a scalar, which is negative about as often as not where both are of one
        distribution.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-(torch.cdist(a, b) ** 2) / (2 * bandwidth**2))  # (N, D), (M, D) -> (N, M)

    def mean_of_pairs(a: Tensor) -> Tensor:
        k = kernel(a, a)
        return (k.sum() - k.trace()) / (len(a) * (len(a) - 1))  # a point with itself would bias the estimate

    return mean_of_pairs(x) + mean_of_pairs(y) - 2 * kernel(x, y).mean()


class SampleQuality(Metric):
    """MMD² between samples and held-out images, and as reference that between real training images and those.

    Why this: with a kernel that is characteristic, as the Gaussian is, no distribution but that of the data has an MMD
    of zero (Gretton et al. 2012). It compares pixels, which mean something in images of 8 × 8, and so needs no network.
    The estimate is unbiased: a perfect sampler is at zero on average, whatever the number of samples. The reference
    says how far from zero chance alone leads with as many real images.

    The bandwidth is the median distance of a training image to its nearest neighbour among them. It depends on no
    sample, so that all models are measured by the same kernel. At the median of all distances, which is usual and more
    than twice as wide, digits are hardly told from a Gaussian with their mean and covariance; at this one they are.

    It does not see memorisation: a sampler that repeats the training images is at the reference.

    Shapes:
        updated with samples, held-out images and training images, each (B, C, H, W) float; computes scalars.
    """

    def __init__(self):
        super().__init__()
        for name in ("samples", "images", "reference"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, samples: Tensor, images: Tensor, reference: Tensor) -> None:
        for kept, batch in ((self.samples, samples), (self.images, images), (self.reference, reference)):
            kept.append(batch.flatten(1).float())  # (B, C, H, W) -> (B, C·H·W)

    def compute(self) -> dict[str, Tensor]:
        """``mmd2`` of the samples and ``mmd2_reference`` of the training images, both against the held-out images."""
        samples, images, reference = (dim_zero_cat(kept) for kept in (self.samples, self.images, self.reference))
        distances = torch.cdist(reference, reference).fill_diagonal_(torch.inf)  # (N, D) -> (N, N)
        bandwidth = distances.amin(dim=1).median()  # -> (N,) -> ()
        return {"mmd2": mmd2(samples, images, bandwidth), "mmd2_reference": mmd2(reference, images, bandwidth)}


class PaperMetrics(MetricCollection):
    """What is measured on samples, in the test alone.

    TODO(paper): the metrics of the paper's table, as defined in Section …. A target in ``configs/paper.yaml`` names
    one of them as ``test/<name>``.
    """

    def __init__(self):
        super().__init__({"sample_quality": SampleQuality()})
