"""How discriminators judge a fixed batch of training images, real and translated: their logits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from gantrans.data.stream import RawBatch, batches
from gantrans.nets.norm import set_norm_statistics
from gantrans.training.job import Job

MOST = 8  # images of the batch


def fixed_batch(job: Job) -> RawBatch:
    """The first training examples, the same in every sitting."""
    stream = batches(job.train, batch_size=min(MOST, job.batch_size), first_step=0, workers=0)
    with closing(stream):  # type: ignore[type-var]
        return next(stream)


def judges(job: Job) -> bool:
    """Whether the method has a discriminator."""
    return any(role.kind == "discriminator" for role in job.method.roles)


def logits(job: Job, raw: RawBatch) -> dict[str, np.ndarray]:
    """ "ROLE/real" and "ROLE/fake" -> all logits of that batch, flat float32; fakes are the averaged
    generator's. Batch norm takes the statistics of each image, where it can; nothing of the state changes."""
    batch, networks = job.core.prepare(raw), job.state.networks
    domains, found = {"source": batch.source, "target": batch.target}, {}
    with torch.no_grad(), job.core.autocast:
        for role in job.method.roles:
            maker = next((r for r in job.method.roles if role.sees and r.makes == role.sees[-1]), None)
            if role.kind != "discriminator" or maker is None:
                continue
            fake = job.state.averages[maker.name].eval()(domains[maker.sees[0]])
            given = [domains[domain] for domain in role.sees]
            with _looking_on(networks[role.name]) as judge:
                found[f"{role.name}/real"] = _flat(judge.forward(torch.cat(given, 1)))
                found[f"{role.name}/fake"] = _flat(judge.forward(torch.cat([*given[:-1], fake], 1)))
    return found


@contextmanager
def _looking_on(network: nn.Module) -> Iterator[nn.Module]:
    """The network in eval mode; then every module is as it was."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        try:
            set_norm_statistics(network, "image")
        except ValueError:
            set_norm_statistics(network, "running")  # a batch norm of the user's own knows only these
        yield network
    finally:
        for module, training in modes:
            module.training = training


def _flat(output: Tensor | list[Tensor]) -> np.ndarray:
    parts = [output] if isinstance(output, Tensor) else output
    return torch.cat([part.reshape(-1) for part in parts]).float().cpu().numpy()
