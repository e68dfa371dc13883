"""Adapters: small parts that learn inside towers that do not."""

from risbook.adapters.bottleneck import Bottleneck
from risbook.adapters.bridger import Bridger, Bridgers
from risbook.adapters.houlsby import Serial
from risbook.adapters.methods import METHODS, Method, tune
from risbook.adapters.parallel import Parallel

__all__ = [
    "METHODS",
    "Bottleneck",
    "Bridger",
    "Bridgers",
    "Method",
    "Parallel",
    "Serial",
    "tune",
]
