"""risbook: parameter-efficient referring image segmentation, taught by building it.

Importing the package is cheap on purpose: it loads neither transformers nor timm nor
matplotlib. Import the room that you need, for instance ``from risbook.data import open_data``.
"""

__version__ = "0.1.0"
