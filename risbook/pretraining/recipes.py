"""The recipes of the small towers that come with the book, each from nothing to a tower.

Sizes were chosen by measuring on two processor cores in bf16: at 96 pixels and patches of 8, the
small DINOv2 goes forward and backward on 32 samples in 0.15 s, which leaves as much again for the
adapters and the decoder of a small system. Two heads of 64 (the head width of the real towers)
are 1.5 times as fast there as four of 32.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from risbook.errors import RisbookError
from risbook.pretraining.contrastive import Contrastive, ContrastiveConfig
from risbook.pretraining.image_corpus import Pictures
from risbook.pretraining.pretrain import LoopConfig
from risbook.pretraining.self_distillation import DistillationConfig, SelfDistillation
from risbook.towers.build import build_tower, tokenizer_of
from risbook.towers.clip import CLIP
from risbook.towers.freezing import freeze
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.word_tokenizer import WordTokenizer

#: the drawn sets whose training pictures are looked at
SETS = ("refscenes", "refscenes+", "refscenesg")
CONTEXT = 77


@dataclass(frozen=True)
class Prepared:
    """A recipe, ready to run.

    Args:
        objective: what is trained.
        towers: shipped name -> where the tower to keep is found, asked after training.
        tokenizer: of the text tower, if there is one.
        clip: the pair that is compared, if there is one.
    """

    objective: nn.Module
    towers: Mapping[str, Callable[[], nn.Module]]
    tokenizer: WordTokenizer | None = None
    clip: CLIP | None = None


@dataclass(frozen=True)
class Recipe:
    """How a tower, or a pair, is pretrained.

    Args:
        summary: one line for the command line's help.
        loop: steps, rates and seed.
        config: what the objective looks at.
        prepare: builds towers and objective from the pictures and, where a recipe needs one, the
            folder of a text tower ("auto" for the shipped one).
    """

    summary: str
    loop: LoopConfig
    config: ContrastiveConfig | DistillationConfig
    prepare: Callable[[Pictures, str | Path], Prepared]


CLIP_CONFIG = ContrastiveConfig()
#: a ResNet's coarsest stride is 32: it needs larger views
RESNET_CONFIG = ContrastiveConfig(scene_size=192, object_size=96, scenes=64, objects=128)
DINOV2_CONFIG = DistillationConfig()


def start_as_clip(tower: ImageTransformer) -> None:
    """Draw a transformer's weights as CLIP's released code does: by width and depth."""
    width, depth = tower.width, len(tower.blocks)
    inner, outer = width**-0.5, width**-0.5 * (2 * depth) ** -0.5
    for block in tower.blocks:
        nn.init.normal_(block.attn.qkv.weight, std=inner)
        nn.init.normal_(block.attn.proj.weight, std=outer)
        nn.init.normal_(block.mlp.fc1.weight, std=(2 * width) ** -0.5)
        nn.init.normal_(block.mlp.fc2.weight, std=outer)


def _clip_mini(pictures: Pictures, text: str | Path) -> Prepared:
    tokenizer = WordTokenizer.from_sentences(pictures.sentences(), length=CONTEXT, ends=True)
    image = build_tower("clip-mini-image", weights="random")
    assert isinstance(image, ImageTransformer)
    start_as_clip(image)
    words = build_tower("clip-mini-text", weights="random", vocabulary=tokenizer.vocabulary_size)
    assert isinstance(words, TextTransformer)
    clip = CLIP(image=image, text=words)
    objective = Contrastive(clip=clip, tokenizer=tokenizer, pictures=pictures, config=CLIP_CONFIG)
    return Prepared(
        objective=objective,
        towers={"clip-mini-image": lambda: image, "clip-mini-text": lambda: words},
        tokenizer=tokenizer,
        clip=clip,
    )


def _clip_mini_rn(pictures: Pictures, text: str | Path) -> Prepared:
    words = build_tower("clip-mini-text", weights=text)
    tokenizer = tokenizer_of("clip-mini-text", length=CONTEXT, weights=text)
    assert isinstance(words, TextTransformer) and isinstance(tokenizer, WordTokenizer)
    # The residual branch of CRIS and ETRIS is not CLIP's: it starts random in their systems.
    image = build_tower("clip-mini-rn-image", weights="random", connect=False)
    clip = CLIP(image=image, text=freeze(words))
    objective = Contrastive(clip=clip, tokenizer=tokenizer, pictures=pictures, config=RESNET_CONFIG)
    return Prepared(
        objective=objective,
        towers={"clip-mini-rn-image": lambda: image},
        tokenizer=tokenizer,
        clip=clip,
    )


def _dinov2_mini(pictures: Pictures, text: str | Path) -> Prepared:
    # DINOv2's first values (LayerScale 1e-5, weights of 0.02) are for long runs of wide towers: at
    # this width the blocks do next to nothing at first, and had learned nothing after 400 steps.
    tower = build_tower("dinov2-mini", weights="random", layer_scale=1.0)
    assert isinstance(tower, ImageTransformer)
    start_as_clip(tower)
    objective = SelfDistillation(tower=tower, pictures=pictures, config=DINOV2_CONFIG)
    return Prepared(objective=objective, towers={"dinov2-mini": lambda: objective.tower})


RECIPES: dict[str, Recipe] = {
    "clip-mini": Recipe(
        summary="a CLIP pair: image transformer and text transformer",
        loop=LoopConfig(steps=6000, learning_rate=1e-3, warmup=200, weight_decay=0.05),
        config=CLIP_CONFIG,
        prepare=_clip_mini,
    ),
    "clip-mini-rn": Recipe(
        summary="a CLIP ResNet that meets the text tower of clip-mini",
        loop=LoopConfig(steps=1500, learning_rate=2e-3, warmup=100, weight_decay=0.05),
        config=RESNET_CONFIG,
        prepare=_clip_mini_rn,
    ),
    "dinov2-mini": Recipe(
        summary="an image transformer with registers, by self-distillation",
        loop=LoopConfig(steps=5000, learning_rate=2e-3, warmup=100, weight_decay=0.05, clip=3.0),
        config=DINOV2_CONFIG,
        prepare=_dinov2_mini,
    ),
}


def recipe_of(name: str) -> Recipe:
    """Look a recipe up.

    Raises:
        RisbookError: if there is none of that name; the message lists those there are.
    """
    if name not in RECIPES:
        raise RisbookError(f"no recipe is called '{name}'; there are: {', '.join(RECIPES)}")
    return RECIPES[name]
