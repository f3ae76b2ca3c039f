"""The commands, one function each; its signature is its command line."""
