"""``risbook export``: a checkpoint as one ONNX file."""

from pathlib import Path


def export(checkpoint: str, out: Path) -> None:
    """Write a checkpoint as one ONNX file, which runs without PyTorch.

    Args:
        checkpoint: a folder, a name that comes with the package, or owner/name on the Hugging Face
            Hub.
        out: the file to write, for instance model.onnx.

    for example:
      risbook export detris-s detris-s.onnx

    The graph reads pixels (1, 3, S, S) from 0 to 255, letterboxed, and token ids (1, L). It returns
    the probability (1, S, S) that a pixel belongs to the object. It needs the packages onnx and
    onnxscript. Run it with the basic level of graph optimisation, because ONNX Runtime gives wrong
    masks with more.
    """
    from risbook.systems import load_system
    from risbook.systems.onnx_export import export_onnx

    system = load_system(checkpoint)
    size = export_onnx(system, out)
    length = system.tokenizer.length
    print(f"{out}: {size / 1e6:.1f} MB, {system.image_size} pixels, {length} token ids")
