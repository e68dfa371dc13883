"""The configuration of a generic method inside a tower: its name and its options."""

from dataclasses import field

from risbook.adapters.peft.peft_methods import read_options
from risbook.config import Options, configuration


@configuration
class PEFTConfig:
    """A method and its options.

    Args:
        method: a name of `risbook.adapters.PEFT_METHODS`.
        options: keyword arguments of the method's function, for instance
            ``{"bottleneck_dim": 32}``; aliases are replaced by the names here.

    Raises:
        RisbookError: if there is no such method, or it has no option of this name.

    >>> PEFTConfig(method="lora", options={"rank": 4})
    PEFTConfig(method='lora', options={'r': 4})
    """

    method: str = "frozen"
    options: Options = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = read_options(self.method, self.options)
        object.__setattr__(self, "options", options)
