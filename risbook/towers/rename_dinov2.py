"""The names under which the weights of DINOv2 with registers are published, line by line.

From the released codes: Meta's (also those of DETRIS), transformers' `Dinov2WithRegistersModel` and
timm's. Only timm's have the class token's row of the position table added to the class token.
"""

from risbook.towers.rename_forms import FOLDED, JOINED, Form, Line, same, under

_BLOCK = (
    same("attn.qkv.{w}", "attn.qkv.{w}"),
    same("attn.proj.{w}", "attn.proj.{w}"),
    same("norm{n2}.{w}", "norm{n2}.{w}"),
    same("ls{n2}.gamma", "ls{n2}.gamma"),
    same("mlp.fc{n2}.{w}", "mlp.fc{n2}.{w}"),
)

META_DINOV2 = Form(
    name="Meta's",
    family="dinov2",
    marker="register_tokens",
    lines=(
        Line(("cls_token", "pos_embed"), ("vit.cls_token", "vit.pos_embed"), FOLDED),
        same("register_tokens", "vit.reg_token"),
        same("patch_embed.proj.{w}", "vit.patch_embed.proj.{w}"),
        same("norm.{w}", "vit.norm.{w}"),
        *under("blocks.{n}.", "vit.blocks.{n}.", _BLOCK),
    ),
    ignored=("mask_token",),
)

TIMM_DINOV2 = Form(
    name="timm's",
    family="dinov2",
    marker="reg_token",
    lines=(
        same("cls_token", "vit.cls_token"),
        same("pos_embed", "vit.pos_embed"),
        same("patch_embed.proj.{w}", "vit.patch_embed.proj.{w}"),
        same("norm.{w}", "vit.norm.{w}"),
        same("reg_token", "vit.reg_token"),
        *under("blocks.{n}.", "vit.blocks.{n}.", _BLOCK),
    ),
)

TRANSFORMERS_DINOV2 = Form(
    name="transformers'",
    family="dinov2",
    marker="embeddings.register_tokens",
    lines=(
        Line(
            ("embeddings.cls_token", "embeddings.position_embeddings"),
            ("vit.cls_token", "vit.pos_embed"),
            FOLDED,
        ),
        same("embeddings.register_tokens", "vit.reg_token"),
        same("embeddings.patch_embeddings.projection.{w}", "vit.patch_embed.proj.{w}"),
        same("layernorm.{w}", "vit.norm.{w}"),
        *under(
            "encoder.layer.{n}.",
            "vit.blocks.{n}.",
            (
                Line(
                    tuple(f"attention.attention.{one}.{{w}}" for one in ("query", "key", "value")),
                    ("attn.qkv.{w}",),
                    JOINED,
                ),
                same("attention.output.dense.{w}", "attn.proj.{w}"),
                # the names in memory since transformers 5
                Line(
                    tuple(f"attention.{one}_proj.{{w}}" for one in "qkv"), ("attn.qkv.{w}",), JOINED
                ),
                same("attention.o_proj.{w}", "attn.proj.{w}"),
                same("norm{n2}.{w}", "norm{n2}.{w}"),
                same("layer_scale{n2}.lambda1", "ls{n2}.gamma"),
                same("mlp.fc{n2}.{w}", "mlp.fc{n2}.{w}"),
            ),
        ),
    ),
    ignored=("embeddings.mask_token",),
)

DINOV2_FORMS = (META_DINOV2, TIMM_DINOV2, TRANSFORMERS_DINOV2)
