"""The recipes of the small towers that come with the book, each from random weights.

Sizes were chosen by measuring on two processor cores in bf16: at 96 pixels and patches of 8, the
small DINOv2 takes 0.15 s forward and backward on 32 samples. This leaves about 0.15 s per step for
the adapters and the decoder of a small system. Two heads of 64 (the head width of the real towers)
are 1.5 times as fast there as four of 32.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from risbook.pretraining.contrastive import ContrastiveConfig, ContrastiveObjective
from risbook.pretraining.feature_distillation import (
    FeatureDistillationConfig,
    FeatureDistillationObjective,
    init_from_clip,
    read_or_compute,
)
from risbook.pretraining.image_corpus import ImageCorpus
from risbook.pretraining.pretraining_objective import PretrainingConfig, PretrainingObjective
from risbook.pretraining.self_distillation import DistillationConfig, DistillationObjective
from risbook.registry import Registry
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.build import build_tower, tokenizer_of
from risbook.towers.clip import CLIP
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.freezing import freeze
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.stages import Tower
from risbook.towers.text_transformer import TextTransformer

MAX_TOKENS = 77


@dataclass(frozen=True)
class RecipeSetup:
    """The towers of a recipe, and the objective that trains them.

    Args:
        objective: what is trained.
        towers: the towers to keep, by shipped name.
        tokenizer: of the text tower, if there is one.
        clip: the pair of towers, if there is one.
        origins: other towers that the run starts or learns from, by name.
    """

    objective: PretrainingObjective
    towers: Mapping[str, Tower]
    tokenizer: WordTokenizer | None = None
    clip: CLIP | None = None
    origins: Mapping[str, Tower] = field(default_factory=dict)


@dataclass(frozen=True)
class RecipeInputs:
    """What a recipe's towers and objective are built from.

    Args:
        corpus: the training images.
        loop: its steps may be others than the recipe's.
        text: folder of a text tower, which not every recipe needs; "auto" for the shipped one.
        init: folder that holds a folder of weights for each tower from which the run starts; None
            for random weights, and for the shipped ones where the recipe starts from another tower.
        folder: where a recipe keeps what it computes once; None to compute it anew.
    """

    corpus: ImageCorpus
    loop: PretrainingConfig
    text: str | Path = "auto"
    init: Path | None = None
    folder: Path | None = None

    def weights(self, tower: str) -> str | Path:
        """Where the initial weights of a tower are from."""
        return "random" if self.init is None else self.init / tower


@dataclass(frozen=True)
class Recipe:
    """How a tower, or a pair, is pretrained.

    Args:
        loop: the length of the run, its learning rate and its seed.
        config: what the objective's batches hold.
        towers: names of the towers that it leaves.
        build: builds towers and objective.
        world: the drawn world whose training images are read, its size and its seed.
    """

    loop: PretrainingConfig
    config: ContrastiveConfig | FeatureDistillationConfig | DistillationConfig
    towers: tuple[str, ...]
    build: Callable[[RecipeInputs], RecipeSetup]
    world: tuple[str, int] = ("pretraining", 1)


CLIP_CONFIG = ContrastiveConfig(object_steps=1, object_batch=192, scene_regions=4)
#: a ResNet's coarsest stride is 32: it needs larger views
RESNET_CONFIG = ContrastiveConfig(
    scene_size=192,
    object_size=96,
    scene_batch=64,
    object_batch=128,
    object_steps=1,
    scene_regions=4,
)
FEATURE_CONFIG = FeatureDistillationConfig()
DINOV2_CONFIG = DistillationConfig()


def init_clip_params(tower: ImageTransformer) -> None:
    """Initialise a transformer as CLIP's released code does: by width and depth."""
    width, depth = tower.embed_dim, len(tower.blocks)
    std, residual_std = width**-0.5, width**-0.5 * (2 * depth) ** -0.5
    for block in tower.blocks:
        nn.init.normal_(block.attn.qkv.weight, std=std)
        nn.init.normal_(block.attn.proj.weight, std=residual_std)
        nn.init.normal_(block.mlp.fc1.weight, std=(2 * width) ** -0.5)
        nn.init.normal_(block.mlp.fc2.weight, std=residual_std)


def _clip_mini(inputs: RecipeInputs) -> RecipeSetup:
    weights = inputs.weights("clip-mini-text")
    if inputs.init is None:
        sentences = inputs.corpus.sentences()
        tokenizer = WordTokenizer.from_sentences(sentences, length=MAX_TOKENS, ends=True)
        text_tower = build_tower("clip-mini-text", weights=weights, vocab_size=tokenizer.vocab_size)
    else:
        tokenizer = _word_tokenizer(weights)
        text_tower = build_tower("clip-mini-text", weights=weights)
    image = build_tower("clip-mini-image", weights=inputs.weights("clip-mini-image"))
    assert isinstance(image, ImageTransformer) and isinstance(text_tower, TextTransformer)
    if inputs.init is None:
        init_clip_params(image)
    towers: dict[str, Tower] = {"clip-mini-image": image, "clip-mini-text": text_tower}
    clip = CLIP(image_tower=image, text_tower=text_tower)
    return _pair_setup(clip, tokenizer, inputs, CLIP_CONFIG, towers)


def _clip_mini_rn(inputs: RecipeInputs) -> RecipeSetup:
    text_tower = build_tower("clip-mini-text", weights=inputs.text)
    assert isinstance(text_tower, TextTransformer)
    # The residual branch of CRIS and ETRIS is not CLIP's: it starts random in their systems.
    weights = inputs.weights("clip-mini-rn-image")
    image = build_tower("clip-mini-rn-image", weights=weights, connect=False)
    assert isinstance(image, CLIPResNet)
    clip = CLIP(image_tower=image, text_tower=freeze(text_tower))
    towers: dict[str, Tower] = {"clip-mini-rn-image": image}
    return _pair_setup(clip, _word_tokenizer(inputs.text), inputs, RESNET_CONFIG, towers)


def _word_tokenizer(weights: str | Path) -> WordTokenizer:
    """The tokenizer beside the weights of a small text tower."""
    tokenizer = tokenizer_of("clip-mini-text", length=MAX_TOKENS, weights=weights)
    assert isinstance(tokenizer, WordTokenizer)
    return tokenizer


def _pair_setup(
    clip: CLIP,
    tokenizer: WordTokenizer,
    inputs: RecipeInputs,
    config: ContrastiveConfig,
    towers: Mapping[str, Tower],
) -> RecipeSetup:
    objective = ContrastiveObjective(
        clip=clip, tokenizer=tokenizer, corpus=inputs.corpus, config=config, loop=inputs.loop
    )
    return RecipeSetup(objective=objective, towers=towers, tokenizer=tokenizer, clip=clip)


def _dinov2_mini(inputs: RecipeInputs) -> RecipeSetup:
    tower = _random_dinov2()
    clip_weights = "auto" if inputs.init is None else inputs.init / "clip-mini-40k-image"
    clip_tower = build_tower("clip-mini-40k-image", weights=clip_weights)
    teacher = build_tower(FEATURE_CONFIG.teacher)
    assert isinstance(clip_tower, ImageTransformer) and isinstance(teacher, ImageTransformer)
    init_from_clip(tower, clip_tower)
    path = None if inputs.folder is None else inputs.folder / "teacher_features.safetensors"
    objective = FeatureDistillationObjective(
        tower=tower,
        features=read_or_compute(path, teacher.eval(), inputs.corpus, FEATURE_CONFIG),
        corpus=inputs.corpus,
        config=FEATURE_CONFIG,
        loop=inputs.loop,
    )
    return RecipeSetup(
        objective=objective,
        towers={"dinov2-mini": tower},
        origins={"clip-mini-40k-image": clip_tower, FEATURE_CONFIG.teacher: teacher},
    )


def _dinov2_mini_alone(inputs: RecipeInputs) -> RecipeSetup:
    tower = _random_dinov2()
    init_clip_params(tower)
    objective = DistillationObjective(
        tower=tower, corpus=inputs.corpus, config=DINOV2_CONFIG, loop=inputs.loop
    )
    return RecipeSetup(objective=objective, towers={"dinov2-mini": objective.tower})


def _random_dinov2() -> ImageTransformer:
    # DINOv2's initialisation (LayerScale 1e-5, weights of 0.02) is for long runs of wide towers. At
    # this width the blocks do next to nothing at first, and had learned nothing after 400 steps.
    tower = build_tower("dinov2-mini", weights="random", layer_scale=1.0)
    assert isinstance(tower, ImageTransformer)
    return tower


RECIPES: Registry[Recipe] = Registry(
    "recipe",
    {
        # a CLIP pair: image transformer and text transformer
        "clip-mini": Recipe(
            loop=PretrainingConfig(steps=1600, learning_rate=1e-3, warmup=200, weight_decay=0.05),
            config=CLIP_CONFIG,
            towers=("clip-mini-image", "clip-mini-text"),
            build=_clip_mini,
        ),
        # a CLIP ResNet for the text tower of clip-mini
        "clip-mini-rn": Recipe(
            loop=PretrainingConfig(steps=1500, learning_rate=2e-3, warmup=100, weight_decay=0.05),
            config=RESNET_CONFIG,
            towers=("clip-mini-rn-image",),
            build=_clip_mini_rn,
        ),
        # an image transformer with registers, from the CLIP transformer, by the features of a real
        # DINOv2
        "dinov2-mini": Recipe(
            loop=PretrainingConfig(steps=1200, learning_rate=1e-3, warmup=50, weight_decay=0.05),
            config=FEATURE_CONFIG,
            towers=("dinov2-mini",),
            build=_dinov2_mini,
        ),
        # the same from random weights, by self-distillation alone
        "dinov2-mini-alone": Recipe(
            loop=PretrainingConfig(
                steps=5000, learning_rate=2e-3, warmup=100, weight_decay=0.05, max_grad_norm=3.0
            ),
            config=DINOV2_CONFIG,
            towers=("dinov2-mini",),
            build=_dinov2_mini_alone,
            world=("standard", 0),
        ),
    },
)


def get_recipe(name: str) -> Recipe:
    """Look a recipe up.

    Raises:
        ArgumentError: for an unknown name; the message lists the recipes.
    """
    return RECIPES.lookup(name)
