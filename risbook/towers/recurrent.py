"""A text network that is trained from scratch: word vectors and a gated recurrent network.

The text encoder of the first systems (Hu et al., 2016, "Segmentation from natural language
expressions", section 3.2, uses an LSTM; a GRU does the same with fewer parameters).
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from risbook.tokenizers.sentence_tokenizer import padding_mask
from risbook.towers.features import TextFeatures


class RecurrentTower(nn.Module):
    """A bidirectional GRU over word vectors; the two last states are the sentence embedding.

    Args:
        vocab_size: number of token ids; id 0 is padding.
        word_dim: channels of a word vector.
        embed_dim: T, channels of the features, both directions together.
        dropout: probability that a channel of a word vector is dropped in training.
    """

    def __init__(
        self, *, vocab_size: int, word_dim: int = 96, embed_dim: int = 192, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, word_dim, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(word_dim, embed_dim // 2, batch_first=True, bidirectional=True)
        self.embed_dim = self.output_dim = embed_dim

    def forward(self, token_ids: Tensor) -> TextFeatures:
        """Run the tower.

        Args:
            token_ids: (B, L), 0 where padded.

        Returns:
            Text tokens (B, L, T), sentence embedding (B, T) and key padding mask (B, L). The
            embedding does not depend on the amount of padding.
        """
        padding = padding_mask(token_ids)
        # The GRU needs at least one token: a sentence without a known word is one padding token.
        lengths = (~padding).sum(dim=1).clamp(min=1).cpu()
        vectors = self.dropout(self.embedding(token_ids))
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        states, last = self.gru(packed)
        text_tokens, _ = pad_packed_sequence(
            states, batch_first=True, total_length=token_ids.shape[1]
        )
        sentence_embedding = torch.cat([last[0], last[1]], dim=-1)
        return TextFeatures(
            text_tokens=text_tokens, sentence_embedding=sentence_embedding, key_padding_mask=padding
        )
