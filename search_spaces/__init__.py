"""Search spaces: which plans may be asked for. One TOML file a space.

>>> from search_spaces import load_space
>>> load_space("head_wise").combinations
1792.0
"""

from search_spaces.candidates import Candidates
from search_spaces.space import SearchSpace, built_in_spaces, default_space, load_space

__all__ = ["Candidates", "SearchSpace", "built_in_spaces", "default_space", "load_space"]
