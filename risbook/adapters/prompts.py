"""Prompts: learned tokens among those of the image or of the sentence.

Image tower: Jia et al., 2022, "Visual prompt tuning", section 3.2. Prompts stand after the class
token and the registers; they are inserted once (shallow) or replaced before every block (deep).
Text tower: Zhou et al., 2022, "Learning to prompt for vision-language models" (CoOp), section 3.2.
The context vectors, shared by all sentences, stand between the start token and the words. CoOp
gives them position embeddings and moves the words up; here words keep theirs, and no sentence
becomes too long.

Prompts are the one method that changes the tower's output before anything is learned.
"""

from risbook.towers.transformer_tower import TransformerTower


def add_shallow_prompts(tower: TransformerTower, *, num_prompts: int = 16) -> None:
    """Add K prompts at the first block: K C parameters. CoOp has 16."""
    tower.add_prompts(num_prompts)


def add_deep_prompts(tower: TransformerTower, *, num_prompts: int = 16) -> None:
    """Add K prompts per block: K C parameters per block."""
    tower.add_prompts(num_prompts, deep=True)
