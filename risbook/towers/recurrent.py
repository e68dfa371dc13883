"""A text network that starts from random weights: word vectors and a gated recurrent network.

The classic reading of an expression (Hu et al., 2016, "Segmentation from natural language
expressions", section 3.2, uses an LSTM; a GRU does the same with fewer parameters).
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from risbook.towers.features import TextFeatures


class RecurrentTower(nn.Module):
    """Reads the words in both directions and keeps the two last states as the sentence.

    Args:
        vocabulary: number of word ids; id 0 is padding.
        word_width: width of a word vector.
        width: width C of the features, both directions together.
        dropout: dropout on the word vectors.
    """

    def __init__(
        self, *, vocabulary: int, word_width: int = 96, width: int = 192, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, word_width, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.reader = nn.GRU(word_width, width // 2, batch_first=True, bidirectional=True)
        self.width = width

    def forward(self, tokens: Tensor) -> TextFeatures:
        """Run the tower.

        Args:
            tokens: word ids (B, L), 0 where padded.

        Returns:
            Words (B, L, C), sentence (B, C) and padding (B, L). The sentence does not depend on
            how far a row was padded.
        """
        padding = tokens == 0
        # A sentence without one known word still has to be read: it counts as one padding token.
        lengths = (~padding).sum(dim=1).clamp(min=1).cpu()
        vectors = self.dropout(self.embedding(tokens))
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        states, last = self.reader(packed)
        words, _ = pad_packed_sequence(states, batch_first=True, total_length=tokens.shape[1])
        sentence = torch.cat([last[0], last[1]], dim=-1)
        return TextFeatures(words=words, sentence=sentence, padding=padding)
