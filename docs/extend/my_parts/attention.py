"""An attention of my own."""

from torch import Tensor
from torch.nn import functional

from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.attention import Attention


class CosineAttention(Attention):
    """The cosine of query and key (Graves, Wayne and Danihelka 2014, equation 6).

    Args:
        query_size: Width of the query; the decoder gives it.
        memory_size: Width of the memory; the decoder gives it.
        temperature: What cosines are divided by before the softmax.
    """

    def __init__(self, query_size: int, memory_size: int, temperature: float = 0.1) -> None:
        super().__init__(query_size, memory_size, temperature)
        self.key_projection = Linear(memory_size, query_size, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        """The keys, of length 1: what depends on the memory alone is made once per sentence."""
        return functional.normalize(self.key_projection(memory), dim=-1)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """``(batch, 1, target_len, source_len)``."""
        return (functional.normalize(query, dim=-1) @ keys.transpose(1, 2))[:, None]
