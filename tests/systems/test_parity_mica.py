"""MiCA equals the released code: names of all entries, what is tuned, counts, losses."""

from typing import Any

import pytest
import torch
from parity import RECORDINGS, Recording, read_shapes

from risbook.errors import DataError
from risbook.systems import build_meta_system
from risbook.systems.box_losses import box_loss, paired_box_iou
from risbook.systems.detris.rename_detris import rename_detris
from risbook.systems.losses import guarded_cross_entropy, resize_target
from risbook.systems.mica.rename_mica import rename_mica
from risbook.systems.parameters import count_parameters

KEYS = "mica/state_dict_keys_refcoco_base.tsv"


def test_parity_of_every_key() -> None:
    """Names, shapes and roles of every entry of the released files; an alias is read once."""
    official = {key: torch.empty(shape, device="meta") for key, shape in read_shapes(KEYS).items()}
    lines = (RECORDINGS / "mica/state_dict_keys_refcoco_base.tsv").read_text("utf-8").splitlines()
    roles = {line.split("\t")[0]: line.split("\t")[2] for line in lines}
    assert roles.keys() == official.keys()
    system = build_meta_system("mica-b")
    renamed = rename_mica(official)
    ours = {key: tuple(value.shape) for key, value in system.state_dict().items()}
    assert {key: tuple(value.shape) for key, value in renamed.items()} == ours
    names = {id(value): key for key, value in renamed.items()}
    tuned = {key for key, value in system.named_parameters() if value.requires_grad}
    trained = [key for key, role in roles.items() if role == "train"]
    assert len(trained) == len(tuned)
    assert {names.get(id(official[key])) for key in trained} == tuned
    # a file is recognised by its entries: it is none of DETRIS, of which MiCA's code is a fork
    with pytest.raises(DataError, match=r"_adapter.*: not an entry of a released DETRIS"):
        rename_detris(official)


#: of the other released configurations, as overrides of the one for RefCOCO
EVEN, ODD = list(range(0, 12, 2)), list(range(1, 12, 2))
PLUS = {
    **{"glia.blocks": EVEN, "text_glia.blocks": EVEN},
    **{"caa.blocks": ODD, "text_caa.blocks": ODD},
}
LARGE_G = {
    "image_tower": "dinov2-vitl14",
    "glia.blocks": list(range(1, 22, 4)),
    "caa.blocks": list(range(2, 23, 4)),
    "text_glia.blocks": EVEN,
    "text_caa.blocks": ODD,
}


@pytest.mark.parametrize(
    ("name", "overrides", "adapters", "tuned", "share"),
    [
        ("mica-b", {}, 3_189_120, 25_991_553, 0.02126),
        ("mica-b-reconstructed", {}, 2_894_208, 25_696_641, 0.01929),
        ("mica-b-reconstructed", {"glia.spatial_dims": 2}, 2_920_320, 25_722_753, 0.01947),
        ("mica-b", {"caa.condition": "none"}, 2_795_136, 25_597_569, 0.01863),
        ("mica-b", PLUS, 6_378_240, 29_180_673, 0.04252),
        ("mica-b", LARGE_G, 7_170_816, 30_366_465, 0.01950),
    ],
)
def test_parity_of_counts(
    name: str, overrides: dict[str, Any], adapters: int, tuned: int, share: float
) -> None:
    report = count_parameters(build_meta_system(name, overrides))
    assert (report.backbone_tuned, report.tuned) == (adapters, tuned)
    assert report.share_of_towers == pytest.approx(share, abs=5e-6)
    assert report.dead == 1_575_936  # queries and keys of the neck's three gates
    assert report.backbone_tuned / share == pytest.approx(
        367_800_832 if "image_tower" in overrides else 150_011_648, rel=1e-3
    )


def test_parity_mask_loss() -> None:
    file = Recording("mica/mask_loss.npz")
    for kind in ("", "_big"):
        logits = file[f"in/logits{kind}"].requires_grad_()
        target = resize_target(file["in/mask"], logits.shape[-2:])
        loss = guarded_cross_entropy(logits, target)
        loss.backward()
        file.compare("out/resized_mask", target)
        file.compare(f"out/loss{kind}", loss)
        file.compare(f"grad_in/logits{kind}", logits.grad)
    assert bool((file["in/logits_big"].abs() > 50).any())
    logits = file["in/logits_nan"].requires_grad_()
    loss = guarded_cross_entropy(logits, target)
    file.compare("out/loss_nan", loss)
    loss.backward()  # the released constant has no gradient, and its training stops here
    assert logits.grad is not None and not bool(logits.grad.any())
    file.assert_all_compared()


def test_parity_box_loss() -> None:
    file = Recording("mica/box_loss.npz")
    boxes, target = file["in/pred_cxcywh"].requires_grad_(), file["in/target_cxcywh"]
    losses = box_loss(boxes, target)
    losses["loss"].backward()
    file.compare("out/loss_l1", losses["l1"])
    file.compare("out/loss_giou", losses["giou"])
    file.compare("out/loss_total", losses["loss"])
    file.compare("grad_in/pred", boxes.grad)
    iou, _ = paired_box_iou(boxes, target)
    file.compare("out/iou", iou)
    file.compare("out/acc50", (iou >= 0.5).float().mean())
    file.assert_all_compared()
