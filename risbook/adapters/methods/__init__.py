"""Generic methods inside one tower: their table, how they are applied, and what notes them.

`peft_methods` is the table, and `peft_config` names one of its methods with options.
`peft_application` applies it to a tower, a system or any module, and `applied_peft` notes on the
tower what it got. The room of the adapters, `risbook.adapters`, has the modules themselves.
"""
