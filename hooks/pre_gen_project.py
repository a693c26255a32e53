"""Check the answers of a replay: it asks nothing, and so does not pass the check of local_extensions."""

import json
import sys

# tojson escapes the single quote, so that no answer can end the literal
answers = json.loads(r"""{{ cookiecutter | tojson }}""")
if answers["__checked"] != "yes":
    sys.path.insert(0, answers["_repo_dir"])
    from local_extensions import refusal

    sys.exit(refusal(answers))
