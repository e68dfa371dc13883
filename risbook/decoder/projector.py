"""The Projector: a convolution whose weights come from the sentence turns the map into a mask.

ETRIS (Xu et al., 2023), section 3.4, after CRIS (Wang et al., 2022); released code. This is the
paper's text-to-pixel contrast: each position is compared with the sentence, and binary
cross-entropy decides whether they belong together.
"""

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.convolutions import conv_norm_relu
from risbook.layers.enlarged_convolution import convolve_enlarged


class Projector(nn.Module):
    """Two enlargements by 2, then a convolution with the sentence's kernel.

    Args:
        sentence_dim: P, channels of the sentence embedding.
        dim: C, input channels of the convolution whose kernel comes from the sentence.
        kernel_size: side k of that kernel, odd.
        in_dim: channels of the map; None for 2 C.

    The result is that of the released code, a convolution with one group per sample:

    >>> import torch
    >>> projector = Projector(sentence_dim=4, dim=2)
    >>> feature_map, sentence_embedding = torch.randn(3, 4, 5, 5), torch.randn(3, 4)
    >>> pixels, weights = projector.vis(feature_map), projector.txt(sentence_embedding)
    >>> kernels, bias = weights[:, :-1].reshape(3, 2, 3, 3), weights[:, -1]
    >>> groups = pixels.reshape(1, 3 * 2, 20, 20)
    >>> released = F.conv2d(groups, kernels, bias, padding=1, groups=3).reshape(3, 1, 20, 20)
    >>> torch.allclose(projector(feature_map, sentence_embedding), released, atol=1e-5)
    True
    """

    def __init__(
        self,
        *,
        sentence_dim: int,
        dim: int,
        kernel_size: int = 3,
        in_dim: int | None = None,
    ) -> None:
        super().__init__()
        in_dim = 2 * dim if in_dim is None else in_dim
        self.kernel_size = kernel_size
        self.vis = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            conv_norm_relu(in_dim, in_dim, 3),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            conv_norm_relu(in_dim, dim, 3),
            nn.Conv2d(dim, dim, 1),
        )
        self.txt = nn.Linear(sentence_dim, dim * kernel_size**2 + 1)

    def forward(
        self,
        feature_map: Tensor,
        sentence_embedding: Tensor,
        *,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Mask logits.

        Args:
            feature_map: (B, in_dim, h, w).
            sentence_embedding: (B, P).
            intermediates: gets "pixels" (B, C, 4 h, 4 w), the input of that convolution.

        Returns:
            (B, 1, 4 h, 4 w).
        """
        enlarged = feature_map  # twice, each time with a convolution, batch norm and ReLU
        for stage in (self.vis[1], self.vis[3]):
            conv, norm, relu = stage.children()
            enlarged = relu(norm(convolve_enlarged(enlarged, conv)))
        conv1x1 = self.vis[-1]
        if intermediates.collecting:
            intermediates["pixels"] = conv1x1(enlarged)
        weights: Tensor = self.txt(sentence_embedding)
        kernel = rearrange(weights[:, :-1], "b (c tap) -> b tap c", tap=self.kernel_size**2)
        # The released code applies the 1x1 convolution, then the sentence's kernel, one group per
        # sample. Two linear maps in a row are one, so the kernel is multiplied by the 1x1 weight,
        # and not the whole map. Each position's share in its k x k neighbours is then one product,
        # and `fold` adds the shares. On one CPU core, forward and backward take a tenth of the time
        # (11 against 131 ms; 8 maps of 96 x 96 with 32 channels). A convolution gathers tap t from
        # p + t, but `fold` scatters channel t to p + t; therefore the taps are mirrored.
        if isinstance(conv1x1, nn.Conv2d) and conv1x1.bias is not None:
            kernel_1x1 = kernel @ conv1x1.weight.flatten(1)
            shares = kernel_1x1 @ enlarged.flatten(2) + (kernel @ conv1x1.bias)[..., None]
        else:  # LoRA changed it
            shares = kernel @ conv1x1(enlarged).flatten(2)
        logits = F.fold(
            shares.flip(1), enlarged.shape[-2:], self.kernel_size, padding=self.kernel_size // 2
        )
        return logits + weights[:, -1, None, None, None]
