"""The Projector: the sentence writes a small convolution, and the convolution draws the mask.

ETRIS (Xu et al., 2023), section 3.4, after CRIS (Wang et al., 2022); released code. The paper's
text-to-pixel contrast is this: each position is compared with the sentence, and binary
cross-entropy says whether they belong together.
"""

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from risbook.decoder.convolutions import conv_norm_relu


class Projector(nn.Module):
    """Twice as large, twice, and then a convolution whose weights come from the sentence.

    Args:
        sentence_width: width S of the sentence vector.
        width: channels C that the sentence's convolution sees; the incoming map has 2 C.
        kernel: side of its kernel, odd.
        inputs: channels of the incoming map, if not 2 C.
    """

    def __init__(
        self,
        *,
        sentence_width: int,
        width: int = 256,
        kernel: int = 3,
        inputs: int | None = None,
    ) -> None:
        super().__init__()
        inputs = 2 * width if inputs is None else inputs
        self.kernel = kernel
        self.vis = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            conv_norm_relu(inputs, inputs, 3),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            conv_norm_relu(inputs, width, 3),
            nn.Conv2d(width, width, 1),
        )
        self.txt = nn.Linear(sentence_width, width * kernel**2 + 1)

    def forward(
        self, features: Tensor, sentence: Tensor, *, record: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Draw the mask.

        Args:
            features: map (B, inputs, H, W), with 2 C channels unless said otherwise.
            sentence: (B, S).
            record: gets "pixels" (B, C, 4 H, 4 W), what the sentence's convolution sees.

        Returns:
            Logits (B, 1, 4 H, 4 W).
        """
        features = self.vis[:-1](features)
        last = self.vis[-1]
        assert isinstance(last, nn.Conv2d)
        if record is not None:
            record["pixels"] = last(features)
        written: Tensor = self.txt(sentence)
        kernels = rearrange(written[:, :-1], "b (c tap) -> b tap c", tap=self.kernel**2)
        # The released code convolves with 1x1, then with the sentence's kernel, one group a
        # sample. Two linear maps in a row are one: the kernel is multiplied by the 1x1 weight
        # instead of the whole map. One product gives each position's share in the results of its
        # kernel x kernel neighbours; `fold` adds them up, and drops what lies outside.
        weight, bias = last.weight.flatten(1), last.bias
        assert bias is not None
        shares = (kernels @ weight) @ features.flatten(2) + (kernels @ bias)[..., None]
        logits = F.fold(shares.flip(1), features.shape[-2:], self.kernel, padding=self.kernel // 2)
        return logits + written[:, -1, None, None, None]
