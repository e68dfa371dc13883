"""The names under which CLIP's weights are published, line by line.

From the released codes: OpenAI's (also those of open_clip's files, CRIS, ETRIS and DETRIS),
transformers' `CLIPModel` and timm's.
"""

from risbook.towers.rename_forms import (
    JOINED,
    NO_BIAS,
    SPLIT,
    TABLE,
    TOKEN,
    TRANSPOSED,
    Form,
    Line,
    same,
    under,
)

_NOT_WEIGHTS = ("logit_scale", "input_resolution", "context_length", "vocab_size")
_QKV = tuple(f"self_attn.{letter}_proj.{{w}}" for letter in "qkv")

# OpenAI's CLIP, also in open_clip's files, in CRIS, ETRIS and DETRIS ------------------------------

_OPENAI_BLOCK = (
    same("attn.in_proj_{w}", "attn.qkv.{w}"),
    same("attn.out_proj.{w}", "attn.proj.{w}"),
    same("ln_1.{w}", "norm1.{w}"),
    same("ln_2.{w}", "norm2.{w}"),
    same("mlp.c_fc.{w}", "mlp.fc1.{w}"),
    same("mlp.c_proj.{w}", "mlp.fc2.{w}"),
)

_OPENAI_TEXT_BLOCK = (
    Line(("attn.in_proj_{w}",), _QKV, SPLIT),
    same("attn.out_proj.{w}", "self_attn.out_proj.{w}"),
    same("ln_1.{w}", "layer_norm1.{w}"),
    same("ln_2.{w}", "layer_norm2.{w}"),
    same("mlp.c_fc.{w}", "mlp.fc1.{w}"),
    same("mlp.c_proj.{w}", "mlp.fc2.{w}"),
)

_OPENAI_BOTTLENECK = (
    same("conv1.weight", "conv1_1x1.conv.weight"),
    same("conv2.weight", "conv2_kxk.conv.weight"),
    same("conv3.weight", "conv3_1x1.conv.weight"),
    same("bn1.{b}", "conv1_1x1.bn.{b}"),
    same("bn2.{b}", "conv2_kxk.bn.{b}"),
    same("bn3.{b}", "conv3_1x1.bn.{b}"),
    same("downsample.0.weight", "shortcut.conv.conv.weight"),
    same("downsample.1.{b}", "shortcut.conv.bn.{b}"),
)

_OPENAI_TEXT_NAMES = (
    "transformer.",
    "token_embedding.",
    "positional_embedding",
    "ln_final.",
    "text_projection",
)

OPENAI_VIT = Form(
    name="OpenAI's",
    family="clip-vit",
    marker="visual.class_embedding",
    lines=(
        same("visual.class_embedding", "vit.cls_token", TOKEN),
        same("visual.positional_embedding", "vit.pos_embed", TABLE),
        same("visual.conv1.weight", "vit.patch_embed.proj.weight"),
        same("visual.ln_pre.{w}", "vit.norm_pre.{w}"),
        same("visual.ln_post.{w}", "vit.norm.{w}"),
        same("visual.proj", "projection"),
        *under("visual.transformer.resblocks.{n}.", "vit.blocks.{n}.", _OPENAI_BLOCK),
    ),
    elsewhere=_OPENAI_TEXT_NAMES,
    ignored=_NOT_WEIGHTS,
)

OPENAI_RESNET = Form(
    name="OpenAI's",
    family="clip-resnet",
    marker="visual.attnpool.positional_embedding",
    lines=(
        same("visual.conv{n}.weight", "body.stem.conv{n}.conv.weight"),
        same("visual.bn{n}.{b}", "body.stem.conv{n}.bn.{b}"),
        *(
            line
            for stage in range(4)
            for line in under(
                f"visual.layer{stage + 1}.{{n}}.", f"body.stages.{stage}.{{n}}.", _OPENAI_BOTTLENECK
            )
        ),
        *under(
            "visual.attnpool.",
            "attention_pool.",
            (
                same("positional_embedding", "positional_embedding"),
                same("{p}_proj.{w}", "{p}_proj.{w}"),
                # CRIS and ETRIS add these two; CLIP's files lack them
                same("connect.0.weight", "connect.0.weight"),
                same("connect.1.{b}", "connect.1.{b}"),
            ),
        ),
    ),
    elsewhere=_OPENAI_TEXT_NAMES,
    ignored=_NOT_WEIGHTS,
)

OPENAI_TEXT = Form(
    name="OpenAI's",
    family="clip-text",
    marker="token_embedding.weight",
    lines=(
        same("token_embedding.weight", "text.embeddings.token_embedding.weight"),
        same("positional_embedding", "text.embeddings.position_embedding.weight"),
        same("ln_final.{w}", "text.final_layer_norm.{w}"),
        same("text_projection", "projection"),
        *under("transformer.resblocks.{n}.", "text.encoder.layers.{n}.", _OPENAI_TEXT_BLOCK),
    ),
    elsewhere=("visual.",),
    ignored=_NOT_WEIGHTS,
)

# transformers -------------------------------------------------------------------------------------

TRANSFORMERS_VIT = Form(
    name="transformers'",
    family="clip-vit",
    marker="vision_model.embeddings.class_embedding",
    lines=(
        same("vision_model.embeddings.class_embedding", "vit.cls_token", TOKEN),
        same("vision_model.embeddings.position_embedding.weight", "vit.pos_embed", TABLE),
        same("vision_model.embeddings.patch_embedding.weight", "vit.patch_embed.proj.weight"),
        same("vision_model.pre_layrnorm.{w}", "vit.norm_pre.{w}"),
        same("vision_model.post_layernorm.{w}", "vit.norm.{w}"),
        same("visual_projection.weight", "projection", TRANSPOSED),
        *under(
            "vision_model.encoder.layers.{n}.",
            "vit.blocks.{n}.",
            (
                Line(_QKV, ("attn.qkv.{w}",), JOINED),
                same("self_attn.out_proj.{w}", "attn.proj.{w}"),
                same("layer_norm1.{w}", "norm1.{w}"),
                same("layer_norm2.{w}", "norm2.{w}"),
                same("mlp.fc{n2}.{w}", "mlp.fc{n2}.{w}"),
            ),
        ),
    ),
    elsewhere=("text_model.", "text_projection."),
    ignored=(*_NOT_WEIGHTS, "vision_model.embeddings.position_ids"),
)

TRANSFORMERS_TEXT = Form(
    name="transformers'",
    family="clip-text",
    marker="text_model.embeddings.token_embedding.weight",
    lines=(
        same("text_projection.weight", "projection", TRANSPOSED),
        same("text_model.{any}", "text.{any}"),
    ),
    elsewhere=("vision_model.", "visual_projection."),
    ignored=(*_NOT_WEIGHTS, "text_model.embeddings.position_ids"),
)

# timm ---------------------------------------------------------------------------------------------

_TIMM_BLOCK = (
    same("attn.qkv.{w}", "attn.qkv.{w}"),
    same("attn.proj.{w}", "attn.proj.{w}"),
    same("norm{n2}.{w}", "norm{n2}.{w}"),
    same("mlp.fc{n2}.{w}", "mlp.fc{n2}.{w}"),
)

_TIMM_VIT = (
    same("cls_token", "vit.cls_token"),
    same("pos_embed", "vit.pos_embed"),
    same("patch_embed.proj.{w}", "vit.patch_embed.proj.{w}"),
    same("norm.{w}", "vit.norm.{w}"),
)

TIMM_VIT = Form(
    name="timm's",
    family="clip-vit",
    marker="norm_pre.weight",
    lines=(
        *_TIMM_VIT,
        same("norm_pre.{w}", "vit.norm_pre.{w}"),
        same("head.weight", "projection", TRANSPOSED),
        Line(("head.bias",), (), NO_BIAS),
        *under("blocks.{n}.", "vit.blocks.{n}.", _TIMM_BLOCK),
    ),
)

TIMM_RESNET = Form(
    name="timm's",
    family="clip-resnet",
    marker="stem.conv1.conv.weight",
    lines=(
        same("stem.{any}", "body.stem.{any}"),
        same("stages.{any}", "body.stages.{any}"),
        same("head.pos_embed", "attention_pool.positional_embedding"),
        same("head.q.{w}", "attention_pool.q_proj.{w}"),
        same("head.k.{w}", "attention_pool.k_proj.{w}"),
        same("head.v.{w}", "attention_pool.v_proj.{w}"),
        same("head.proj.{w}", "attention_pool.c_proj.{w}"),
    ),
)

CLIP_FORMS = (
    OPENAI_VIT,
    OPENAI_RESNET,
    OPENAI_TEXT,
    TRANSFORMERS_VIT,
    TRANSFORMERS_TEXT,
    TIMM_VIT,
    TIMM_RESNET,
)
