"""Prompts: learned tokens that stand among those of the image or of the sentence.

In the image tower they are those of Jia et al., 2022, "Visual prompt tuning", section 3.2: put in
behind the class token (and the registers) at the first block, and left to the blocks (shallow), or
replaced before every block by that block's own (deep). In the text tower they are those of Zhou et
al., 2022, "Learning to prompt for vision-language models" (CoOp), section 3.2: context vectors
shared by all sentences, between the start token and the words. CoOp gives them places of the
position table and moves the words up; here words keep their places and no sentence becomes too
long.

They are the one method that changes what the tower says before anything is learned.
"""

from risbook.towers.transformer_tower import TransformerTower


def add_shallow_prompts(tower: TransformerTower, *, count: int = 16) -> None:
    """Add prompts at the first block: K C parameters.

    Args:
        tower: a transformer tower of width C.
        count: number of prompts K; CoOp's 16.
    """
    tower.add_prompts(count)


def add_deep_prompts(tower: TransformerTower, *, count: int = 16) -> None:
    """Add prompts before every block: K C parameters a block.

    Args:
        tower: a transformer tower of width C.
        count: number of prompts K at each block.
    """
    tower.add_prompts(count, deep=True)
