"""Weights of towers, on their way from a published file into a tower.

1. `lookup` finds the file: in the package, in a folder, or on the hub.
2. `tensor_files` reads names and tensors from it, without running code.
3. `risbook.towers.published_formats` says under which names CLIP and DINOv2 are published, and how
   these become ours.
4. `loading` converts the names and fills the tower, completely or not at all.
5. `origin` notes at the tower where its weights come from.
"""
