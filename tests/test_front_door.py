"""The front door: what a newcomer types first works, in a new interpreter and in one line."""

import io
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import risbook
from risbook.errors import RisbookError
from risbook.systems import NetworkSystem, System


def test_every_room_opens_at_its_first_use() -> None:
    code = (
        "import sys, risbook; assert 'torch' not in sys.modules\n"
        "risbook.metrics.miou([[1]], [[1]]); assert 'torch' not in sys.modules\n"
        "print(*(type(getattr(risbook, name)).__name__ for name in dir(risbook)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"function", "module", "str", "type"}
    with pytest.raises(AttributeError, match="has no attribute 'laod'"):
        risbook.laod  # noqa: B018


def test_a_split_is_batched_by_a_plain_loader() -> None:
    data = risbook.data.load("refscenes-sample", split="val")
    sample = data[0]
    assert set(sample) >= {"image", "text", "mask"}
    batch = next(iter(DataLoader(data, batch_size=2)))
    assert batch["image"].shape[0] == batch["mask"].shape[0] == len(batch["text"]) == 2
    assert batch["image"].shape[-2:] == batch["mask"].shape[-2:]


def test_metrics_take_a_batch_of_the_data() -> None:
    data = risbook.data.load("refscenes-sample", split="val")
    target = next(iter(DataLoader(data, batch_size=3)))["mask"]
    with pytest.raises(RisbookError, match=r"threshold it first, for instance pred > 0\.35"):
        risbook.metrics.miou(0.3 * target, target)
    pred = torch.rand(target.shape, generator=torch.Generator().manual_seed(0)) > 0.5
    miou = risbook.metrics.miou(pred, target)
    assert 0 < miou < 1 and 0 < risbook.metrics.oiou(pred, target) < 1
    assert risbook.metrics.precision_at(pred, target, 0.9) == 0
    assert risbook.metrics.precision_at(target, target, [0.5, 0.9]) == {0.5: 1, 0.9: 1}
    assert risbook.metrics.miou(target, target) == pytest.approx(1, abs=1e-6)


def test_a_shipped_model_is_loaded_by_its_name() -> None:
    model = risbook.load("etris-mini")
    assert not model.training
    with pytest.raises(RisbookError, match="etris-mini"):
        risbook.load("etris-minni")


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG of a person's own: here a scene of the sample, 100 x 80."""
    pixels = risbook.data.load("refscenes-sample", split="val").image(0)[:80, :100]
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    Image.fromarray(pixels).save(path, quality=95)
    return path


@pytest.fixture(scope="module")
def model() -> System:
    return risbook.load("etris-mini")


def test_predict_takes_what_people_have(model: System, photograph: Path) -> None:
    mask = model.predict(str(photograph), "the left dog")
    assert mask.shape == (80, 100) and mask.dtype == np.bool_
    image = Image.open(photograph)
    for same in (photograph, image, np.asarray(image)):
        assert np.array_equal(model.predict(same, "the left dog"), mask)
    probability = model.predict(image, "the left dog", return_probability=True)
    assert probability.dtype == np.float32 and np.array_equal(probability > 0.35, mask)
    assert not model.predict(image, "the left dog", threshold=2.0).any()
    assert model.predict(image.convert("L"), "the left dog").shape == (80, 100)


def test_predict_leaves_every_module_in_its_mode(photograph: Path) -> None:
    model = risbook.load("etris-mini").train()
    model.image_tower.eval()
    modes = [module.training for module in model.modules()]
    model.predict(photograph, "the left dog")
    assert [module.training for module in model.modules()] == modes
    assert any(modes) and not all(modes)


@pytest.mark.parametrize(
    ("image", "text", "message"),
    [
        ("no-such-photo.jpg", "the left dog", "no-such-photo.jpg"),
        (np.full((8, 8, 3), 7.0), "the left dog", "uint8"),
        (None, "the left dog", "path, a PIL image"),
        ([[1, 2], [3, 4]], "the left dog", "must be one image"),
        (np.zeros((8, 8, 3), np.uint8), " ", "sentence is empty"),
        (np.zeros((8, 8, 3), np.uint8), 7, "not text"),
    ],
)
def test_predict_refuses_the_rest_in_one_line(
    model: System, image: Any, text: Any, message: str
) -> None:
    with pytest.raises(RisbookError, match=message) as caught:
        model.predict(image, text)
    assert "\n" not in str(caught.value)


def test_a_system_class_loads_by_name_too() -> None:
    assert isinstance(System.from_pretrained("first-model"), System)


def test_adapters_are_plain_modules() -> None:
    from risbook.adapters import Bridger, ZoomLayer

    bridger = Bridger(image_dim=512, text_dim=512)
    v, t = bridger(torch.randn(2, 512, 14, 14), torch.randn(2, 17, 512))
    assert v.shape == (2, 512, 14, 14) and t.shape == (2, 17, 512)
    (v.square().sum() + t.square().sum()).backward()
    assert all(parameter.grad is not None for parameter in bridger.parameters())
    assert isinstance(ZoomLayer, type)


def test_a_timm_tower_takes_lora() -> None:
    import timm

    from risbook.adapters import apply_peft

    tower = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=0)
    images = torch.randn(1, 3, 32, 32)
    expected = tower.eval()(images)
    apply_peft(tower, "lora", target_modules=["qkv"])
    assert torch.allclose(tower(images), expected, atol=1e-5)  # LoRA starts as no change
    tuned = [name for name, p in tower.named_parameters() if p.requires_grad]
    assert tuned and all("lora" in name for name in tuned)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
def test_rows_of_hugging_face_are_a_dataset(name: str, tmp_path: Path) -> None:
    path, png = tmp_path / name, io.BytesIO()
    Image.new("RGB", (12, 8), "grey").save(png, format="PNG")
    (tmp_path / "scene.png").write_bytes(png.getvalue())
    annotation = {"id": 5, "image_id": 3, "category_id": 18, "bbox": [1, 1, 4, 4], "iscrowd": 0}
    row = {
        "ref_id": 2,
        "ann_id": 5,
        "sent_ids": [4],
        "image_id": 3,
        "category_id": 18,
        "split": "train",
        "sentences": [{"raw": "Dog!", "sent": "dog", "sent_id": 4}],
        "raw_anns": json.dumps(annotation | {"segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]]}),
        "raw_image_info": json.dumps({"id": 3, "file_name": "scene.png", "height": 8, "width": 12}),
        "image_path": "scene.png",
    }
    if name.endswith(".jsonl"):
        path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pytest.importorskip("pyarrow").Table.from_pylist([row]), path)
    data = risbook.data.load(f"hf:{path}", image_size=32)
    (batch,) = DataLoader(data, batch_size=8)
    assert batch["text"] == ["dog"] and batch["image"].shape == (1, 3, 32, 32)
    assert data.mask(0).sum() == 16


def test_training_by_name(tmp_path: Path) -> None:
    fields = {"batch_size": 2, "show_progress": False}
    model = risbook.train("etris-mini", data="refscenes-sample", steps=2, splits=["val"], **fields)
    assert isinstance(model, System) and not model.training
    image = risbook.data.load("refscenes-sample", split="val").image(0)
    assert model.predict(image, "the left dog").shape == image.shape[:2]


def test_what_there_is_can_be_listed() -> None:
    assert "shipped" in risbook.list_models()["etris-mini"]
    assert {"refcoco", "refscenes"} <= set(risbook.list_datasets())
    assert set(risbook.list_peft_methods()) == set(risbook.adapters.PEFT_METHODS)
    assert risbook.list_adapters is risbook.list_peft_methods


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("add_lora", r'risbook\.apply_peft\(model, "lora"\)'),
        ("collate_fn", "the default works"),
        ("predict", r"\.predict\(image, text\)"),
        ("laod", r"risbook\.load$"),
        ("nonsense", r"dir\(risbook\)"),
    ],
)
def test_another_first_guess_is_answered(name: str, hint: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; try .*{hint}"):
        getattr(risbook, name)


def test_a_model_is_evaluated_counted_saved_and_called_with_sentences(tmp_path: Path) -> None:
    model = risbook.load_model("etris-mini")
    data = risbook.load_dataset("refscenes-sample", split="val", image_size=96)
    metrics = risbook.evaluate(model, data, batch_size=4, limit=6, show_progress=False)
    assert metrics["count"] == 6 and 0 < metrics["mIoU"] < 1 and 0 < metrics["oIoU"] < 1
    by_name = risbook.evaluate(model, "refscenes-sample", limit=6, show_progress=False)
    assert by_name == metrics
    report = risbook.count_parameters(model)
    assert f"{report.tuned:,}" in str(report)
    with pytest.raises(AttributeError, match=r"try model\.save_pretrained\(folder\)"):
        model.save  # noqa: B018
    model.save_pretrained(str(tmp_path / "copy"))
    copy = risbook.load(str(tmp_path / "copy"))
    batch = next(iter(DataLoader(data, batch_size=2)))
    with torch.no_grad():
        logits = model(batch["image"], batch["text"])
        assert torch.equal(logits, copy(batch["image"], batch["text"]))
        token_ids = model.tokenizer(batch["text"])
        assert torch.equal(logits, model(images=batch["image"], text=token_ids))
        assert torch.equal(logits, model(image=batch["image"], token_ids=token_ids))  # type: ignore[call-arg]
        assert torch.equal(logits, model(batch["image"], text=batch["text"]))
    assert logits.shape[-1] < batch["mask"].shape[-1]
    loss = model.loss(model(batch["image"], batch["text"]), batch["mask"])
    loss.backward()
    assert 0 < loss.item() < 1 and model.bridgers.stages["1"].text_in.weight.grad is not None
    assert (
        risbook.evaluate("etris-mini", data, limit=6, show_progress=False)["miou"]
        == (metrics["mIoU"])
    )
    with pytest.raises(KeyError, match="there are count, mIoU, oIoU"):
        metrics["dice"]
    with pytest.raises(RisbookError, match=r"evaluate takes a model.*or a function"):
        risbook.evaluate(7, data)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::risbook.tokenizers.word_tokenizer.UnknownWordWarning")
def test_a_model_is_trained_further_on_a_dataset() -> None:
    model = risbook.load("etris-mini")
    before = model.bridgers.stages["1"].text_in.weight.clone()
    data = risbook.data.load("refscenes-sample", split="train")
    trained = risbook.train(model, data, steps=2, batch_size=4, lr=1e-3, show_progress=False)
    assert trained is model
    assert [row["step"] for row in model.history if row["kind"] == "step"][-1] == 2
    change = (model.bridgers.stages["1"].text_in.weight - before).abs().max()
    assert 0 < change < 0.01
    with pytest.raises(RisbookError, match="the data is a int; give a name"):
        risbook.train("etris-mini", data=7, steps=1)  # type: ignore[arg-type]


def test_a_method_that_cannot_be_applied_leaves_the_model_as_it_was() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1))
    with pytest.raises(RisbookError, match="contains none"):
        risbook.apply_peft(network, "lora")
    assert all(parameter.requires_grad for parameter in network.parameters()) and network.training
    with pytest.raises(AttributeError, match=r"try risbook\.apply_lora"):
        risbook.adapters.LoRA  # noqa: B018


def test_a_sample_of_the_data_is_predicted(capsys: pytest.CaptureFixture[str]) -> None:
    model = risbook.load("etris-mini")
    data = risbook.data.load("refscenes-sample", split="val", image_size=96)
    sample = data[0]
    mask = model.predict(sample["image"], sample["text"])
    assert mask.shape == (96, 96) and mask.dtype == bool
    target = sample["mask"][0].numpy() > 0.5
    assert risbook.metrics.miou(mask, target) > 0.5
    with pytest.raises(RisbookError, match=r"it must be \(3, H, W\)"):
        model.predict(sample["mask"], sample["text"])
    model.print_trainable_parameters()
    assert "bridgers" in capsys.readouterr().out


def test_parameters_of_any_module_are_counted() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 1))
    model[0].requires_grad_(False)
    assert risbook.count_parameters(model, trainable_only=True) == 4
    assert "15" in str(risbook.count_parameters(model))


def test_keywords_of_other_libraries_are_taken_or_answered(model: System) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    probability = model.predict(image, expression="left dog", return_probs=True)  # type: ignore[call-overload]
    assert 0 <= probability.min() <= probability.max() <= 1
    with pytest.raises(TypeError, match="unexpected keyword argument 'vis_dim'"):
        risbook.adapters.Bridger(vis_dim=32, text_dim=16)  # type: ignore[call-arg]
    assert len(risbook.data.load("refscenes-sample", "val", img_size=32)[0]["image"][0]) == 32  # type: ignore[call-arg]
    with pytest.raises(
        TypeError, match=r"model\.predict has no keyword 'thresh'; did you mean thres"
    ):
        model.predict(image, "left dog", thresh=0.5)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"has no keyword 'transform': images are letterboxed"):
        risbook.data.load("refscenes-sample", transform=None)  # type: ignore[call-arg]
    with pytest.raises(RisbookError, match="tokenise them first"):
        model.text_tower(["the left dog"])


def test_lora_by_the_names_of_peft() -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(6, 4))
    tuned: Any = risbook.apply_lora(layers, r=2, lora_alpha=4, target_modules=["0"])
    assert risbook.count_parameters(tuned, trainable_only=True) == 2 * (6 + 4)
    assert tuned[0].scaling["default"] == 2
    everywhere = risbook.apply_lora(torch.nn.Sequential(torch.nn.Linear(6, 4)), rank=2)
    assert risbook.count_parameters(everywhere, trainable_only=True) == 2 * (6 + 4)
    with pytest.raises(RisbookError, match="rank is another name of r; give one"):
        risbook.apply_lora(everywhere, 2, rank=2)


def test_samples_of_ones_own_are_data(photograph: Path) -> None:
    mask = np.zeros((80, 100), np.uint8)
    mask[10:40, 20:60] = 255
    samples = [
        {"image": photograph, "text": ["left dog", "small dog"], "mask": mask},
        {"image": Image.open(photograph), "sentence": "right cat", "mask": Image.fromarray(mask)},
        (np.asarray(Image.open(photograph)), "the ball", torch.from_numpy(mask)[None] > 0),
    ]
    data = risbook.data.load(samples, image_size=64)
    assert data.sentences == ["left dog", "small dog", "right cat", "the ball"]
    assert data.mask(0).sum() == 30 * 40 and data.image(3).shape == (80, 100, 3)
    assert len({data.expression(index).image_id for index in range(4)}) == 1
    batch = next(iter(DataLoader(data, batch_size=4)))
    assert batch["image"].shape == (4, 3, 64, 64)
    metrics = risbook.evaluate("first-model", samples, show_progress=False)
    assert metrics["count"] == 4
    items = [risbook.data.load("refscenes-sample", split="val")[index] for index in range(2)]
    assert len(risbook.data.load(items)) == 2


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"image": np.zeros((4, 4, 3), np.uint8), "text": "dog"}, r"samples\[0\] has no 'mask'"),
        ({"image": "no.jpg", "text": "dog", "mask": np.ones((4, 4))}, r"samples\[0\]: no.jpg"),
        ((np.zeros((4, 4, 3), np.uint8), "dog", np.ones((4, 5))), "its image has 4 x 4 pixels"),
        ((np.zeros((4, 4, 3), np.uint8), "dog", np.zeros((4, 4))), "the mask is empty"),
        ((np.zeros((4, 4, 3), np.uint8), " ", np.ones((4, 4))), "text that is not empty"),
        (7, "a sample is a dictionary"),
    ],
)
def test_a_sample_that_is_malformed_is_named(sample: Any, message: str) -> None:
    with pytest.raises(RisbookError, match=message):
        risbook.data.load([sample])
    with pytest.raises(RisbookError, match="samples: there is no sample"):
        risbook.data.load([])


def test_a_part_of_a_split_is_a_dataset() -> None:
    data = risbook.data.load("refscenes-sample", split="validation", image_size=64)
    first = data[:4]
    assert (len(first), first.split) == (4, "val") and first.sentences == data.sentences[:4]
    subset = torch.utils.data.Subset(data, [0, 1, 2, 3])
    model = risbook.load("etris-mini")
    options: dict[str, Any] = {"show_progress": False}
    metrics = risbook.evaluate(model, first, **options)
    assert metrics["count"] == 4
    for same in (subset, DataLoader(subset, batch_size=2)):
        assert risbook.evaluate(model, same, **options) == metrics
    trained = risbook.train(model, subset, epochs=2, batch_size=2, device="cpu", **options)
    objects = len({first.expression(index).ref_id for index in range(4)})
    last = trained.history[-1]
    assert (last["step"], last["epoch"]) == (2 * max(1, objects // 2), 2)
    with pytest.raises(RisbookError, match="either steps or epochs"):
        risbook.train(model, subset, epochs=1, steps=1, **options)


def test_a_dataset_is_split_by_image() -> None:
    data = risbook.data.load("refscenes-sample", split="val", image_size=96)
    parts = data.train_test_split(test_size=0.3, seed=1)
    train, test = parts["train"], parts["test"]
    images = [{expression.image_id for expression in part.expressions} for part in (train, test)]
    assert len(train) + len(test) == len(data) and not images[0] & images[1]
    assert len(images[1]) == round(0.3 * len(images[0] | images[1]))
    again = data.train_test_split(test_size=len(images[1]), seed=1)
    assert again["test"].sentences == test.sentences
    assert data.train_test_split(random_state=2)["test"].sentences != test.sentences
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*trained on, too")
        options: dict[str, Any] = {"steps": 1, "batch_size": 2, "show_progress": False}
        model = risbook.train("etris-mini", train, eval_data=test, **options)
    assert model.history[-1]["count"] == len(test)
    for size in (0.0, 1.0, 0.01, 1000):
        with pytest.raises(RisbookError, match="must leave images to both parts"):
            data.train_test_split(size)


def test_any_function_of_an_image_and_a_sentence_is_evaluated() -> None:
    data = risbook.data.load("refscenes-sample", split="val")[:6]
    masks = {data.sentences[index]: data.mask(index) for index in range(6)}
    options: dict[str, Any] = {"show_progress": False}
    perfect = risbook.evaluate(lambda image, text: masks[text], data, **options)
    assert perfect["mIoU"] == pytest.approx(1, abs=1e-6) and perfect["count"] == 6
    empty = risbook.evaluate(lambda image, text: torch.zeros(image.shape[:2]), data, **options)
    assert empty["mIoU"] == 0
    with pytest.raises(RisbookError, match="bring the prediction to the image's own resolution"):
        risbook.evaluate(lambda image, text: np.ones((2, 2)), data, **options)


def test_loading_takes_a_device_and_changed_fields() -> None:
    model = risbook.load("ETRIS-mini", device="cpu", **{"head.dropout": 0.3})
    assert model.config.head.dropout == 0.3
    fresh = risbook.load("first-model", pretrained=False)
    assert fresh.tokenizer(["left"]).shape == (1, fresh.tokenizer.length)
    with pytest.raises(RisbookError, match=r"does not fit .*pretrained=False makes"):
        risbook.load("etris-mini", **{"bridger.dim": 8})
    smaller = risbook.load("etris-mini", pretrained=False, **{"bridger.dim": 8})
    assert smaller.config.bridger.dim == 8
    for name, message in (
        ("etris-rn50", "no trained weights in the package; load"),
        ("dinov2-mini", "is a tower"),
        ("etris-mimi", "did you mean 'etris-mini'"),
    ):
        with pytest.raises(RisbookError, match=message):
            risbook.load(name)
    with pytest.raises(TypeError, match=r"risbook\.load: missing a required argument: 'name'"):
        risbook.load()  # type: ignore[call-arg]


def test_several_images_are_predicted_in_one_call(model: System, photograph: Path) -> None:
    image = np.asarray(Image.open(photograph))
    single = model.predict(image, "the left dog")
    pairs = model.predict([image, image / 255], ["the left dog", "the ball"])
    assert len(pairs) == 2 and np.array_equal(pairs[0], single)
    both = model.predict([image, str(photograph)], "the left dog")
    assert len(both) == 2 and np.array_equal(both[0], single)
    with pytest.raises(RisbookError, match="2 images and 1 sentences"):
        model.predict([image, image], ["the left dog"])
    with pytest.raises(RisbookError, match="download the image first"):
        model.predict("https://example.org/photo.jpg", "the left dog")
    assert torch.equal(model.tokenizer("dog"), model.tokenizer(["dog"]))
    with pytest.raises(RisbookError, match=r"model\.predict\(image, text\) takes an image"):
        model(Image.open(photograph), "dog")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="return_probability=True"):
        model.predict_proba  # noqa: B018


def test_a_method_in_both_towers_of_a_model_is_saved_with_it(tmp_path: Path) -> None:
    model = risbook.apply_peft(risbook.load("etris-mini"), "lora", r=2, lora_alpha=4)
    assert model.config.image_peft == model.config.text_peft
    assert model.config.text_peft.options == {"r": 2, "lora_alpha": 4}
    tuned = {part.name: part.tuned for part in risbook.count_parameters(model).parts}
    assert tuned["image adapters"] > 0 and tuned["bridgers"] > 0
    model.save_pretrained(tmp_path)
    copy = risbook.load(tmp_path)
    image = risbook.data.load("refscenes-sample", split="val").image(0)
    options: dict[str, Any] = {"return_probability": True}
    expected = model.predict(image, "the ball", **options)
    assert np.array_equal(copy.predict(image, "the ball", **options), expected)
    with pytest.raises(
        RisbookError, match="image tower of etris-mini has the method 'lora' already"
    ):
        risbook.apply_peft(model, "houlsby")
    with pytest.raises(RisbookError, match="did you mean 'houlsby'"):
        risbook.apply_peft(model, "adapter")


def test_a_method_that_the_text_tower_refuses_leaves_no_trace_in_the_image_tower(
    tmp_path: Path,
) -> None:
    model, fresh = risbook.load("etris-mini"), risbook.load("etris-mini")
    model.bridgers.requires_grad_(False)
    with pytest.raises(RisbookError, match="qkv"):  # a layer of the image tower alone
        risbook.apply_peft(model, "lora", target_modules=["qkv"])
    assert model.config == fresh.config
    assert list(model.state_dict()) == list(fresh.state_dict())
    requires_grad = {name: p.requires_grad for name, p in fresh.named_parameters()}
    for name, parameter in model.named_parameters():
        expected = requires_grad[name] and not name.startswith("bridgers")
        assert parameter.requires_grad == expected, name
    risbook.apply_peft(model, "lora", r=2)  # a second try is not told that there is LoRA already
    model.save_pretrained(tmp_path)
    assert risbook.load(tmp_path).config == model.config


def test_towers_have_methods_and_options_of_their_own(tmp_path: Path) -> None:
    model = risbook.load("etris-mini")
    risbook.apply_peft(model, "lora", tower="image", r=2, target_modules=["qkv"])
    assert model.config.text_peft.method == "frozen"
    risbook.apply_peft(model, "houlsby", tower="text", bottleneck_dim=3)
    tuned = {name for name, p in model.named_parameters() if p.requires_grad}
    in_blocks = {name for name in tuned if name.startswith("image_tower.vit.blocks")}
    assert in_blocks and all(".attn.qkv.lora_" in name for name in in_blocks)
    image = risbook.data.load("refscenes-sample", split="val").image(0)
    options: dict[str, Any] = {"return_probability": True}
    expected = model.predict(image, "the ball", **options)
    model.save_pretrained(tmp_path / "both")
    copy = risbook.load(tmp_path / "both")
    assert np.array_equal(copy.predict(image, "the ball", **options), expected)
    # merging LoRA leaves the other tower's method and its options
    model = risbook.adapters.merge_lora(copy)
    assert model.config.image_peft.method == "frozen"
    assert model.config.text_peft.options == {"bottleneck_dim": 3}
    model.save_pretrained(tmp_path / "merged")
    merged = risbook.load(tmp_path / "merged").predict(image, "the ball", **options)
    assert np.allclose(merged, expected, atol=1e-3)
    with pytest.raises(RisbookError, match=r"the text tower .* has the method 'houlsby' already"):
        risbook.apply_peft(model, "bitfit", tower="text")
    model = risbook.load("etris-mini")
    assert model.apply_peft("lora", tower="image", r=2) is model
    model.apply_peft(risbook.adapters.PEFTConfig(method="bitfit"), tower="text")
    assert model.config.image_peft.options == {"r": 2}
    assert model.config.text_peft.method == "bitfit"


def test_many_images_are_predicted_in_batches(model: System) -> None:
    data = risbook.data.load("refscenes-sample", split="train")
    images = [data.image(index) for index in range(40)]
    sentences = data.sentences[:40]
    batches: list[int] = []
    hook = model.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0])))
    together = model.predict(images, sentences, return_probability=True)
    assert batches == [32, 8]
    hook.remove()
    for image, sentence, probability in zip(images, sentences, together, strict=True):
        alone = model.predict(image, sentence, return_probability=True)
        # The kernels of other batch sizes round otherwise, by some 1e-6 in float32.
        assert np.allclose(alone, probability, rtol=0, atol=1e-5)


def test_figures_take_what_people_have(photograph: Path) -> None:
    item = risbook.data.load("refscenes-sample", split="val", image_size=64)[0]
    risbook.figures.show_referring(item["image"], item["mask"], title=item["text"])
    risbook.figures.show_referring(photograph, prediction=np.ones((80, 100), bool))
    with pytest.raises(AttributeError, match="show_referring"):
        risbook.figures.overlay  # noqa: B018
    data = risbook.data.load("refscenes-sample", split="val")
    figure = risbook.figures.show_predictions(risbook.load("etris-mini"), data, limit=3)
    assert [ax.get_title().replace("\n", " ") for ax in figure.axes] == data.sentences[:3]


def test_bridgers_can_be_disabled(model: System, photograph: Path) -> None:
    options: dict[str, Any] = {"return_probability": True}
    expected = model.predict(photograph, "the left dog", **options)
    model.bridgers.disable()
    disabled = model.predict(photograph, "the left dog", **options)
    model.bridgers.disable(stages=[1])
    partly = model.predict(photograph, "the left dog", **options)
    model.bridgers.enable()
    assert not np.array_equal(disabled, expected) and not np.array_equal(partly, expected)
    assert np.array_equal(model.predict(photograph, "the left dog", **options), expected)
    with pytest.raises(RisbookError, match="no Bridger after stage 9"):
        model.bridgers.disable(stages=[9])
    assert {"dinov2-mini", "clip-rn50-text"} <= set(risbook.list_towers())


def test_images_of_another_size_are_resized_with_a_word(photograph: Path) -> None:
    model = risbook.load("etris-mini")
    data = risbook.data.load("refscenes-sample", split="val", image_size=192)
    batch = next(iter(DataLoader(data, batch_size=8)))
    with pytest.warns(UserWarning, match="192 x 192 are resized to the 96 x 96"), torch.no_grad():
        logits = model(batch["image"], batch["text"])
    masks = model.predict(batch["image"], batch["text"])
    assert logits.shape[0] == len(masks) == 8 and masks.shape[1:] == (192, 192)
    targets = torch.nn.functional.interpolate(batch["mask"], logits.shape[-2:]) > 0.5
    assert risbook.metrics.miou(logits > 0, targets) > 0.5


def test_parts_of_a_dataset_by_what_is_in_them() -> None:
    data = risbook.data.load("refscenes-sample", split="val", image_size=64)
    left = data.filter(lambda item: "left" in item["text"])
    assert 0 < len(left) < len(data) and all("left" in text for text in left.sentences)
    assert data[[1, 5]].sentences == [data.sentences[1], data.sentences[5]]
    assert data[np.array([1, 5])].sentences == data[torch.tensor([1, 5])].sentences
    assert data[np.arange(len(data)) < 2].sentences == data[:2].sentences
    small = data.filter(lambda sample: sample["mask"].mean() < 0.03)
    areas = [data.mask(index).mean() for index in range(len(data))]
    assert len(small) == sum(area < 0.03 for area in areas) > 0
    with pytest.raises(KeyError, match="a sample has text, category"):
        data.filter(lambda item: item["label"])
    metrics = risbook.evaluate("etris-mini", left, show_progress=False)
    assert np.mean(metrics.ious) == pytest.approx(metrics["mIoU"])
    with pytest.warns(UserWarning, match="whose image is letterboxed"):
        assert len(risbook.data.load([left[0], left[1]])) == 2


def test_own_losses_and_optimisers() -> None:
    shapes = []

    def dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        shapes.append((logits.shape, target.shape))
        probability = logits.sigmoid()
        return 1 - 2 * (probability * target).sum() / (probability.sum() + target.sum())

    model = risbook.train(
        "etris-mini",
        "refscenes-sample",
        steps=20,
        batch_size=2,
        loss=dice_loss,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        show_progress=False,
    )
    assert len(shapes) == 20 and shapes[0][0] == shapes[0][1]
    rates = [row["lr"] for row in model.history if row["kind"] == "step"]
    assert rates and len(model.history) >= 1
    with pytest.raises(RisbookError, match="steps or epochs"):
        risbook.train("etris-mini", "refscenes-sample", max_steps=1, num_epochs=1)


def test_lora_is_merged_into_the_weights(tmp_path: Path) -> None:
    model = risbook.apply_peft(risbook.load("etris-mini"), "lora", r=2)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.constant_(parameter, 0.02)
    image = risbook.data.load("refscenes-sample", split="val").image(0)
    expected = model.predict(image, "the ball", return_probability=True)
    assert risbook.adapters.merge_lora(model) is model
    assert not any("lora" in name for name, _ in model.named_parameters())
    model.save_pretrained(tmp_path)
    for merged in (model, risbook.load(tmp_path)):
        probability = merged.predict(image, "the ball", return_probability=True)
        assert np.allclose(probability, expected, atol=1e-3)
    with pytest.raises(RisbookError, match="no LoRA to merge"):
        risbook.adapters.merge_lora(model)


def test_systems_are_built_of_other_towers() -> None:
    model = risbook.systems.build_system("etris-mini", image_tower="dinov2-mini")
    assert model.config.image_tower == "dinov2-mini"
    with pytest.raises(RisbookError, match="pretrained=False makes the model with that tower"):
        risbook.load("etris-mini", image_tower="dinov2-mini")
    with pytest.raises(RisbookError, match="image_tower is Linear"):
        risbook.load("etris-mini", pretrained=False, image_tower=torch.nn.Linear(2, 2))
    random = risbook.towers.build_tower("dinov2-mini", pretrained=False)
    assert risbook.towers.weights_origin(random).kind == "random"


def test_intermediate_values_have_names(model: System) -> None:
    values = risbook.Intermediates()
    with torch.no_grad():
        model(torch.rand(1, 3, 96, 96), ["the left dog"], intermediates=values)
    assert "bridgers.1.fused: (1, " in repr(values) and values["bridgers.1.fused"].ndim == 4
    with pytest.raises(AttributeError, match="intermediates=values"):
        risbook.intermediates.record  # noqa: B018


def test_methods_applied_to_a_tower_by_itself_are_saved(tmp_path: Path) -> None:
    model = risbook.load("etris-mini")
    risbook.apply_peft(model.image_tower, "lora", r=2)
    risbook.apply_peft(model.text_tower, "bitfit")
    model.save_pretrained(tmp_path)
    copy = risbook.load(tmp_path)
    assert (copy.config.image_peft.method, copy.config.text_peft.method) == ("lora", "bitfit")
    image = risbook.data.load("refscenes-sample", split="val").image(0)
    probability = model.predict(image, "the ball", return_probability=True)
    assert np.array_equal(copy.predict(image, "the ball", return_probability=True), probability)
    with pytest.raises(RisbookError, match="the text tower"):
        risbook.apply_peft(copy, "houlsby", tower="text")
    risbook.apply_peft(model.text_tower, "houlsby")
    with pytest.raises(RisbookError, match="the methods bitfit and houlsby; a checkpoint can name"):
        model.save_pretrained(tmp_path)
    assert risbook.load(tmp_path).config.text_peft.method == "bitfit"
    with pytest.raises(RisbookError, match=r"image tower: .*tower=.text. gives one tower its own"):
        risbook.apply_peft(risbook.load("etris-mini"), "lora", target_modules=["q_proj"])


def test_a_trained_model_equals_its_copy_bit_for_bit(tmp_path: Path) -> None:
    model = risbook.load("etris-mini")
    data = risbook.data.load("refscenes-sample", split="val", image_size=model.image_size)
    risbook.train(model, data[:4], steps=1, batch_size=2, show_progress=False)
    model.save_pretrained(tmp_path)
    batch = next(iter(DataLoader(data, batch_size=2)))
    with torch.no_grad():
        logits = model(batch["image"], batch["text"])
        assert torch.equal(risbook.load(tmp_path)(batch["image"], batch["text"]), logits)
    with pytest.raises(RisbookError, match="the model is a int; give a name of"):
        risbook.train(7, data, steps=1)  # type: ignore[call-overload]


def test_a_network_of_ones_own_is_evaluated(model: System) -> None:
    class Network(torch.nn.Module):
        def forward(self, image: torch.Tensor, text: list[str]) -> torch.Tensor:
            return model(image, text)

    data = risbook.data.load("refscenes-sample", split="val", image_size=model.image_size)[:5]
    metrics = risbook.evaluate(Network(), data, show_progress=False)
    assert metrics == risbook.evaluate(model, data, show_progress=False)
    assert repr(metrics).startswith("count 5, mIoU 0.")


def test_a_model_without_bridgers() -> None:
    model = risbook.load("etris-mini", pretrained=False, bridger=None)
    assert model.config.bridger.stages == () and not list(model.bridgers.parameters())
    with pytest.raises(RisbookError, match="head is None; it must be values by name") as caught:
        risbook.load("etris-mini", pretrained=False, head=None)
    assert caught.value.__suppress_context__


class ColourNetwork(torch.nn.Module):
    """Logits of the image alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, stride=2, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 1, 3, padding=1),
        )

    def forward(self, image: torch.Tensor, text: list[str]) -> torch.Tensor:
        assert len(text) == len(image) and all(isinstance(sentence, str) for sentence in text)
        logits: torch.Tensor = self.layers(image)
        return logits


def test_a_network_of_ones_own_is_trained(tmp_path: Path) -> None:
    data = risbook.data.load("refscenes-sample", split="train", image_size=64)
    network = ColourNetwork()
    before = network.layers[0].weight.clone()
    options: dict[str, Any] = {"steps": 3, "batch_size": 4, "show_progress": False}
    trained = risbook.train(
        network, data, eval_data="refscenes-sample:val", out=tmp_path / "run", **options
    )
    assert trained is network and not torch.equal(network.layers[0].weight, before)
    assert {row["kind"] for row in network.history} >= {"step", "evaluation"}
    assert 0 <= risbook.evaluate(network, data[:4], show_progress=False)["mIoU"] < 1
    network.layers.append(torch.nn.Flatten())
    with pytest.raises(RisbookError, match=r"ColourNetwork returns \(4, 1024\); logits are"):
        risbook.train(network, data, **options)


def test_the_images_of_a_network_have_the_size_of_its_data() -> None:
    data = risbook.data.load("refscenes-sample", split="train", image_size=32)
    subset = torch.utils.data.Subset(torch.utils.data.Subset(data, range(8)), range(4))
    options: dict[str, Any] = {"steps": 1, "batch_size": 2, "show_progress": False}
    for form in (data[:4], [data[:4], data[4:8]], subset, [data[:4], "refscenes-sample"]):
        sizes: list[tuple[int, ...]] = []
        network = ColourNetwork()
        network.register_forward_pre_hook(lambda _, inputs, s=sizes: s.append(inputs[0].shape[-2:]))
        risbook.train(network, form, **options)
        assert sizes == [(32, 32)]
    larger = risbook.data.load("refscenes-sample", split="train", image_size=64)
    with pytest.raises(RisbookError, match="images of 32 and 64 pixels"):
        risbook.train(ColourNetwork(), [data, larger], **options)


def test_a_network_is_called_as_its_forward() -> None:
    system = NetworkSystem(ColourNetwork(), image_size=32)
    images = torch.rand(1, 3, 32, 32)
    expected = system.forward(images, ["left dog"])
    for sentences in (["left dog"], ("left dog",), "left dog"):
        assert torch.equal(system(images, sentences), expected)
        assert torch.equal(system.forward(images, sentences), expected)


def test_an_optimiser_keeps_the_rates_of_its_groups() -> None:
    model = risbook.load("etris-mini")
    model.image_tower.requires_grad_(True)
    groups = [
        {"params": list(model.image_tower.parameters()), "lr": 1e-5},
        {"params": list(model.head.parameters()), "lr": 1e-3},
    ]
    optimizer = torch.optim.AdamW(groups)
    before = [group["params"][0].clone() for group in groups]
    risbook.train(
        model, "refscenes-sample", steps=2, batch_size=2, optimizer=optimizer, show_progress=False
    )
    changes = [
        float((group["params"][0] - value).detach().abs().max())
        for group, value in zip(groups, before, strict=True)
    ]
    assert 0 < changes[0] < 1e-4 < changes[1]
    with pytest.raises(RisbookError, match="give one of the two"):
        risbook.train(
            model, "refscenes-sample", steps=1, optimizer=optimizer, lr_multipliers={"bridgers": 10}
        )
    data = [
        risbook.data.load("refscenes-sample", "train"),
        risbook.data.load("refscenes-sample", "train", text="raw"),
    ]
    with pytest.raises(RisbookError, match="the datasets differ in text_kind, raw and sent"):
        risbook.train(model, data, steps=1)


def test_a_loaded_dataset_takes_another_size_or_text() -> None:
    data = risbook.data.load("refscenes-sample", split="val", image_size=64)[:3]
    larger = risbook.data.load(data, image_size=96)
    assert (len(larger), larger.image_size, larger.text_kind) == (3, 96, "sent")
    assert risbook.data.load(torch.utils.data.Subset(data, [1]), text="raw").text_kind == "raw"
    assert (data.image_size, risbook.data.load(data).image_size) == (64, 64)
    train = risbook.data.load(data, "train")
    assert len(train) == 78 and train.image_size == 64


def test_a_network_keeps_its_mode_and_may_be_lazy() -> None:
    data = risbook.data.load("refscenes-sample", split="val", image_size=32)[:2]
    network = ColourNetwork().eval()
    risbook.evaluate(network, data, show_progress=False)
    assert not network.training
    network.layers[0] = torch.nn.LazyConv2d(8, 3, padding=1)
    risbook.train(network, data, steps=2, batch_size=1, show_progress=False)
    assert network.layers[0].weight.shape == (8, 3, 3, 3)


def test_masks_with_a_palette_are_read_by_colour(tmp_path: Path) -> None:
    mask = Image.fromarray(np.array([[0, 2, 2, 0]] * 3, np.uint8), mode="P")
    mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])  # the second class of PASCAL VOC is green
    mask.save(tmp_path / "mask.png")
    image = np.zeros((3, 4, 3), np.uint8)
    data = risbook.data.load([{"image": image, "text": "dog", "mask": tmp_path / "mask.png"}])
    assert data.mask(0).sum() == 6


def test_images_that_are_trained_on_and_held_out_are_told() -> None:
    data = risbook.data.load("refscenes-sample", split="train", image_size=32)
    options: dict[str, Any] = {"steps": 1, "batch_size": 2, "show_progress": False}
    with pytest.warns(UserWarning, match=r"78\]-2:train: 1 of 1 images are trained on, too"):
        risbook.train(ColourNetwork(), data[:2], eval_data=data[2:4], **options)
    samples = [{"image": data.image(i), "text": "dog", "mask": data.mask(i)} for i in (0, 60)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        risbook.train(ColourNetwork(), samples[:1], eval_data=[samples[1]], **options)
    with pytest.warns(UserWarning, match="1 of 1 images are trained on"):
        risbook.train(ColourNetwork(), samples[:1], eval_data=samples[:1], **options)
    val = risbook.data.load("refscenes-sample", split="val")
    with pytest.raises(RisbookError, match="load the name as a dataset, too"):
        risbook.train(ColourNetwork(), ["refscenes-sample", val], **options)


def test_warnings_name_the_line_of_the_user() -> None:
    data = risbook.data.load("refscenes-sample", split="val", image_size=96)[:2]
    samples = [
        {"image": data.image(i), "text": "the zzyzx", "mask": data.mask(i)} for i in range(2)
    ]
    options: dict[str, Any] = {"batch_size": 2, "show_progress": False}
    with pytest.warns(UserWarning, match="zzyzx") as warned:
        risbook.train(risbook.load("etris-mini"), samples, steps=1, **options)
        risbook.evaluate(risbook.load("etris-mini"), samples, **options)
        risbook.load("etris-mini")(torch.zeros(1, 3, 96, 96), ["the zzyzx"])
    files = [warning.filename for warning in warned if "zzyzx" in str(warning.message)]
    assert files == [__file__] * 3


def test_what_is_evaluated_is_shown() -> None:
    data = risbook.data.load("refscenes-sample", split="val", image_size=64)[:2]
    masks = {data.sentences[index]: data.mask(index) for index in range(2)}
    for model in ("etris-mini", ColourNetwork(), lambda image, text: masks[text]):
        assert len(risbook.figures.show_predictions(model, data, limit=2).axes) >= 2
    risbook.figures.show_predictions("etris-mini", "refscenes-sample", limit=1)
    with pytest.raises(RisbookError, match="evaluate takes a model"):
        risbook.figures.show_predictions(7, data)
    with pytest.raises(RisbookError, match="returned 3 masks for one sentence"):
        risbook.figures.show_predictions(lambda image, text: np.ones((3, 8, 8), bool), data)


def test_empty_masks_are_told() -> None:
    data = risbook.data.load("refscenes-sample", split="val", image_size=64)[:4]
    options: dict[str, Any] = {"show_progress": False}
    network = ColourNetwork()
    torch.nn.init.constant_(network.layers[-1].bias, -50)
    message = r"all 4 predicted masks are empty: no probability is above the threshold 0\.35"
    with pytest.warns(UserWarning, match=message):
        risbook.evaluate(network, data, **options)
    with pytest.warns(UserWarning, match=r"all 3 predicted masks are empty$"):
        risbook.evaluate(lambda image, text: np.zeros(image.shape[:2]), data, limit=3, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        risbook.evaluate(lambda image, text: np.ones(image.shape[:2]), data, **options)


def test_a_name_may_hold_its_split() -> None:
    val = risbook.data.load("refscenes-sample:val", image_size=64)
    assert (val.name, val.split, len(val)) == ("refscenes-sample", "val", 30)
    options: dict[str, Any] = {"limit": 2, "show_progress": False}
    by_split = risbook.evaluate("etris-mini", "refscenes-sample", "train", **options)
    assert risbook.evaluate("etris-mini", "refscenes-sample:train", **options) == by_split
    training: dict[str, Any] = {"steps": 1, "batch_size": 2, "show_progress": False}
    data = "refscenes-sample:val"
    model = risbook.train("etris-mini", data, **training, eval_data="refscenes-sample:train")
    assert isinstance(model, System)
    for call in (
        lambda: risbook.data.load(data, split="val"),
        lambda: risbook.evaluate(model, data, "val"),
        lambda: risbook.train("etris-mini", data, splits=["val"], **training),
        lambda: risbook.train("etris-mini", val, splits=["train"], **training),
    ):
        with pytest.raises(RisbookError, match="split"):
            call()
    with pytest.raises(RisbookError, match="there is no dataset or folder 'refscenes-samples'"):
        risbook.data.load("refscenes-samples:val")


def test_fields_of_the_system_are_keywords_of_train() -> None:
    options: dict[str, Any] = {"steps": 1, "batch_size": 2, "show_progress": False}
    model = risbook.train(
        "etris-mini",
        "refscenes-sample",
        bridger=None,
        **{"head.dropout": 0.2},
        overrides={"head.ffn_dim": 64},
        **options,
    )
    assert isinstance(model, System) and model.config.bridger.stages == ()
    assert (model.config.head.dropout, model.config.head.ffn_dim) == (0.2, 64)
    with pytest.raises(RisbookError, match=r"bridger cannot be changed, because the model is bu"):
        risbook.train(model, "refscenes-sample", bridger=None, **options)
    with pytest.raises(RisbookError, match=r"no field 'bridgers'; did you mean bridger\? fields"):
        risbook.train("etris-mini", "refscenes-sample", bridgers=None, **options)
    with pytest.raises(RisbookError, match="image_tower is Linear"):
        risbook.train("etris-mini", "refscenes-sample", image_tower=torch.nn.Linear(2, 2))


def test_the_share_of_tuned_parameters_is_explained(model: System) -> None:
    report = risbook.count_parameters(model)
    line = str(report).splitlines()[-1]
    towers = sum(
        part.tuned + part.frozen
        for part in report.parts
        if part.name.endswith(("tower", "position embedding"))
    )
    assert f"= {report.backbone_tuned:,} (tuned: bridgers) / {towers:,} (tuned and frozen: " in line
    assert "image position embedding" in line
    assert "the backbone" not in str(risbook.count_parameters("first-model"))


def test_sentences_and_images_of_a_dataset_are_changed_by_map() -> None:
    data = risbook.data.load("refscenes-sample", split="val", image_size=96)[:6]
    same = data.map(lambda sample: {})
    assert same.sentences == data.sentences and same.image_size == 96
    assert all(np.array_equal(same.mask(i), data.mask(i)) for i in range(6))
    neutral = data.map(lambda sample: {**sample, "text": "object"})
    assert neutral.sentences == ["object"] * 6
    flipped = data.map(lambda s: {"image": s["image"][:, ::-1], "mask": s["mask"][:, ::-1]})
    assert np.array_equal(flipped.image(0), data.image(0)[:, ::-1])
    assert np.array_equal(flipped.mask(0), data.mask(0)[:, ::-1])
    with pytest.raises(RisbookError, match="neutral word"):
        data.map(lambda sample: {"text": ""})


def test_training_says_what_it_starts_from(capsys: pytest.CaptureFixture[str]) -> None:
    risbook.train("etris-mini", "refscenes-sample", steps=1, batch_size=2)
    assert "start from random weights; risbook.train(risbook.load('etris-mini'), ...)" in (
        capsys.readouterr().err
    )
