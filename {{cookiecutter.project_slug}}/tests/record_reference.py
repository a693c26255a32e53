"""Write what a PyTorch reference computes to a file that ``Reference("tests/reference.npz")`` reads.

This file stands alone: it needs torch and numpy, from Python 3.7 on. Copy it to where the reference runs, and there

    from record_reference import record
    record("reference.npz", model, images)

or, for the ladder up to the gradients, with what the loss needs beside the output:

    record("reference.npz", model, images, targets=labels, loss=torch.nn.functional.cross_entropy)

Other frameworks write the same names with ``numpy.savez``: ``inputs/0``, ``outputs/0``, ``weights/<name>``, and if
there are any ``modules/<number>/<name>``, the number in the order of execution, ``targets/0``, ``metric/<name>``,
``loss``, ``gradients/<name>``.
"""

import numpy as np
import torch


def _parts(value):
    """The tensors of a tensor, a tuple or a dict, by number or name."""
    if torch.is_tensor(value):
        return {"0": value}
    items = value.items() if hasattr(value, "items") else enumerate(value)
    return {str(name): part for name, part in items if torch.is_tensor(part)}


def record(path, model, inputs, targets=(), loss=None, call=None):
    """Write inputs, outputs, weights and what each module returns, in evaluation mode, in the model's own precision.

    Args:
        path: the file, ``reference.npz``; ``model.double()`` makes the comparison sharper, and it twice as large.
        model: the reference.
        inputs: a tensor, a tuple of arguments or a dict of keyword arguments.
        targets: what the loss takes beside the output, a tensor or a tuple. With them ``PaperProcedure.step`` gets the
            batch ``(*inputs, *targets)``.
        loss: ``loss(output, *targets)``; with it, its gradients are written too.
        call: ``call(model, *inputs)``, where ``model(*inputs)`` does not return what is to be compared.
    """
    found, count, training, state = {}, [], model.training, torch.get_rng_state()

    def keep(room, parts):
        for name, part in parts.items():
            part = part.detach().cpu()
            part = part.float() if part.dtype in (torch.float16, getattr(torch, "bfloat16", None)) else part
            found[room + "/" + name] = part.clone().numpy()

    def hook_of(name):
        def hook(module, args, output):
            parts = _parts(output) if torch.is_tensor(output) or isinstance(output, (tuple, list)) else {}
            if "0" in parts:
                keep("modules", {f"{len(count):04d}/{name}": parts["0"]})
                count.append(name)

        return hook

    keep("inputs", _parts(inputs))
    keep("targets", _parts(targets))
    keep("weights", model.state_dict())
    hooks = [module.register_forward_hook(hook_of(name)) for name, module in model.named_modules() if name]
    try:
        model.eval()
        torch.manual_seed(0)
        # with gradients, for without them torch computes whole transformer layers past their modules
        arguments, named = ((), inputs) if hasattr(inputs, "items") else (tuple(_parts(inputs).values()), {})
        output = call(model, *arguments, **named) if call else model(*arguments, **named)
        keep("outputs", _parts(output))
        if loss:
            model.zero_grad()
            value = loss(output, *_parts(targets).values())
            value.backward()
            found["loss"] = value.detach().cpu().numpy()
            trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
            keep("gradients", {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in trained})
            model.zero_grad()
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)
        torch.set_rng_state(state)
    np.savez_compressed(path, **found)
