"""First the teacher, then the student."""

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Section 3: the teacher is trained for some epochs, and frozen then."""

    def __init__(self, teacher_epochs: int, **parts):
        super().__init__(**parts)
        self.teacher_epochs = teacher_epochs

    def on_train_epoch_start(self):
        if self.current_epoch >= self.teacher_epochs:
            self.model.taught.fill_(True)
            self.model.teacher.requires_grad_(False)

    def step(self, batch, metrics):
        x, y = batch
        logits = self.model(x)
        metrics.update(logits, y)
        soft = self.model.teacher(x).detach() if self.model.taught and self.training else None
        return self.loss(logits, y, soft)
