"""Names of other libraries, and what stands for them here.

People who know timm, peft, transformers or datasets write their names first. A keyword of theirs
does what ours does; for an attribute the message says what to write. Nothing else depends on these
tables, so a name can be added or taken out here alone. Tables of a few names stand at the function
that they belong to.
"""

#: keywords of `risbook.train` -> ours
TRAIN_KEYWORDS = {
    "dataset": "data",
    "train_data": "data",
    "train_dataset": "data",
    "val_data": "eval_data",
    "eval_dataset": "eval_data",
    "val_dataset": "eval_data",
    "validation_data": "eval_data",
    "system": "model",
    "num_epochs": "epochs",
    "output_dir": "out",
    "out_dir": "out",
    "save_dir": "out",
    "loss_fn": "loss",
    "criterion": "loss",
    "verbose": "show_progress",
}
#: fields of `risbook.training.TrainingConfig` among the keywords of `risbook.train` -> ours
TRAIN_FIELDS = {
    "lr": "learning_rate",
    "iterations": "steps",
    "max_steps": "steps",
    "num_steps": "steps",
    "save_steps": "save_every",
    "split": "splits",
    "warmup_steps": "warmup",
}
#: keywords of `risbook.systems.System.predict` -> ours
PREDICT_KEYWORDS = {
    "return_probs": "return_probability",
    "return_prob": "return_probability",
    "return_probabilities": "return_probability",
    "images": "image",
    "expression": "text",
    "prompt": "text",
    "sentence": "text",
    "query": "text",
}
#: methods of `risbook.apply_peft` -> those that messages propose
PEFT_METHOD_HINTS = {
    "adapter": "houlsby",
    "vpt-deep": "prompts-deep",
    "vpt-shallow": "prompts",
    "bias": "bitfit",
    "norm": "layer-norm",
    "linear-probe": "frozen",
    "finetune": "full",
}
#: options of these methods -> ours; result files have some of the names
PEFT_OPTIONS = {
    "rank": "r",
    "alpha": "lora_alpha",
    "dropout": "lora_dropout",
    "count": "num_prompts",
    "num_tokens": "num_prompts",
    "hidden": "bottleneck_dim",
    "hidden_dim": "bottleneck_dim",
    "dim": "bottleneck_dim",
    "bottleneck": "bottleneck_dim",
    "adapter_dim": "bottleneck_dim",
}
#: attributes of `risbook` -> what to write
PACKAGE_HINTS = {
    "collate_fn": "a DataLoader without collate_fn=: the default works",
    "apply_adapter": 'risbook.apply_peft(model, "houlsby")',
    "add_adapter": 'risbook.apply_peft(model, "houlsby")',
    "add_lora": 'risbook.apply_peft(model, "lora")',
    "available_models": "risbook.list_models()",
    "bridger": "risbook.adapters.Bridger",
    "build_model": 'risbook.load("etris-mini", pretrained=False)',
    "create_model": 'risbook.load("etris-mini", pretrained=False)',
    "dataset": 'risbook.data.load("refscenes", split="val")',
    "datasets": 'risbook.data.load("refscenes", split="val")',
    "etris": 'risbook.load("etris-mini"), or the class risbook.systems.ETRIS',
    "fit": 'risbook.train("etris-mini", data="refscenes", steps=200)',
    "finetune": 'risbook.train("etris-mini", data="refscenes", steps=200)',
    "from_pretrained": 'risbook.load("etris-mini")',
    "iou": "risbook.metrics.iou(pred, target)",
    "losses": "model.loss(logits, mask)",
    "miou": "risbook.metrics.miou(pred, target)",
    "models": "risbook.list_models()",
    "num_parameters": "risbook.count_parameters(model)",
    "open_data": 'risbook.data.open_data("refscenes")',
    "oiou": "risbook.metrics.oiou(pred, target)",
    "pipeline": 'risbook.load("etris-mini").predict(image, text)',
    "predict": 'risbook.load("etris-mini").predict(image, text)',
    "save": "model.save_pretrained(folder)",
    "save_model": "model.save_pretrained(folder)",
    "segment": 'risbook.load("etris-mini").predict(image, text)',
    "tokenize": "model.tokenizer(sentences)",
    "trainer": 'risbook.train("etris-mini", data="refscenes", steps=200)',
    **dict.fromkeys(
        ("overlay", "plot", "show", "show_mask", "visualize"),
        "risbook.figures.show_referring(image, prediction=mask, title=sentence)",
    ),
}
#: attributes of `risbook.systems.System` -> what to write
SYSTEM_HINTS = {
    "count_parameters": "risbook.count_parameters(model)",
    "evaluate": "risbook.evaluate(model, data)",
    "fit": "risbook.train(model, data, steps=200)",
    "finetune": "risbook.train(model, data, steps=200)",
    "freeze": "model.requires_grad_(False)",
    "merge_and_unload": "risbook.adapters.merge_lora(model)",
    "merge_adapters": "risbook.adapters.merge_lora(model)",
    "generate": "model.predict(image, text)",
    "num_parameters": "risbook.count_parameters(model)",
    "predict_mask": "model.predict(image, text)",
    "predict_proba": "model.predict(image, text, return_probability=True)",
    "save": "model.save_pretrained(folder)",
    "segment": "model.predict(image, text)",
    "train_on": "risbook.train(model, data, steps=200)",
    "trainable_parameters": "risbook.count_parameters(model)",
}
#: the same of systems with a `risbook.decoder.mask_head.MaskHead`
MASK_HEAD_HINTS = SYSTEM_HINTS | {
    "decoder": "model.head.decoder",
    "neck": "model.head.neck",
    "projector": "model.head.projector",
}
#: attributes of `risbook.data.ReferringDataset` -> what to write
DATASET_HINTS = {
    "batch": "DataLoader(data, batch_size=8)",
    "column_names": "list(data[0])",
    "features": "list(data[0])",
    "loader": "DataLoader(data, batch_size=8)",
    "shuffle": "DataLoader(data, shuffle=True)",
    "take": "data[:16]",
    "text": "data.text_kind, or data.sentences for the texts",
    "texts": "data.sentences",
    "to": "batches are moved, for instance batch['image'].to(device)",
    "split_by_image": "data.train_test_split(test_size=0.2)",
}
