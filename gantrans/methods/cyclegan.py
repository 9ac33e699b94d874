"""CycleGAN (Zhu et al. 2017): translation there and back without pairs, held together by the round trip."""

from __future__ import annotations

from torch import Tensor

from gantrans.losses.pixel import l1
from gantrans.methods.adversary import Adversary, Restraint
from gantrans.methods.base import Phase, Role, check_counts, check_weights, reported, total
from gantrans.nets.pool import HistoryPool
from gantrans.types import Batch, Metrics, Networks, Shapes

# way -> the domain it starts from, the one it makes, and the generator that leads back
WAYS = {"to_target": ("source", "target", "to_source"), "to_source": ("target", "source", "to_target")}


class CycleGAN:
    """Two generators, two discriminators; batches whose source and target have nothing to do with each other.

    generators: for each way lambda_gan * GAN; the round trips lambda_source * |to_source(to_target(s)) - s|
    and lambda_target * |to_target(to_source(t)) - t| (equations 1 to 3); and identity: a generator leaves an
    image of the kind that it makes as it is, weighed lambda_identity times the round trip (section 5.2).
    discriminators: (real + fake) / 2 each, fakes out of a history of `pool` images (0: the newest). The
    generators learn first, as in the reference implementation. `gan`: vanilla, lsgan, hinge or wgan.

    Reports, for each domain, what methods/adversary.py does (D_real_target, ...), and G_GAN_target (the
    output's), G_cycle_source, G_identity_target, each times its weight.
    """

    learns_from = "unpaired"

    def __init__(
        self,
        gan: str = "lsgan",
        lambda_gan: float = 1.0,
        lambda_source: float = 10.0,
        lambda_target: float = 10.0,
        lambda_identity: float = 0.5,
        pool: int = 50,
        restraint: Restraint | None = None,
    ) -> None:
        check_weights(lambda_gan=lambda_gan, lambda_source=lambda_source)
        check_weights(lambda_target=lambda_target, lambda_identity=lambda_identity)
        if lambda_gan == lambda_source == lambda_target == 0:
            raise ValueError("lambda_gan, lambda_source and lambda_target are all 0: nothing to learn from")
        check_counts(least=0, most=10_000, pool=pool)
        self.adversary = Adversary(gan, restraint)
        self.lambda_gan = lambda_gan
        self.lambda_cycle = {"source": lambda_source, "target": lambda_target}
        self.lambda_identity = lambda_identity
        self.pool = pool
        update = Phase("discriminators", trains=("target_discriminator", "source_discriminator"))
        self.roles = (*_networks(), *self._pools(), *self.adversary.roles(*update.trains))
        generators = Phase("generators", trains=("to_target", "to_source"))
        self.phases = (generators, *self.adversary.with_penalty(update))

    def _pools(self) -> tuple[Role, ...]:
        def make(domain: str, shapes: Shapes) -> HistoryPool:
            channels, side = shapes[domain]
            if side is None:
                raise ValueError(
                    f"pool={self.pool} keeps images of one size: set augment.crop=N, or method.pool=0"
                )
            return HistoryPool(self.pool, channels, side, side)

        if not self.pool:
            return ()
        return (
            Role("target_pool", "helper", build=lambda _, shapes: make("target", shapes)),
            Role("source_pool", "helper", build=lambda _, shapes: make("source", shapes)),
        )

    def check(self, shapes: Shapes) -> None:
        """Raise ValueError where the domains do not suit the losses."""
        if self.lambda_identity and shapes["source"][0] != shapes["target"][0]:
            raise ValueError(
                f"lambda_identity={self.lambda_identity} gives a generator images of the kind it makes, but "
                f"source has {shapes['source'][0]} channels and target {shapes['target'][0]}; set it to 0"
            )

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        shared = {}
        for way, (start, _, back) in WAYS.items():
            shared[way] = networks[way](getattr(batch, start))
            shared[f"cycle_{start}"] = networks[back](shared[way])
        return shared

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        if phase.name == "generators":
            return self._generators_loss(phase, networks, batch, shared)
        if phase.name == "r1":
            terms = {
                f"D_r1_{made}": self.adversary.r1_loss(
                    networks, f"{made}_discriminator", [getattr(batch, made)]
                )
                for _, made, _ in WAYS.values()
            }
            return total(terms), reported(terms)
        return self._discriminators_loss(networks, batch, shared)

    def _generators_loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        terms = {}
        for way, (start, made, _) in WAYS.items():
            weight, given = self.lambda_cycle[start], getattr(batch, start)
            if phase.adversarial and self.lambda_gan:
                gan = self.adversary.generator_loss(networks, f"{made}_discriminator", [shared[way]])
                terms[f"G_GAN_{made}"] = self.lambda_gan * gan
            terms[f"G_cycle_{start}"] = weight * l1(shared[f"cycle_{start}"], given)
            if self.lambda_identity:
                own = getattr(batch, made)
                scale = self.lambda_cycle[made] * self.lambda_identity
                terms[f"G_identity_{made}"] = scale * l1(networks[way](own), own)
        return total(terms), reported(terms)

    def _discriminators_loss(
        self, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        losses, metrics = [], {}
        for way, (_, made, _) in WAYS.items():
            fake = shared[way].detach()
            fake = networks[f"{made}_pool"](fake) if self.pool else fake
            role, real = f"{made}_discriminator", getattr(batch, made)
            loss, parts = self.adversary.discriminator_loss(networks, role, [real], [fake], suffix=f"_{made}")
            losses.append(loss)
            metrics |= parts
        return losses[0] + losses[1], metrics


def _networks() -> tuple[Role, ...]:
    generators = tuple(Role(way, "generator", (start,), made) for way, (start, made, _) in WAYS.items())
    return (
        *generators,
        *(Role(f"{made}_discriminator", "discriminator", (made,)) for _, made, _ in WAYS.values()),
    )
