"""Check the answers of a replay too: it asks nothing, and so does not pass the filter ``checked``."""

import sys

# cookiecutter renders this with local_extensions; pprint writes the message as a literal of Python
sys.exit({{ cookiecutter | refusal | pprint }})  # fmt: skip
