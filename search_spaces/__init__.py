"""Search spaces: which plans may be asked for. One TOML file a space.

>>> from search_spaces import load_space
>>> load_space("head_wise").size
409
"""

from search_spaces.space import SearchSpace, built_in_spaces, load_space

__all__ = ["SearchSpace", "built_in_spaces", "load_space"]
