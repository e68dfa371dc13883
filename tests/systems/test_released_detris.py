"""Checkpoints of the released DETRIS: recognised, converted, computing what was recorded."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from official_detris import detris_overrides, our_names, tower_sizes
from parity import Recording, read_shapes
from released_files import random_state, write_released
from safetensors.torch import load_file, save_file
from torch import Tensor

from risbook.config import with_overrides
from risbook.errors import DataError, RisbookError
from risbook.ledger import reported_results
from risbook.systems import (
    SystemPreset,
    build_meta_system,
    convert_released,
    load_released,
    load_system,
    read_released,
)
from risbook.systems.detris import DETRISConfig, build_detris
from risbook.systems.detris.rename_detris import RELEASED_DETRIS, rename_detris
from risbook.systems.mismatch import first_mismatch
from risbook.systems.system_presets import SYSTEMS
from risbook.tokenizers.clip_tokenizer import CLIPTokenizer
from risbook.tokenizers.interface import ShapeOnlyTokenizer
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.presets import TOWERS, TowerPreset

SHAPES = {
    name: read_shapes(f"detris/state_dict_keys_{kit}.tsv")
    for name, kit in (("detris-b", "B"), ("detris-l", "L"), ("detris-l-mixed", "Lmix"))
}


def released_state(file: Recording) -> dict[str, Tensor]:
    """The recorded weights; the recordings hold scalars in the shape (1,)."""
    scalars = ("num_batches_tracked", "logit_scale")
    return {k: v.reshape(()) if k.endswith(scalars) else v for k, v in file.below("sd/").items()}


def tower_files(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The frozen towers of a released model, as Meta and OpenAI publish theirs."""
    frozen = {name: value for name, value in state.items() if ".adapter." not in name}
    return tuple(  # type: ignore[return-value]
        {k.removeprefix(prefix): v for k, v in frozen.items() if k.startswith(prefix)}
        for prefix in ("dinov2.", "txt_backbone.")
    )


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recording:
    """The recorded small model as the preset "detris-recorded", its frozen towers as files."""
    file = Recording("detris/full_small.npz")
    image_sizes, text_sizes = tower_sizes(file)
    image_file, text_file = tower_files(released_state(file))
    image_folder, text_folder = tmp_path / "image", tmp_path / "text"
    for folder, weights in ((image_folder, image_file), (text_folder, text_file)):
        folder.mkdir()
        save_file(weights, folder / "model.safetensors")
    WordTokenizer.from_sentences(["a dog"], length=17, ends=True).to_file(
        text_folder / "tokenizer.json"
    )
    image_preset = TowerPreset("dinov2", image_sizes, folder=image_folder)
    text_preset = TowerPreset(
        "clip-text", text_sizes, folder=text_folder, tokenizer_class=WordTokenizer
    )
    monkeypatch.setitem(TOWERS, "recorded-image", image_preset)
    monkeypatch.setitem(TOWERS, "recorded-text", text_preset)
    towers = {"image_tower": "recorded-image", "text_tower": "recorded-text"}
    config = with_overrides(DETRISConfig(), detris_overrides(file) | towers)
    preset = SystemPreset("as recorded", config, build_detris, released=RELEASED_DETRIS)
    monkeypatch.setitem(SYSTEMS, "detris-recorded", preset)
    return file


def stand_in_file(path: Path, name: str, patch: pytest.MonkeyPatch) -> Path:
    """A file of shapes alone, since 700 MB need not be written to read their names."""
    path.touch()
    entries = {
        f"module.{key}": torch.zeros(()).expand(shape) for key, shape in SHAPES[name].items()
    }
    patch.setattr("risbook.systems.released_checkpoints.read_weights", lambda path: entries)
    return path


# what a converted checkpoint computes and holds


@pytest.mark.parametrize("whole", [False, True])
def test_a_converted_checkpoint_computes_what_was_recorded(
    recorded: Recording, tmp_path: Path, whole: bool
) -> None:
    path = write_released(released_state(recorded), tmp_path / "refcoco.pth")
    convert_released(path, tmp_path / "run", "detris-recorded", whole=whole)
    path.unlink()
    system = load_system(tmp_path / "run")
    with torch.no_grad():
        recorded.compare("out/eval_logits", system(recorded["in/img"], recorded["in/word"]))
    saved = set(load_file(tmp_path / "run" / "model.safetensors"))
    frozen = {name for name, value in system.named_parameters() if not value.requires_grad}
    in_towers = {name for name in frozen if "tower." in name}
    assert saved == set(system.state_dict()) - (set() if whole else in_towers)
    origins = json.loads((tmp_path / "run" / "config.json").read_text())["towers"]
    assert all(origin.get("inside", False) == whole for origin in origins.values())
    # and it is saved and loaded again as any other
    system.save_pretrained(tmp_path / "copy")
    again = load_system(tmp_path / "copy")
    assert again.about == system.about and again.about["released"]["data"] == "refcoco"
    with torch.no_grad():
        recorded.compare("out/eval_logits", again(recorded["in/img"], recorded["in/word"]))


def test_a_released_checkpoint_is_read_without_conversion(
    recorded: Recording, tmp_path: Path
) -> None:
    path = write_released(released_state(recorded), tmp_path / "refcoco.pth")
    system = load_released(path, tokenizer=ShapeOnlyTokenizer(17))  # and recognised
    assert system.name == "detris-recorded" and not system.training
    with torch.no_grad():
        recorded.compare("out/eval_logits", system(recorded["in/img"], recorded["in/word"]))
    # nothing is lost: the class token's position embedding is kept beside the sum
    state = system.state_dict()
    class_token = state["image_tower.vit.cls_token"] - state["class_pos_embed"]
    torch.testing.assert_close(class_token, recorded["sd/dinov2.cls_token"])
    assert state["mask_token"].equal(recorded["sd/dinov2.mask_token"])


def test_a_tokenizer_of_another_length_is_refused(recorded: Recording, tmp_path: Path) -> None:
    path = write_released(released_state(recorded), tmp_path / "refcoco.pth")
    message = "makes 22 tokens per sentence; detris-recorded of this file has 17: give a tokenizer"
    with pytest.raises(RisbookError, match=message):
        load_released(path, tokenizer=ShapeOnlyTokenizer(22))


def test_towers_in_16_bit_have_to_be_written(recorded: Recording, tmp_path: Path) -> None:
    """A plain state dict in 16 bit: its frozen weights are rounded."""
    path = tmp_path / "refcoco.pth"
    state = released_state(recorded)
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, path)
    with pytest.raises(RisbookError, match=r"holds the image_tower in float16, .* add --whole"):
        convert_released(path, tmp_path / "run")
    convert_released(path, tmp_path / "run", whole=True)
    system = load_system(tmp_path / "run")
    assert {value.dtype for value in system.parameters()} == {torch.float32}


def test_writing_changes_nothing_of_what_was_read(recorded: Recording, tmp_path: Path) -> None:
    path = write_released(released_state(recorded), tmp_path / "refcoco.pth")
    released = read_released(path)
    released.write(tmp_path / "tuned", whole=False, results=[])
    assert released.meta_system.config == released.config
    assert released.meta_system.about == {} and released.about.keys() == {"license", "released"}


def test_other_frozen_towers_are_refused(recorded: Recording, tmp_path: Path) -> None:
    path = write_released(released_state(recorded), tmp_path / "refcoco.pth")
    convert_released(path, tmp_path / "run", "detris-recorded")
    file = tmp_path / "text" / "model.safetensors"
    weights = load_file(file)
    weights["ln_final.bias"] = weights["ln_final.bias"] + 1
    save_file(weights, file)
    with pytest.raises(DataError, match=r"frozen weights of its text_tower are not .* --whole"):
        load_system(tmp_path / "run")


# what a file is


@pytest.mark.parametrize("name", list(SHAPES))
def test_the_preset_is_recognised(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stand_in_file(tmp_path / "refcocog_u.pth", name, monkeypatch)
    released = read_released(path)
    assert (released.name, released.data, released.config.max_tokens) == (name, "refcocog_u", 22)


def test_another_preset_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stand_in_file(tmp_path / "refcoco.pth", "detris-l", monkeypatch)
    for name in ("detris-b", "detris-l-mixed"):
        message = rf"is a checkpoint of detris-l, not of {name}; name that, or none$"
        with pytest.raises(DataError, match=message):
            load_released(path, name)
    with pytest.raises(DataError, match=r"not a checkpoint of kkakkkka/ETRIS \(.*: not an entry"):
        load_released(path, "etris-rn50")


@pytest.mark.parametrize(
    ("name", "data", "length"),
    [
        ("lagre_refcoco.pth", "refcoco", 17),
        ("base-refcoco+.pth", "refcoco+", 17),
        ("refcoco_plus.pth", "refcoco+", 17),
        ("DETRIS_base_refcocog_u.pth", "refcocog_u", 22),
        ("refcocog_umd.pth", "refcocog_u", 22),
        ("refcocog-google.pth", "refcocog_g", 17),
        ("refcoco-g_umd.pth", "refcocog_u", 22),
        ("RefCOCO_g_u.pth", "refcocog_u", 22),
        ("refcoco-g-google.pth", "refcocog_g", 17),
        ("refcoco_unc.pth", "refcoco", 17),
        ("refcoco_mixup.pth", "refcoco", 17),
        ("DETRIS_large_mixed.pth", "refcoco_mixed", 17),
        ("refcoco-mix.pth", "refcoco_mixed", 17),
    ],
)
def test_the_name_of_a_file_tells_its_data(name: str, data: str, length: int) -> None:
    assert RELEASED_DETRIS.find_data(Path(name), None, {}) == data
    assert RELEASED_DETRIS.max_tokens[data] == length


def test_what_was_trained_on_is_given_or_told(tmp_path: Path) -> None:
    find_data = RELEASED_DETRIS.find_data
    assert find_data(Path("best.pth"), "refcoco+", {}) == "refcoco+"
    assert find_data(Path("refcoco.pth"), "refcocog_u", {}) == "refcocog_u"
    assert find_data(Path("best.pth"), None, {"max_tokens": 20}) is None
    unclear = ("refcocog.pth", "refcocogs.pth", "refcoco_g.pth", "refcoco-g.pth", "refcoco_umd.pth")
    for name in ("best_model.pth", "grefcoco.pth", "mixup.pth", *unclear):
        with pytest.raises(RisbookError, match=r"trained on, .* refcocog_u \(22\), .*max_tokens$"):
            find_data(Path(name), None, {})
    with pytest.raises(RisbookError, match="no data set of jiaqihuang01/DETRIS is called 'coco'"):
        find_data(Path("refcoco.pth"), "coco", {})


# every entry counts


def test_every_kind_of_entry_is_accounted_for() -> None:
    """Of the 994 entries, one of each name with other numbers: without it, and one beside it."""
    expected = build_meta_system("detris-b").state_dict()
    official = {key: torch.empty(shape, device="meta") for key, shape in SHAPES["detris-b"].items()}
    ours = our_names(official)

    def misfit(entries: dict[str, Tensor]) -> str:
        try:
            state = rename_detris(entries)
        except DataError as error:
            return str(error)
        sources = {name: key for key, name in our_names(entries).items()}
        return first_mismatch(state, expected, expected, sources=sources)

    assert misfit(official) == ""
    kinds = {re.sub(r"\d+", "#", key): key for key in official}
    assert len(kinds) > 90
    for key in kinds.values():
        last = key.rpartition(".")[2]
        is_joined = "resblocks" in key and last.startswith("in_proj")  # three weights of ours
        our_name = "layers.11.self_attn." if is_joined else ours.get(key, last)
        missing = misfit({k: v for k, v in official.items() if k != key})
        assert "is missing" in missing, missing
        assert our_name in missing or key in missing, missing
        surplus = misfit(official | {f"{key}_extra": official[key].clone()})
        surplus_name = our_name if is_joined else f"{last}_extra"
        assert surplus_name in surplus, surplus
        wrong = misfit(official | {key: torch.empty(7, 5, 3, 2, 1, device="meta")})
        assert wrong, key


@pytest.mark.parametrize(
    "name",
    [
        "backbone.positional_embedding",
        "dinov2.blocks.0.adapter.S_fc1.weight",
        "dinov2.blocks.0.adapter.D_fc1.weight",
        "txt_backbone.visual.proj",
        "neck.extra.weight",
        "neck.txt_proj.bias",
    ],
)
def test_an_entry_too_many_is_named(recorded: Recording, tmp_path: Path, name: str) -> None:
    path = write_released(released_state(recorded), tmp_path / "refcoco.pth")
    content = torch.load(path, weights_only=True)
    content["state_dict"][name] = torch.zeros(3)  # beside "module.neck.txt_proj.bias"
    torch.save(content, path)
    with pytest.raises(DataError, match=re.escape(name.removeprefix("dinov2.blocks.0.adapter."))):
        load_released(path, "detris-recorded", tokenizer=ShapeOnlyTokenizer(17))


def test_position_embeddings_of_no_grid_are_told() -> None:
    official = {key: torch.empty(shape, device="meta") for key, shape in SHAPES["detris-b"].items()}
    official["dinov2.pos_embed"] = torch.empty(768, device="meta")
    with pytest.raises(DataError, match=r"^dinov2\.pos_embed: its shape is \(768,\), not"):
        rename_detris(official)


# the file of the B model at its full size


@pytest.mark.slow
def test_a_file_of_the_full_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """994 entries with random weights, and in one block of each tower the recorded adapters."""
    carrier = importlib.util.find_spec("open_clip")
    if carrier is None or not carrier.submodule_search_locations:
        pytest.skip("the list of merges is not here: pip install open_clip_torch")
    merges = Path(carrier.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz"
    tokenizer = CLIPTokenizer.from_vocabulary(merges, length=17)

    state = random_state(SHAPES["detris-b"])
    aligner, text_adapter = (Recording(f"detris/{kit}_official_b.npz") for kit in ("da", "ta"))
    for file, block in (
        (aligner, "dinov2.blocks.1."),
        (text_adapter, "txt_backbone.transformer.resblocks.1."),
    ):
        for name, value in file.below("sd/").items():
            key = f"{block}adapter.{name}"
            state[key] = value.reshape(state[key].shape)
    path = write_released(state, tmp_path / "refcoco.pth")
    folders = [tmp_path / "weights" / name for name in ("dinov2-vitb14", "clip-vitb16")]
    for folder, weights in zip(folders, tower_files(state), strict=True):
        folder.mkdir(parents=True)
        torch.save(weights, folder / "tower.pth")
    tokenizer.to_file(folders[1] / "tokenizer.json")
    monkeypatch.setenv("RISBOOK_WEIGHTS", str(tmp_path / "weights"))

    released = convert_released(path, tmp_path / "tuned", find_results=reported_results)
    assert (released.name, released.data) == ("detris-b", "refcoco")
    convert_released(path, tmp_path / "whole", whole=True)
    size = (tmp_path / "tuned" / "model.safetensors").stat().st_size
    assert 102e6 < size < 103e6
    card = ModelCard.load(tmp_path / "tuned" / "README.md")
    assert card.data.license == "mit" and "| refcoco | testA | 78.2 | 77.6 |" in card.text

    images = torch.randn(1, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    token_ids = tokenizer(["the left dog"])
    logits = []
    for system in (
        load_released(path),
        load_system(tmp_path / "tuned"),
        load_system(tmp_path / "whole"),
    ):
        with torch.no_grad():
            logits.append(system.eval().forward(images, token_ids))
            adapters = (system.image_tower.adapters["1_mlp"], system.text_tower.adapters["1_mlp"])
            aligned = adapters[0].adapter(aligner["in/x"], aligner["in/text"], num_extra_tokens=5)
            aligner.compare("out/eval", aligned)
            text_adapter.compare("out/eval", adapters[1].adapter(text_adapter["in/x"]))
        assert system.tokenizer(["the left dog"]).equal(token_ids)
    assert logits[0].shape == (1, 1, 32, 32) and bool(logits[0].isfinite().all())
    assert logits[1].equal(logits[0]) and logits[2].equal(logits[0])
