"""Parameter-efficient tuning of one tower: the table of methods, and how they are applied.

`peft_methods` is the table, and `peft_config` names one of its methods with options. `apply_peft`
applies it to a tower, a system or any module; if it fails, `snapshot` restores the model.
`peft_notes` notes on the tower what it got. The methods themselves lie in `risbook.adapters`.
"""
