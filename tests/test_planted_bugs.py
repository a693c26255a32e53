"""A verification test that cannot fail is a defect: each planted bug must turn the generated suite red, and be named."""

import pytest
from conftest import run

# file, what stands there, what is planted, the test that must catch it
BUGS = {
    "parameter never used": (
        "model.py",
        "        self.classifier =",
        "        self.unused = nn.Linear(3, 3)\n        self.classifier =",
        "test_every_parameter_gets_a_finite_gradient",
    ),
    "detached branch": (
        "model.py",
        "self.features(images)",
        "self.features(images).detach()",
        "test_every_parameter_gets_a_finite_gradient",
    ),
    "parameter outside the optimizer": (
        "procedure.py",
        "    def step(",
        "    def configure_optimizers(self):\n        return self.optimizer(self.model.classifier.parameters())\n\n    def step(",
        "test_one_step_changes_every_parameter",
    ),
    "softmax before cross-entropy": (
        "model.py",
        "return self.classifier(features)",
        "return self.classifier(features).softmax(-1)",
        "test_one_batch_can_be_overfitted",
    ),
    "loss with the wrong sign": (
        "loss.py",
        '{"loss": cross_entropy}',
        '{"loss": -cross_entropy}',
        "test_loss_at_initialisation",
    ),
    "sum instead of mean": (
        "loss.py",
        "F.cross_entropy(logits, labels,",
        'F.cross_entropy(logits, labels, reduction="sum",',
        "test_loss_at_initialisation",
    ),
    "softmax over the batch": (
        "loss.py",
        "F.cross_entropy(logits, labels,",
        "F.cross_entropy(logits.log_softmax(0), labels,",
        "test_loss_is_cross_entropy",
    ),
    "weights that the checkpoint misses": (
        "model.py",
        "        features = self.features(images)",
        "        self.seen = getattr(self, 'seen', 0) + self.training\n        images = images * (1 + self.seen)\n        features = self.features(images)",
        "test_checkpoint_holds_the_model",
    ),
    "a pickled object in the checkpoint": (
        "procedure.py",
        "    def step(",
        "    def on_save_checkpoint(self, checkpoint):\n        checkpoint['model'] = self.model\n\n    def step(",
        "test_checkpoint_holds_the_model",
    ),
    "seed that does not reach the data": (
        "data.py",
        "    def train_dataloader(self) -> DataLoader:\n",
        "    def train_dataloader(self) -> DataLoader:\n        torch.seed()\n",
        "test_same_seed_same_batches",
    ),
    "weights from a seed of their own": (
        "model.py",
        "        super().__init__()\n        self.features",
        "        super().__init__()\n        __import__('torch').manual_seed(7)\n        self.features",
        "test_same_seed_same_weights",
    ),
    "test images in training": (
        "data.py",
        "self.train, self.val, self.test = dataset(x_train, y_train)",
        "self.train, self.val, self.test = dataset(x, y)",
        "test_no_sample_in_two_splits",
    ),
    "split that is not stratified": ("data.py", "stratify=labels, ", "", "test_labels_are_as_stated"),
    "not a number in the data": (
        "data.py",
        "            return InMemory(images",
        "            images[3, 3] = float('nan')\n            return InMemory(images",
        "test_batches_are_finite",
    ),
    "argument that the class does not have": (
        "loss.py",
        "smoothing: float = 0.0",
        "epsilon: float = 0.0",
        "test_option_composes_and_builds",
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_generated_suite_catches(repo, bug):
    name, before, after, catcher = BUGS[bug]
    path = repo / "src/my_paper" / name
    text = path.read_text()
    assert text.count(before) == 1, "the bug has no place to be planted in"
    path.write_text(text.replace(before, after))
    done = run("pytest", "-q", "--no-header", "-k", catcher, cwd=repo, ok=False)
    assert any(line.startswith("FAILED") and catcher in line for line in done.stdout.splitlines()), done.stdout[-3000:]
