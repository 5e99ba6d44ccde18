"""Makes test/golden/models: tiny random checkpoints and what Hugging Face transformers computes from them.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch transformers numpy safetensors tokenizers
    /tmp/venv/bin/python scripts/golden/make_model_goldens.py

One folder per model: config.json and weights (some sharded, in bf16, fp16 and fp32; several configurations share those of llama3), golden.json
(integers, scalars, versions)
and golden.safetensors:
  logits32, logits64   [rows, vocab]       of the rows in golden.json, model run in float32 and in float64
  attention_gradients  [layers, T, H * D]  of the mean cross-entropy over the answer with respect to each layer's attention output (float64)
The `influence` folder also has the eager attention-influence sums of docs/method.md, per KV head and distance bin of 64, in float64:
  elementwise, elementwise_sink [epsilons, layers, kvHeads, bins];  joint [layers, kvHeads, bins]
"""
import json
import os
import platform
import shutil
import sys

import numpy
import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "golden", "models")
WEIGHTS = "model.safetensors"
TOKENS, ANSWER, NEW = 80, 12, 20
GRADIENT_STRIDE = 2  # every second row of the gradients is kept: the files are in git
CAPTURED = []


def eager(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs):
    """Causal attention in the dtype of the query throughout (transformers' own eager softmax is always float32)."""
    group = query.shape[1] // key.shape[1]
    k, v = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
    scores = query @ k.transpose(2, 3) * scaling
    rows = torch.arange(k.shape[2] - query.shape[2], k.shape[2])[:, None]
    scores = scores.masked_fill(torch.arange(k.shape[2])[None] > rows, float("-inf"))
    a = scores.softmax(-1)
    if a.requires_grad:
        a.retain_grad()
        CAPTURED.append((a, v))
    return (a @ v).transpose(1, 2).contiguous(), a


ALL_ATTENTION_FUNCTIONS["golden"] = eager

BASE = dict(hidden_size=64, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16, vocab_size=128,
            rms_norm_eps=1e-5, max_position_embeddings=256, hidden_act="silu", bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(architectures=["LlamaForCausalLM"], model_type="llama", tie_word_embeddings=False, attention_bias=False, mlp_bias=False)
MODELS = {
    # Both forms of the rope parameters occur: the one before transformers 5 and the one since.
    "llama2": (dict(BASE, architectures=["LlamaForCausalLM"], model_type="llama", num_key_value_heads=4, rope_theta=10000.0, rope_scaling=None,
                    tie_word_embeddings=False, torch_dtype="float32"), torch.float32, 1),
    "llama3": (dict(BASE, **LLAMA3, rope_theta=500000.0, torch_dtype="bfloat16", rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)), torch.bfloat16, 1),
    "mistral": (dict(BASE, architectures=["MistralForCausalLM"], model_type="mistral", rope_parameters=dict(rope_theta=10000.0, rope_type="default"),
                     sliding_window=None, tie_word_embeddings=False, dtype="float16"), torch.float16, 2),
    "qwen2": (dict(BASE, architectures=["Qwen2ForCausalLM"], model_type="qwen2", rope_theta=1000000.0, use_sliding_window=False, sliding_window=32,
                   tie_word_embeddings=True, torch_dtype="bfloat16"), torch.bfloat16, 1),
    "qwen3": (dict(BASE, architectures=["Qwen3ForCausalLM"], model_type="qwen3", head_dim=32, rope_theta=1000000.0, attention_bias=False,
                   tie_word_embeddings=True, torch_dtype="bfloat16"), torch.bfloat16, 3),
    "llama-linear": (dict(BASE, **LLAMA3, rope_theta=10000.0, rope_scaling=dict(type="linear", factor=4.0), torch_dtype="bfloat16"), torch.bfloat16, "llama3"),
    "llama-dynamic": (dict(BASE, **LLAMA3, rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=2.0), torch_dtype="bfloat16") |
                      dict(max_position_embeddings=64), torch.bfloat16, "llama3"),
    "llama-yarn": (dict(BASE, **LLAMA3, dtype="bfloat16", rope_parameters=dict(
        rope_theta=10000.0, rope_type="yarn", factor=4.0, original_max_position_embeddings=64, beta_fast=16.0)), torch.bfloat16, "llama3"),
    "influence": (dict(BASE, **LLAMA3, rope_theta=10000.0, torch_dtype="bfloat16"), torch.bfloat16, "llama3"),
}


def randomise(model, seed, dtype):
    """Random weights with peaked attention and spread logits, exactly representable in `dtype`."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                w = 1 + 0.2 * torch.randn(p.shape, generator=g)
            elif name.endswith("bias"):
                w = 0.5 * torch.randn(p.shape, generator=g)
            else:
                gain = 2.0 if "q_proj" in name or "k_proj" in name else 1.0
                w = gain * torch.randn(p.shape, generator=g) / p.shape[1] ** 0.5
            p.copy_(w.to(dtype).to(p.dtype))


def save(model, folder, shards):
    """As save_pretrained would for a large model: `shards` files and their index, or one file."""
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    state = {k: v.contiguous() for k, v in model.state_dict().items() if k not in tied}
    names = sorted(state)
    parts = [names[i::shards] for i in range(shards)]
    files = [f"model-{i + 1:05d}-of-{shards:05d}.safetensors" if shards > 1 else WEIGHTS for i in range(shards)]
    for file, part in zip(files, parts, strict=True):
        save_file({k: state[k] for k in part}, os.path.join(folder, file), metadata={"format": "pt"})
    if shards > 1:
        with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
            total = sum(v.numel() * v.element_size() for v in state.values())
            weight_map = {k: file for file, part in zip(files, parts, strict=True) for k in part}
            json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, f, indent=1)


def load(folder, dtype):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="golden").eval()
    assert all(p.dtype == dtype for p in model.parameters())
    return model


def attention_gradients(model, ids, answer):
    """Gradients at the inputs of every o_proj, of the mean cross-entropy of the last `answer` tokens; and that loss."""
    outputs, hooks = [], []
    for layer in model.model.layers:
        def keep(_, args):
            args[0].retain_grad()
            outputs.append(args[0])
        hooks.append(layer.self_attn.o_proj.register_forward_pre_hook(keep))
    CAPTURED.clear()
    logits = model(ids[:, :-1]).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[-answer:], ids[0, -answer:])
    model.zero_grad()
    loss.backward()
    [h.remove() for h in hooks]
    return torch.stack([o.grad[0] for o in outputs]), loss.item()


def influence(group, sink, epsilons, bins):
    """Influence as docs/method.md defines it, with every matrix in memory, from the attention kept by the last backward."""
    elementwise = torch.zeros(len(epsilons), len(CAPTURED), group[1], bins, dtype=torch.float64)
    at_sink, joint = torch.zeros_like(elementwise), torch.zeros(len(CAPTURED), group[1], bins, dtype=torch.float64)
    for l, (a_, _) in enumerate(CAPTURED):
        A, G = a_[0].detach(), a_.grad[0]
        n = A.shape[1]
        i, j = torch.arange(n)[:, None], torch.arange(n)[None]
        causal, b = (j <= i), torch.div(i - j, 64, rounding_mode="floor")
        delta = (A * G).sum(-1, keepdim=True)
        for h in range(A.shape[0]):
            kv = h // group[0]
            for e, eps in enumerate(epsilons):
                E = -A[h] / (eps + 1 - A[h]) * (G[h] - delta[h])
                E[0, 0] = -G[h, 0, 0] * A[h, 0, 0]
                for k in range(bins):
                    here = causal & (b == k)
                    elementwise[e, l, kv, k] += E[here & (j >= sink)].abs().sum()
                    at_sink[e, l, kv, k] += E[here & (j < sink)].abs().sum()
            for k in range(bins):
                masked = (j >= sink) & (i - j >= 64 * k) & (i != j)
                keep = (causal & ~masked).to(A.dtype)
                joint[l, kv, k] += ((A[h] * G[h] * keep).sum(-1) / (A[h] * keep).sum(-1) - delta[h, :, 0]).abs().sum()
    return elementwise, at_sink, joint


def make(name, spec, seed):
    """One folder. The third part of `spec` is the number of shards, or the folder whose weights it shares: then it keeps none of its own."""
    config, dtype, shards = spec
    folder = os.path.join(OUT, name)
    shared = None if isinstance(shards, int) else os.path.join(OUT, shards, WEIGHTS)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
    if shared is None:
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32)
        randomise(model, seed, dtype)
        save(model.to(dtype), folder, shards)
    else:
        shutil.copy(shared, folder)

    is_influence = name == "influence"
    tokens, answer = (201, 24) if is_influence else (TOKENS, ANSWER)
    ids = torch.randint(3, config["vocab_size"], (1, tokens), generator=torch.Generator().manual_seed(seed + 1000))
    golden = dict(tokens=ids[0].tolist(), answerStart=tokens - answer, versions=dict(
        python=platform.python_version(), torch=torch.__version__, transformers=transformers.__version__,
        safetensors=safetensors.__version__, numpy=numpy.__version__), command="python scripts/golden/make_model_goldens.py")
    arrays = {}
    m64 = load(folder, torch.float64)
    grads, golden["answerLoss"] = attention_gradients(m64, ids, answer)
    if is_influence:
        epsilons, sink, group = [2 ** -7, 2 ** -23], 64, (config["num_attention_heads"] // config["num_key_value_heads"], config["num_key_value_heads"])
        bins = -(-(tokens - 1) // 64)
        arrays["elementwise"], arrays["elementwise_sink"], arrays["joint"] = influence(group, sink, epsilons, bins)
        golden.update(epsilons=epsilons, sink=sink, bins=bins)
    else:
        rows = [0, 1, 2, 7, 31, 63, 64, 66, tokens - 2, tokens - 1]
        arrays["attention_gradients"] = grads.float()[:, ::GRADIENT_STRIDE]
        continuation = []
        for dt in (torch.float32, torch.float64):
            m = load(folder, dt)
            with torch.no_grad():
                # a fresh forward over prompt plus continuation must agree with stepwise decoding unless rope depends on the length
                arrays["logits64" if dt == torch.float64 else "logits32"] = m(ids).logits[0, rows].contiguous()
                g = m.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False, eos_token_id=None, pad_token_id=0,
                               output_scores=True, return_dict_in_generate=True)
            continuation.append(g.sequences[0, tokens:].tolist())
            gaps = [(s[0].topk(2).values[0] - s[0].topk(2).values[1]).item() for s in g.scores]
        # nearly a tie: rounding could change the continuation
        if continuation[0] != continuation[1] or min(gaps) < 5e-3:
            return make(name, spec, seed + 100)
        golden.update(rows=rows, continuation=continuation[0], leastTopTwoGap=min(gaps))
    save_file({k: v.contiguous() for k, v in arrays.items()}, os.path.join(folder, "golden.safetensors"))
    with open(os.path.join(folder, "golden.json"), "w") as f:
        json.dump(golden, f)
    if shared is not None:
        os.remove(os.path.join(folder, WEIGHTS))
    print(name, {k: tuple(v.shape) for k, v in arrays.items()}, golden["answerLoss"], golden.get("leastTopTwoGap"))


ROPE_CASES = [  # config.json keys, length of the sequence
    (dict(head_dim=64, max_position_embeddings=8192, rope_theta=500000.0), 10),
    (dict(head_dim=128, max_position_embeddings=131072, rope_theta=500000.0, rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)), 10),
    (dict(head_dim=64, max_position_embeddings=131072, rope_parameters=dict(
        rope_theta=500000.0, rope_type="llama3", factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)), 10),
    (dict(head_dim=128, max_position_embeddings=16384, rope_theta=10000.0, rope_scaling=dict(type="linear", factor=4.0)), 10),
    (dict(head_dim=128, max_position_embeddings=4096, rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=4.0)), 10),
    (dict(head_dim=128, max_position_embeddings=4096, rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=4.0)), 9000),
    (dict(head_dim=128, max_position_embeddings=131072, rope_theta=1000000.0, rope_scaling=dict(
        type="yarn", factor=4.0, original_max_position_embeddings=32768)), 10),
    (dict(head_dim=64, max_position_embeddings=65536, rope_parameters=dict(rope_theta=10000.0, rope_type="yarn", factor=16.0,
        original_max_position_embeddings=4096, beta_fast=24.0, beta_slow=2.0, attention_factor=1.25, truncate=False)), 10),
    (dict(head_dim=64, max_position_embeddings=65536, rope_parameters=dict(rope_theta=10000.0, rope_type="yarn", factor=16.0,
        original_max_position_embeddings=4096, mscale=0.7, mscale_all_dim=1.0)), 10),
]


def make_rope():
    """test/golden/models/rope.json: inverse frequencies and attention factors of transformers' rotary embedding."""
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
    cases = []
    for keys, tokens in ROPE_CASES:
        config = dict(BASE, **LLAMA3) | keys
        rotary = LlamaRotaryEmbedding(AutoConfig.for_model(**json.loads(json.dumps(config))))
        rotary(torch.zeros(1, 1, 1), torch.arange(tokens)[None])
        cases.append(dict(config=config, tokens=tokens, inverseFrequencies=rotary.inv_freq.tolist(), attentionFactor=rotary.attention_scaling))
    with open(os.path.join(OUT, "rope.json"), "w") as f:
        json.dump(dict(transformers=transformers.__version__, command="python scripts/golden/make_model_goldens.py rope", cases=cases), f)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) == 1 or "rope" in sys.argv[1:]:
        make_rope()
    for index, (name, spec) in enumerate(MODELS.items()):
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            make(name, spec, 7 + index)
