"""Files of weights: what is read, what is refused, and what a tower takes."""

import hashlib
import re
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from risbook.errors import DataError
from risbook.layers.pos_embed import resize_clip_pos_embed
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.families import FAMILIES, TowerFamily, register_tower_family
from risbook.towers.freezing import freeze
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.published_formats import (
    PUBLISHED_FORMATS,
    KeyMapping,
    PublishedFormats,
)
from risbook.towers.weights.loading import convert, load_weights
from risbook.towers.weights.origin import WeightsOrigin, set_weights_origin, weights_origin
from risbook.towers.weights.tensor_files import check_tensors, file_digest, find_file, read_weights


def clip(table: int = 4) -> ImageTransformer:
    return ImageTransformer(
        style="clip",
        embed_dim=16,
        depth=1,
        num_heads=2,
        patch_size=8,
        pos_grid=table,
        output_dim=8,
        out_indices=(0,),
    )


def resnet(*, connect: bool = True) -> CLIPResNet:
    return CLIPResNet(
        layers=(1, 1, 1, 1), width=4, output_dim=8, num_heads=2, pos_grid=3, connect=connect
    )


def test_a_family_of_ones_own_ignores_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    formats = PublishedFormats((KeyMapping("mine", "stem.weight", ((r"^stem\.", "conv."),)),))
    monkeypatch.setitem(FAMILIES, "my-family", None)  # so that both are gone after the test
    monkeypatch.setitem(PUBLISHED_FORMATS, "my-family", None)
    register_tower_family("my-family", TowerFamily(CLIPResNet, formats=formats))
    assert list(
        convert({"stem.weight": torch.ones(1), "norm.bias": torch.ones(1)}, "my-family")
    ) == [
        "conv.weight",
        "norm.bias",
    ]


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth", "w.bin"])
def test_reading_and_finding(tmp_path: Path, name: str) -> None:
    state = {"a": torch.arange(3.0)}
    if name.endswith(".safetensors"):
        save_file(state, tmp_path / name)
    else:
        torch.save({"state_dict": state, "epoch": 3}, tmp_path / name)
    weights = read_weights(find_file(tmp_path))
    assert list(weights) == ["a"] and torch.equal(weights["a"], state["a"])


def test_the_old_pickle_of_torch_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_weights(path)["a"], torch.ones(2))


def test_code_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    torch.save({"a": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(DataError, match=r"trap\.pt: not a file of weights that can be") as caught:
        read_weights(tmp_path / "trap.pt")
    assert not (tmp_path / "ran").exists()
    # torch's own message recommends to load the file without protection
    assert "weights_only" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.tensor([0.0, float("nan")]), "vit.bias holds values that are not finite"),
        (torch.tensor([float("-inf")]), "vit.bias holds values that are not finite"),
        (torch.ones(2, dtype=torch.int64), "vit.bias is of type int64; a weight has to be a float"),
        (torch.ones(2, dtype=torch.bool), "vit.bias is of type bool"),
        (torch.ones(2, dtype=torch.complex64), "vit.bias is of type complex64"),
        (torch.ones(2).to_sparse(), "vit.bias is sparse or quantised"),
        (torch.zeros(()).expand(10**6, 10**6), "vit.bias claims more numbers than the file holds"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of sparse tensors
def test_what_is_no_weight_is_named(value: Tensor, message: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"vit.bias": value}, path)
    with pytest.raises(DataError, match=f"^{re.escape(f'{path}: {message}')}"):
        read_weights(path)
    if value.layout == torch.strided and value.numel() < 10:
        save_file({"vit.bias": value}, tmp_path / "w.safetensors")
        with pytest.raises(DataError, match=re.escape(message)):
            read_weights(tmp_path / "w.safetensors")


def test_counts_may_be_integers() -> None:
    state = {"bn.num_batches_tracked": torch.tensor(3), "context_length": torch.tensor(77)}
    check_tensors(state, "file")
    with pytest.raises(DataError, match=r"^file: bn\.num_batches_tracked is of type complex64"):
        check_tensors({"bn.num_batches_tracked": torch.tensor(3j)}, "file")


def test_names_of_a_file_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    torch.save({"a\x1b[2J\nb": torch.tensor([float("nan")])}, tmp_path / "w.pth")
    with pytest.raises(DataError) as caught:
        read_weights(tmp_path / "w.pth")
    assert "a[2J b holds values" in str(caught.value) and str(caught.value).isprintable()


def zip_file(path: Path, pickled: bytes, *, compression: int = zipfile.ZIP_STORED) -> Path:
    """An archive in the layout of `torch.save`."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
    return path


def test_compressed_entries_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1_000_000)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    assert (tmp_path / "bomb.pth").stat().st_size < 20_000
    with pytest.raises(DataError, match=r"bomb\.pth: holds compressed entries"):
        read_weights(tmp_path / "bomb.pth")


DEEP = b"\x80\x02})" + b"\x85" * 300_000 + b"K\x01s."
LONG = b"\x80\x02}" + b"2" * 2_000_000 + b"."


@pytest.mark.parametrize("pickled", [DEEP, LONG], ids=["deep", "long"])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_that_would_crash_or_hang(pickled: bytes, zipped: bool, tmp_path: Path) -> None:
    """A key of nested tuples overflows C's stack when it is hashed, and the process dies."""
    path = tmp_path / "w.pth"
    if zipped:
        zip_file(path, pickled)
    else:
        path.write_bytes(pickled)
    with pytest.raises(DataError, match="too long or too deep"):
        read_weights(path)


def test_torchscript_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ViT-B-16.pt"
    with zipfile.ZipFile(path, "w") as archive:  # the layout of a scripted model
        archive.writestr("model/data.pkl", b"")
        archive.writestr("model/code/__torch__/model.py", "")
    with pytest.raises(DataError, match=r"TorchScript archive.*open_clip_model\.safetensors"):
        read_weights(path)


def test_bad_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder of weights"):
        find_file(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no file of weights"):
        find_file(tmp_path)
    for name in ("a.pt", "b.safetensors"):
        (tmp_path / name).write_text("some text\n" * 10)
        with pytest.raises(DataError, match=f"{name}: not a file of weights"):
            read_weights(tmp_path / name)
    with pytest.raises(DataError, match=r"several files \(a\.pt, b\.safetensors\)"):
        find_file(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert find_file(tmp_path).name == "model.safetensors"
    torch.save([1], tmp_path / "list.pt")
    with pytest.raises(DataError, match="more than names and tensors"):
        read_weights(tmp_path / "list.pt")


def test_too_many_too_few_another_shape() -> None:
    state = clip().state_dict()
    with pytest.raises(DataError, match=r"this tower has no weight vit\.extra"):
        load_weights(clip(), state | {"vit.extra": torch.ones(1)}, family="clip-vit")
    less = {name: value for name, value in state.items() if name != "vit.norm.bias"}
    with pytest.raises(DataError, match=r"a weight is missing: vit\.norm\.bias"):
        load_weights(clip(), less, family="clip-vit")
    with pytest.raises(
        DataError, match=r"projection is \(16, 7\) in the file and \(16, 8\) in the tower$"
    ):
        load_weights(clip(), state | {"projection": torch.ones(16, 7)}, family="clip-vit")
    with pytest.raises(DataError, match=r"pos_embed is \(1, 17, 16\) .* \(1, 37, 16\).*pos_grid="):
        load_weights(clip(table=6), state, family="clip-vit")


def test_a_refused_file_changes_nothing() -> None:
    tower, other = clip(), clip().state_dict()
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    with pytest.raises(DataError):
        load_weights(tower, other | {"vit.norm.bias": torch.ones(3)}, family="clip-vit")
    assert all(torch.equal(before[name], value) for name, value in tower.state_dict().items())


@pytest.mark.parametrize("half", [False, True])
def test_the_table_is_resized(half: bool) -> None:
    state = {n: v.half() if half else v for n, v in clip().state_dict().items()}
    tower = clip(table=6)
    load_weights(tower, state, family="clip-vit", resize=True)
    expected = resize_clip_pos_embed(state["vit.pos_embed"], (6, 6), prefix=1)
    assert tower.vit.pos_embed.dtype == torch.float32
    assert torch.equal(tower.vit.pos_embed, expected.float())


def test_only_the_residual_branch_may_be_absent() -> None:
    state = resnet(connect=False).state_dict()
    tower = resnet()
    weight = tower.attention_pool.connect[0].weight.clone()  # type: ignore[index]
    assert load_weights(tower, state, family="clip-resnet") == ("attention_pool.connect",)
    assert torch.equal(tower.attention_pool.connect[0].weight, weight)  # type: ignore[index]
    full = resnet().state_dict()
    assert load_weights(resnet(), full, family="clip-resnet") == ()
    del full["attention_pool.connect.0.weight"]
    with pytest.raises(DataError, match=r"missing: attention_pool\.connect\.0\.weight"):
        load_weights(resnet(), full, family="clip-resnet")


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert file_digest(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_origin_is_part_of_the_tower() -> None:
    import copy

    tower = clip()
    assert str(weights_origin(tower)) == "random weights"
    set_weights_origin(
        tower, WeightsOrigin("published", "timm/x@12345678", "ab" * 32, ("attention_pool.connect",))
    )
    assert str(weights_origin(copy.deepcopy(tower))) == (
        "published weights: timm/x@12345678 (sha256 abababab), but attention_pool.connect random"
    )
    assert weights_origin(tower).as_dict()["kind"] == "published"


def test_freezing_keeps_gradients_to_the_input() -> None:
    layer = freeze(nn.Sequential(nn.Linear(2, 2), nn.Dropout()))
    x = torch.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None and layer[0].weight.grad is None and not layer.training
