"""CLIP's text tower: the same as transformers' own, causal, and without a graph where frozen."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from risbook.errors import DataError
from risbook.intermediates import Intermediates
from risbook.towers import transformer_tower
from risbook.towers.text_transformer import TextTransformer

START, END = 28, 29


def make_tower() -> TextTransformer:
    torch.manual_seed(0)
    tower = TextTransformer(
        vocab_size=30, embed_dim=32, depth=4, num_heads=4, context_length=12, output_dim=24
    )
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return tower.eval()


def row(*words: int, length: int) -> Tensor:
    """One sentence: start, words, end, padding."""
    ids = [START, *words, END]
    return torch.tensor([ids + [0] * (length - len(ids))])


def saved(run: Any) -> int:
    """How many tensors a computation keeps for its backward pass."""
    count = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return count


@pytest.mark.parametrize("length", [5, 8, 12])
def test_equal_to_transformers_own_forward_pass(length: int) -> None:
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    tower = make_tower()
    config = CLIPTextConfig(  # activation and norms as they are by default: OpenAI's
        vocab_size=30,
        hidden_size=32,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=12,
        projection_dim=24,
        eos_token_id=END,
    )
    other: Any = CLIPTextModelWithProjection(config)
    other.train(False)
    getattr(other.text_model, "text_model", other.text_model).load_state_dict(
        tower.text.state_dict(), strict=True
    )
    with torch.no_grad():
        other.text_projection.weight.copy_(tower.projection.T)
        tokens = torch.cat([row(3, 4, length=length), row(7, 5, 9, length=length)])
        theirs = other(input_ids=tokens)
        ours = tower(tokens)
    torch.testing.assert_close(ours.text_tokens, theirs.last_hidden_state, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.sentence_embedding, theirs.text_embeds, atol=1e-5, rtol=1e-5)
    assert ours.key_padding_mask.equal(tokens == 0)


@pytest.mark.parametrize("length", [3, 7, 12])
def test_shapes_at_any_length(length: int) -> None:
    features = make_tower()(row(3, length=length).repeat(2, 1))
    assert features.text_tokens.shape == (2, length, 32)
    assert features.sentence_embedding.shape == (2, 24)
    assert features.key_padding_mask.shape == (2, length)


def test_later_words_do_not_change_earlier_states() -> None:
    tower = make_tower()
    first = tower.forward_blocks(tower.embed(row(3, 4, 5, 6, length=8)))
    second = tower.forward_blocks(tower.embed(row(3, 4, 9, length=8)))
    torch.testing.assert_close(first[:, :3], second[:, :3], atol=1e-6, rtol=1e-6)
    assert (first[:, 3:] - second[:, 3:]).abs().amax(dim=-1).min() > 1e-3


def test_padding_behind_the_end_does_not_change_the_sentence() -> None:
    tower = make_tower()
    short, long = tower(row(3, 4, length=4)), tower(row(3, 4, length=12))
    torch.testing.assert_close(
        short.sentence_embedding, long.sentence_embedding, atol=1e-6, rtol=1e-6
    )
    torch.testing.assert_close(short.text_tokens, long.text_tokens[:, :4], atol=1e-6, rtol=1e-6)
    projected = short.text_tokens[:, 3] @ tower.projection  # the sentence lies at the end token
    torch.testing.assert_close(short.sentence_embedding, projected)


def test_blocks_can_be_run_in_groups() -> None:
    tower = make_tower()
    tokens = row(3, 4, 5, length=9)
    intermediates = Intermediates()
    whole = tower(tokens, intermediates=intermediates)
    states = tower.embed(tokens)
    assert states.equal(intermediates["embedded"])
    for start, stop in ((0, 1), (1, 3), (3, None)):
        states = tower.forward_blocks(states, start, stop)
    torch.testing.assert_close(states, intermediates["stages.3"])
    assert whole.text_tokens.equal(intermediates["final"])
    torch.testing.assert_close(tower.final_features(states, tokens).text_tokens, whole.text_tokens)
    assert len(tower.blocks) == 4


def test_both_forms_of_attention_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    tower = make_tower()
    tokens = row(3, 4, 5, length=9)
    answers = []
    for fused in (True, False):
        monkeypatch.setattr(transformer_tower, "fused_is_faster", lambda like, f=fused: f)
        answers.append(tower(tokens).text_tokens)
    torch.testing.assert_close(*answers, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("grad", [False, True])
def test_it_runs_in_bf16(grad: bool) -> None:
    tower = make_tower()
    tokens = row(3, 4, 5, length=9)
    exact = tower(tokens).sentence_embedding.detach()
    with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16):
        mixed = tower(tokens).sentence_embedding
    with torch.set_grad_enabled(grad):
        rounded = tower.to(torch.bfloat16)(tokens).sentence_embedding
    for answer in (mixed, rounded):
        assert answer.dtype == torch.bfloat16
        assert torch.nn.functional.cosine_similarity(answer.float(), exact).item() > 0.99


def test_a_frozen_tower_builds_no_graph() -> None:
    tower = make_tower().requires_grad_(False)
    tokens = row(3, 4, 5, length=9)
    assert saved(lambda: tower(tokens)) == 0
    features = tower(tokens)
    assert features.text_tokens.grad_fn is None
    assert features.sentence_embedding.grad_fn is None


def test_the_graph_begins_at_the_first_tuned_block() -> None:
    tower = make_tower().requires_grad_(False)
    tower.blocks[2].requires_grad_(True)
    tokens = row(3, 4, 5, length=9)
    below: list[Tensor] = []
    assert saved(lambda: below.append(tower.forward_blocks(tower.embed(tokens), 0, 2))) == 0
    assert below[0].grad_fn is None
    above: list[Tensor] = []
    assert saved(lambda: above.append(tower.forward_blocks(below[0], 2, 3))) > 0
    assert above[0].grad_fn is not None
    tower(tokens).sentence_embedding.sum().backward()
    tuned = {name for name, p in tower.named_parameters() if p.grad is not None}
    assert tuned == {name for name, p in tower.named_parameters() if p.requires_grad}
    assert tuned and all(".layers.2." in name for name in tuned)


def test_sentences_that_it_cannot_read_are_refused_in_one_line() -> None:
    tower = make_tower()
    with pytest.raises(DataError, match=r"^sentences of 13 tokens: .* at most 12$"):
        tower(row(3, length=13))
    with pytest.raises(DataError, match=r"^token id 30: this text tower knows 30 ids"):
        tower(torch.tensor([[START, 30, END]]))
    with pytest.raises(DataError, match=r"^token id -1: this text tower knows 30 ids"):
        tower(torch.tensor([[START, -1, END]]))
