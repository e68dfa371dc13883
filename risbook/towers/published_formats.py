"""The sets of names under which CLIP and DINOv2 are published, and how each becomes our own.

Our towers are networks of timm (below ``vit.`` and ``body.``) and transformers (below ``text.``),
with OpenAI's names in the attention pool, and a `projection`. A `KeyMapping` lists, for one
published set of names, the substitutions and the changes of values that lead there.

timm converts some of these sets itself (`checkpoint_filter_fn`), and the tests compare with it.
That function is not used here: it leaves out names that it does not know, and it resamples patches
and position embeddings of another size. Our loader takes a file completely or refuses it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from risbook.errors import DataError

State = dict[str, Tensor]

_NO_WEIGHT = r"logit_scale$|input_resolution$|context_length$|vocab_size$|.+\.position_ids$"
# beginnings of names that a tower does not read: the other tower of a pair, and what is no weight
_TEXT_SIDE = (
    r"transformer\.|token_embedding\.|positional_embedding$|ln_final\.|text_projection(\.|$)"
    rf"|text_model\.|{_NO_WEIGHT}"
)
_IMAGE_SIDE = rf"visual\.|vision_model\.|visual_projection\.|{_NO_WEIGHT}"


@dataclass(frozen=True)
class KeyMapping:
    """One published set of names for one family of towers.

    Args:
        owner: whose names they are, for messages.
        marker: a name that only files with these names hold.
        names: regular expressions and their replacements, applied to each name in this order. A
            name that no expression fits is kept; `load_weights` then refuses it.
        changes: changes of the values, in place, under our own names.
    """

    owner: str
    marker: str
    names: tuple[tuple[str, str], ...]
    changes: tuple[Callable[[State], None], ...] = ()

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """Bring names and values of a file to our own."""
        converted: State = {}
        for published, value in state.items():
            name = published
            for pattern, replacement in self.names:
                name = re.sub(pattern, replacement, name)
            if name in converted:
                raise DataError(f"{published}: a second weight for {name} ({self.owner} names)")
            converted[name] = value
        try:
            for change in self.changes:
                change(converted)
        except (RuntimeError, IndexError) as error:
            raise DataError(f"weights whose shapes fit no tower ({self.owner} names)") from error
        return converted


def _add_batch(state: State) -> None:
    # class token (C) to (1, 1, C), position embeddings (N, C) to (1, N, C), as timm has them
    for name, shape in (("vit.cls_token", (None, None)), ("vit.pos_embed", (None,))):
        if name in state:
            state[name] = state[name][shape]


def _transpose_projection(state: State) -> None:
    # a linear layer's weight (P, C) to a matrix (C, P)
    if "projection" in state:
        state["projection"] = state["projection"].transpose(0, 1)


def _join_qkv(state: State) -> None:
    for name in list(state):
        match = re.fullmatch(r"(.+\.attn\.)[qkv](\.weight|\.bias)", name)
        if match is None or name not in state:
            continue
        parts = [f"{match[1]}{part}{match[2]}" for part in "qkv"]
        _check_pairs(state, *parts)
        state[f"{match[1]}qkv{match[2]}"] = torch.cat([state.pop(part) for part in parts])


def _split_qkv(state: State) -> None:
    for name in [name for name in state if ".self_attn.qkv." in name]:
        for part, value in zip("qkv", state.pop(name).chunk(3), strict=False):
            state[name.replace(".qkv.", f".{part}_proj.")] = value


def _fold_class_position(state: State) -> None:
    # timm adds the class token's row of the position embeddings to the class token
    _check_pairs(state, "vit.cls_token", "vit.pos_embed")
    if "vit.pos_embed" in state:
        embedding = state["vit.pos_embed"]
        state["vit.cls_token"] = state["vit.cls_token"] + embedding[:, :1]
        state["vit.pos_embed"] = embedding[:, 1:]


def _drop_zero_bias(state: State) -> None:
    bias = state.pop("head.bias", None)
    if bias is not None and bool(bias.any()):
        raise DataError("the projection has a bias that is not zero; CLIP's has none")


def _check_pairs(state: State, *names: str) -> None:
    present = [name for name in names if name in state]
    for name in names:
        if present and name not in state:
            raise DataError(f"{name} is missing beside {present[0]}")


# One table per publisher and kind of tower: expressions for published names and replacements,
# applied in this order (`KeyMapping.names`). Those of blocks are shared.
_OPENAI_BLOCK = (
    (r"\.attn\.out_proj\.", ".attn.proj."),
    (r"\.attn\.in_proj_", ".attn.qkv."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    (r"\.ln_([12])\.", r".norm\1."),
)
_RESNET_BLOCK = r"^(body\.stages\.\d+\.\d+)"

_OPENAI_VIT = (
    (r"^visual\.class_embedding$", "vit.cls_token"),
    (r"^visual\.positional_embedding$", "vit.pos_embed"),
    (r"^visual\.conv1\.", "vit.patch_embed.proj."),
    (r"^visual\.ln_pre\.", "vit.norm_pre."),
    (r"^visual\.ln_post\.", "vit.norm."),
    (r"^visual\.proj$", "projection"),
    (r"^visual\.transformer\.resblocks\.", "vit.blocks."),
    *_OPENAI_BLOCK,
)

_OPENAI_RESNET = (
    (r"^visual\.conv(\d)\.", r"body.stem.conv\1.conv."),
    (r"^visual\.bn(\d)\.", r"body.stem.conv\1.bn."),
    *((rf"^visual\.layer{n}\.", f"body.stages.{n - 1}.") for n in (1, 2, 3, 4)),
    (rf"{_RESNET_BLOCK}\.(conv|bn)([13])\.", r"\1.conv\3_1x1.\2."),
    (rf"{_RESNET_BLOCK}\.(conv|bn)2\.", r"\1.conv2_kxk.\2."),
    (rf"{_RESNET_BLOCK}\.downsample\.0\.", r"\1.shortcut.conv.conv."),
    (rf"{_RESNET_BLOCK}\.downsample\.1\.", r"\1.shortcut.conv.bn."),
    (r"^visual\.attnpool\.", "attention_pool."),
)

_OPENAI_TEXT = (
    (r"^token_embedding\.", "text.embeddings.token_embedding."),
    (r"^positional_embedding$", "text.embeddings.position_embedding.weight"),
    (r"^ln_final\.", "text.final_layer_norm."),
    (r"^text_projection$", "projection"),
    (r"^transformer\.resblocks\.", "text.encoder.layers."),
    (r"\.attn\.in_proj_", ".self_attn.qkv."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    *_OPENAI_BLOCK[2:4],
)

_TRANSFORMERS_VIT = (
    (r"^vision_model\.embeddings\.class_embedding$", "vit.cls_token"),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "vit.pos_embed"),
    (r"^vision_model\.embeddings\.patch_embedding\.", "vit.patch_embed.proj."),
    (r"^vision_model\.pre_layrnorm\.", "vit.norm_pre."),
    (r"^vision_model\.post_layernorm\.", "vit.norm."),
    (r"^visual_projection\.weight$", "projection"),
    (r"^vision_model\.encoder\.layers\.", "vit.blocks."),
    (r"\.self_attn\.([qkv])_proj\.", r".attn.\1."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"\.layer_norm([12])\.", r".norm\1."),
)

_TRANSFORMERS_TEXT = ((r"^text_model\.", "text."), (r"^text_projection\.weight$", "projection"))

_TIMM_VIT = ((r"^head\.weight$", "projection"), (r"^(?!projection$|head\.bias$)", "vit."))

_TIMM_RESNET = (
    (r"^(stem|stages)\.", r"body.\1."),
    (r"^head\.pos_embed$", "attention_pool.positional_embedding"),
    (r"^head\.([qkv])\.", r"attention_pool.\1_proj."),
    (r"^head\.proj\.", "attention_pool.c_proj."),
)

_META_DINOV2 = ((r"^register_tokens$", "reg_token"), (r"^", "vit."))

_TRANSFORMERS_DINOV2 = (
    (r"^embeddings\.cls_token$", "vit.cls_token"),
    (r"^embeddings\.position_embeddings$", "vit.pos_embed"),
    (r"^embeddings\.register_tokens$", "vit.reg_token"),
    (r"^embeddings\.patch_embeddings\.projection\.", "vit.patch_embed.proj."),
    (r"^layernorm\.", "vit.norm."),
    (r"^encoder\.layer\.", "vit.blocks."),
    # files, and the names in memory since transformers 5
    (r"\.attention\.attention\.([qkv])(uery|ey|alue)\.", r".attn.\1."),
    (r"\.attention\.([qkv])_proj\.", r".attn.\1."),
    (r"\.attention\.(output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
)


class PublishedFormats(NamedTuple):
    """How the weights of one family of towers are published.

    Args:
        key_mappings: one for each published set of names.
        ignored: regular expression of the beginnings of names that the tower does not need; "" for
            none.
        new_parts: parts of the tower that no file holds; they start from initial values.
    """

    key_mappings: tuple[KeyMapping, ...]
    ignored: str = ""
    new_parts: tuple[str, ...] = ()


PUBLISHED_FORMATS: dict[str, PublishedFormats] = {
    "clip-vit": PublishedFormats(
        (
            KeyMapping("OpenAI", "visual.class_embedding", _OPENAI_VIT, (_add_batch,)),
            KeyMapping(
                "transformers",
                "vision_model.embeddings.class_embedding",
                _TRANSFORMERS_VIT,
                (_add_batch, _transpose_projection, _join_qkv),
            ),
            KeyMapping(
                "timm", "norm_pre.weight", _TIMM_VIT, (_transpose_projection, _drop_zero_bias)
            ),
        ),
        _TEXT_SIDE,
    ),
    "clip-resnet": PublishedFormats(
        (
            KeyMapping("OpenAI", "visual.attnpool.positional_embedding", _OPENAI_RESNET),
            KeyMapping("timm", "stem.conv1.conv.weight", _TIMM_RESNET),
        ),
        _TEXT_SIDE,
        # the residual branch of CRIS and ETRIS, which CLIP does not have
        ("attention_pool.connect",),
    ),
    "clip-text": PublishedFormats(
        (
            KeyMapping("OpenAI", "token_embedding.weight", _OPENAI_TEXT, (_split_qkv,)),
            KeyMapping(
                "transformers",
                "text_model.embeddings.token_embedding.weight",
                _TRANSFORMERS_TEXT,
                (_transpose_projection,),
            ),
        ),
        _IMAGE_SIDE,
    ),
    "dinov2": PublishedFormats(
        (
            KeyMapping("Meta", "register_tokens", _META_DINOV2, (_fold_class_position,)),
            KeyMapping("timm", "reg_token", ((r"^", "vit."),)),
            KeyMapping(
                "transformers",
                "embeddings.register_tokens",
                _TRANSFORMERS_DINOV2,
                (_fold_class_position, _join_qkv),
            ),
            # Without registers: files that have these names, but none of the three above. timm
            # folds the class token's position only where there are registers.
            KeyMapping("Meta", "blocks.0.ls1.gamma", _META_DINOV2, (_fold_class_position,)),
            KeyMapping(
                "transformers",
                "encoder.layer.0.layer_scale1.lambda1",
                _TRANSFORMERS_DINOV2,
                (_fold_class_position, _join_qkv),
            ),
        ),
        r"(embeddings\.)?mask_token$",  # needed only in DINOv2's own pretraining
    ),
}


def get_published_formats(family: str) -> PublishedFormats:
    """The formats of a family; a family without an entry reads the names of its class alone."""
    return PUBLISHED_FORMATS.get(family, PublishedFormats(()))
