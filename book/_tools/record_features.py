"""Record features of the real DINOv2 for chapters 2.2 and 5.1, so that the pages need no weights.

python book/_tools/record_features.py photographs   two photographs, 32 x 32 patches
python book/_tools/record_features.py scenes        colours of four drawn scenes, 32 x 32 patches
python book/_tools/record_features.py scene-patches one drawn scene, 12 x 12 patches
python book/_tools/record_features.py objects       one vector per object of 450 drawn scenes
python book/_tools/record_features.py random        the same by this network with random weights
python book/_tools/record_features.py mlps          what comes to the MLP of six blocks, 16 x 16
python book/_tools/record_features.py mean-colours  the mean colour of the same objects, no tower

`risbook towers get dinov2-s` fetches the weights.
"""

import argparse
import datetime
from collections.abc import Callable

import torch
from torch import Tensor

from risbook.data import load_photograph, open_data
from risbook.data.dataset import ReferData
from risbook.data.photographs import PHOTOGRAPHS
from risbook.figures import pca_colours
from risbook.pretraining.tower_probes import sample_scenes
from risbook.probing.encoding import preprocess, valid_patches
from risbook.probing.recorded_features import (
    RECORDED_FEATURES,
    block_maps,
    scene_object_vectors,
    write_recorded,
)
from risbook.towers.build import build_random_tower, build_tower
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.weights.origin import weights_origin

TOWER = "dinov2-s"
LAST_BLOCK = 11
OBJECT_BLOCK = 8  # a linear probe finds most there: `risbook towers dinov2-s`
PHOTO_SIZE, SCENE_SIZE = 448, 168  # 32 and 12 patches of 14 pixels
MLP_SIZE = 224  # 16 patches
MLP_BLOCKS = (1, 3, 5, 7, 9, 11)  # those that DETRIS adapts
SCENES = (1100029, 1100113, 1100165, 1200062)
MAP_SCENE = 1100113  # the scene of the response maps
TRAIN_SCENES, VAL_SCENES = 300, 150


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Record features of the real DINOv2.")
    parser.add_argument("what", choices=[*sorted(RECORDERS), "mean-colours"])
    what = parser.parse_args().what
    torch.set_num_threads(1)
    if what == "mean-colours":
        about = {
            "weights": "mean colours of objects",
            "place": "in the drawn image",
            "command": "python book/_tools/record_features.py mean-colours",
            "date": datetime.date.today().isoformat(),
        }
        write_recorded(RECORDED_FEATURES / "object-colours.safetensors", record_colours(), about)
        return
    random = what == "random"
    tower = build_random_tower(TOWER) if random else build_tower(TOWER)
    assert isinstance(tower, ImageTransformer)
    origin = weights_origin(tower)
    about = {
        "tower": TOWER,
        "weights": "ViT-S/14 with random weights" if random else origin.source,
        "sha256": origin.sha256,
        "place": PLACES.get(what, f"after block {LAST_BLOCK}"),
        "command": f"python book/_tools/record_features.py {what}",
        "date": datetime.date.today().isoformat(),
    }
    path = RECORDED_FEATURES / f"{TOWER}-{FILES.get(what, what)}.safetensors"
    write_recorded(path, RECORDERS[what](tower), about)
    print(f"wrote {path.name}, {path.stat().st_size / 1000:.0f} kB")


def record_photographs(tower: ImageTransformer) -> dict[str, Tensor]:
    """Features (32, 32, C) after the last block, and colours (12, 32, 32, 3) after each block."""
    tensors = {}
    for name in PHOTOGRAPHS:
        image = load_photograph(name).image
        maps = block_maps(
            tower, image, image_size=PHOTO_SIZE, blocks=list(range(len(tower.blocks)))
        )
        valid = valid_patches([image], PHOTO_SIZE, tower.patch_size)
        colours = [pca_colours(m[None].movedim(-1, 1), valid=valid)[0] for m in maps]
        tensors[name] = maps[LAST_BLOCK]
        stacked = torch.stack([torch.from_numpy(colour) for colour in colours])
        tensors[f"{name}.colours"] = (255 * stacked).round().to(torch.uint8)
    return tensors


def record_scenes(tower: ImageTransformer) -> dict[str, Tensor]:
    """Image ids (N,) and colours (N, 32, 32, 3) of large drawn scenes, with common components."""
    data = open_data("refscenes", scale=3)
    images = [data.image(image_id) for image_id in SCENES]
    maps = []
    for image in images:
        maps += block_maps(tower, image, image_size=PHOTO_SIZE, blocks=[LAST_BLOCK])
    valid = valid_patches(images, PHOTO_SIZE, tower.patch_size)
    colours = torch.from_numpy(pca_colours(torch.stack(maps).movedim(-1, 1), valid=valid))
    return {
        "image_ids": torch.tensor(SCENES),
        "colours": (255 * colours).round().to(torch.uint8),
    }


def record_scene_patches(tower: ImageTransformer) -> dict[str, Tensor]:
    """The patches (12, 12, C) of one drawn scene, named by its image id."""
    image = open_data("refscenes").image(MAP_SCENE)
    (patches,) = block_maps(tower, image, image_size=SCENE_SIZE, blocks=[OBJECT_BLOCK])
    return {str(MAP_SCENE): patches}


def record_objects(tower: ImageTransformer) -> dict[str, Tensor]:
    """For train and val: the image id (N,) and the vector (N, C) of every object."""

    def encode(data: ReferData, image_id: int) -> Tensor:
        return scene_object_vectors(
            tower, data, image_id, image_size=SCENE_SIZE, block=OBJECT_BLOCK
        )

    return _objects_of_scenes(encode)


def record_colours() -> dict[str, Tensor]:
    """For train and val: the image id (N,) and the mean colour (N, 3) of every object."""

    def mean_colours(data: ReferData, image_id: int) -> Tensor:
        image = torch.from_numpy(data.image(image_id)).float() / 255  # (H, W, 3)
        masks = [torch.from_numpy(mask) for _, mask in data.objects(image_id)]
        return torch.stack([image[mask].mean(dim=0) for mask in masks])

    return _objects_of_scenes(mean_colours)


def _objects_of_scenes(encode: Callable[[ReferData, int], Tensor]) -> dict[str, Tensor]:
    data = open_data("refscenes")
    tensors = {}
    for split, count in (("train", TRAIN_SCENES), ("val", VAL_SCENES)):
        image_ids, vectors = [], []
        for image_id in sample_scenes(data, [split], count).image_ids:
            vectors.append(encode(data, image_id))
            image_ids += [image_id] * len(vectors[-1])
        tensors[f"{split}.image_ids"] = torch.tensor(image_ids)
        tensors[f"{split}.vectors"] = torch.cat(vectors)
    return tensors


@torch.inference_mode()
def record_mlps(tower: ImageTransformer) -> dict[str, Tensor]:
    """What stands before the MLP of each of six blocks, and what the block does with it.

    Per photograph the tokens x (6, 257, C) before the norm, class token first, and the root mean
    square (1, 6) of what the MLP adds, LayerScale included. Per block the weight and the bias of
    the norm, and LayerScale, (1, C) each.
    """
    tensors = {}
    for name in PHOTOGRAPHS:
        tokens, grid = tower.embed(preprocess([load_photograph(name).image], MLP_SIZE))
        inputs, sizes = [], []
        for block in range(len(tower.blocks)):
            tokens = tokens + tower.forward_branch(block, "attention", tokens, grid=grid)
            added = tower.forward_branch(block, "mlp", tokens, grid=grid)
            if block in MLP_BLOCKS:
                inputs.append(tokens[0])
                sizes.append(added.square().mean().sqrt())
            tokens = tokens + added
        tensors[f"{name}.x"] = torch.stack(inputs)
        tensors[f"{name}.added"] = torch.stack(sizes)[None]
    for block in MLP_BLOCKS:
        norm, _, scale = tower.branch_layers(block, "mlp")
        assert isinstance(norm, torch.nn.LayerNorm)
        tensors[f"{block}.norm.weight"] = norm.weight[None]
        tensors[f"{block}.norm.bias"] = norm.bias[None]
        tensors[f"{block}.layer_scale"] = scale(torch.ones(1, tower.embed_dim))
    return tensors


RECORDERS: dict[str, Callable[[ImageTransformer], dict[str, Tensor]]] = {
    "photographs": record_photographs,
    "scenes": record_scenes,
    "scene-patches": record_scene_patches,
    "objects": record_objects,
    "random": record_objects,
    "mlps": record_mlps,
}
FILES = {"random": "random-objects"}
PLACES = {
    "scene-patches": f"after block {OBJECT_BLOCK}",
    "objects": f"after block {OBJECT_BLOCK}",
    "random": f"after block {OBJECT_BLOCK}",
    "mlps": "before the MLP of six blocks",
}

if __name__ == "__main__":
    main()
