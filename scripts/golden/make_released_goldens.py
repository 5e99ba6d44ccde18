"""Writes test/golden/released/optimizer.json: what the formulas of the released optimizer give, as docs/method.md describes it.

python3 scripts/golden/make_released_goldens.py

Standard library only. Nothing of it is shared with src: loops over blocks, where src has closed forms over distances.
"""

import json
import math
import random
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parents[2] / "test/golden/released/optimizer.json"
BLOCK = 64
LENGTHS = [
    {"profile": [2048, 4096, 8192], "constrain": [2048, 4096, 8192, 16384]},
    {"profile": [1024, 2048, 4096], "constrain": [1024, 2048, 4096, 8192]},
    {"profile": [1536, 4096], "constrain": [1536, 6144]},
]


def rules_of(profile, constrain):
    """Alphas as numpy's linspace(-shortest, longest profiled, (longest profiled + shortest) // 1024 + 1) has them, betas in eighths."""
    shortest, profiled, longest = min(profile + constrain), max(profile), max(profile + constrain)
    count = (profiled + shortest) // 1024 + 1
    alphas = [-shortest + k * (profiled + shortest) / (count - 1) for k in range(count)]
    rules = [
        (alpha, eighths / 8)
        for alpha in alphas
        for eighths in range(9)
        if alpha + eighths / 8 * profiled <= profiled
        and alpha + eighths / 8 * longest <= longest
        and alpha + eighths / 8 * shortest > 0
    ]
    return sorted(rules, key=lambda rule: (rule[0] + rule[1] * longest, rule[0]))


def mask(rule, blocks):
    """Whether block row i sees block column j: the sink, and the local blocks with the diagonal's."""
    alpha, beta = rule
    local = max(1, int(alpha // BLOCK + beta * blocks))
    return [[j <= i and (j == 0 or i - j < local) for j in range(blocks)] for i in range(blocks)]


def priced_blocks(rule, tokens):
    return max(sum(row) for row in mask(rule, tokens // BLOCK))


def cached_blocks(rule, tokens):
    alpha, beta = rule
    return math.ceil(max(min(int(alpha + beta * tokens), tokens), 128) / BLOCK)


def loss(rule, influence):
    """Sum of what the mask leaves out of the lower triangle."""
    seen = mask(rule, len(influence))
    return sum(influence[i][j] for i in range(len(influence)) for j in range(i + 1) if not seen[i][j])


def influence_of(blocks, rng):
    return [[rng.random() * math.exp(-0.2 * (i - j)) if j <= i else 0.0 for j in range(blocks)] for i in range(blocks)]


def intervals_of(low, high, count):
    ends = [low + (high - low) * k / count for k in range(count + 1)]
    return [[ends[k], ends[k + 1]] for k in range(count)]


def main():
    rng = random.Random(16)
    spaces = []
    for lengths in LENGTHS:
        rules = rules_of(**lengths)
        spaces.append(
            {
                **lengths,
                "rules": rules,
                "priced": {n: [priced_blocks(rule, n) for rule in rules] for n in lengths["constrain"]},
                "cached": {n: [cached_blocks(rule, n) for rule in rules] for n in lengths["constrain"]},
            }
        )
    tokens, rules = 2048, rules_of(**LENGTHS[0])
    influence = influence_of(tokens // BLOCK, rng)
    bounds = [
        {
            "budget": budget,
            "tokens": n,
            "heads": 12,
            "lower": math.ceil(0.9 * budget * 12 * n / BLOCK - 1e-9),
            "upper": math.floor(budget * 12 * n / BLOCK + 1e-9),
        }
        for budget in (0.25, 0.3, 0.5)
        for n in (2048, 4096)
    ]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    out = {
        "command": "python3 scripts/golden/make_released_goldens.py",
        "python": sys.version.split()[0],
        "spaces": spaces,
        "loss": {"tokens": tokens, "rules": rules, "influence": influence, "losses": [loss(rule, influence) for rule in rules]},
        "bounds": bounds,
        "intervals": {"low": 3.0, "high": 11.0, "count": 4, "ends": intervals_of(3.0, 11.0, 4)},
    }
    OUT.write_text(json.dumps(out) + "\n")


main()
