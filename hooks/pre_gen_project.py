"""Check the answers of a replay too: it asks nothing, and so does not pass the filter ``checked``."""

import json
import sys

# cookiecutter renders this with local_extensions; tojson escapes the single quote, so that no answer ends the literal
sys.exit(json.loads(r'''{{ cookiecutter | refusal | tojson }}'''))  # fmt: skip
