"""CLIP's ViT equals what the released code of ETRIS computed."""

from official_towers import clip_tower
from parity import Recording, assert_near


def test_parity_image_tower_of_etris() -> None:
    """Twelve blocks; between them the bridgers' recorded answers are added to the patches."""
    file = Recording("etris/full_small_vit.npz")
    tower = clip_tower(file.below("w.backbone.visual."), heads=3)
    tokens, grid = tower.embed(file["in.img"])
    assert_near(tokens, file["mid.backbone.visual.ln_pre"])
    done = 0
    for bridger, stop in enumerate((4, 8, 12)):
        tokens, done = tower.forward_blocks(tokens, done, stop), stop
        recorded = file[f"mid.backbone.visual.transformer.resblocks.{stop - 1}"]
        assert_near(tokens, recorded.transpose(0, 1))
        patches = tower.tokens_to_map(tokens, grid) + file[f"mid.bridger.zoom_out.{bridger}"]
        tokens = tower.replace_patches(tokens, patches)
        if stop < 12:
            assert_near(patches, file[f"mid.bridger.out_vis{bridger}"])
    assert_near(
        tower.tokens_to_map(tower.forward_final(tokens), grid), file["mid.bridger.out_vis2"]
    )
