import os, sys, time, json, math, random, argparse
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F, torch.multiprocessing as mp
from tokenizers import Tokenizer
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__))); import tasks as gen
ap = argparse.ArgumentParser()
ap.add_argument("--seconds", type=float, default=150); ap.add_argument("--out", default="out"); ap.add_argument("--corp", default="corp")
ap.add_argument("--d", type=int, default=256); ap.add_argument("--layers", type=int, default=8); ap.add_argument("--heads", type=int, default=8); ap.add_argument("--ff", type=int, default=704)
ap.add_argument("--tokens", type=int, default=262144); ap.add_argument("--lr", type=float, default=0.012); ap.add_argument("--alr", type=float, default=3e-3)
ap.add_argument("--stages", default="1024:0.2,2048:0.45,4096:0.75,8192:1.0"); ap.add_argument("--workers", type=int, default=13); ap.add_argument("--eval", type=int, default=48)
a = ap.parse_args(); os.makedirs(a.out, exist_ok=True)
V, THETA, EPS = 2048, 100000.0, 1e-5
HERE = os.path.dirname(os.path.abspath(__file__)); TOK = os.path.join(HERE, "..", "tokenizer.json")
CPT = {"lines": 2.5, "needle": 3.45, "single_qa": 3.3, "multi_qa": 3.2, "fewshot": 2.95, "summary": 3.3, "passage": 3.2, "vartrack": 3.3, "code": 2.6, "text": 3.3}

def encode(tok, segs):
    txt, spans, n = [], [], 0
    for s, w in segs:
        if w: spans.append((n, n + len(s), w))
        txt.append(s); n += len(s)
    e = tok.encode("".join(txt), add_special_tokens=False)
    ids = np.array(e.ids, dtype=np.int32); st = np.array([o[0] for o in e.offsets])
    wt = np.zeros(len(ids), dtype=np.float32)
    for b, c, w in spans: wt[(st >= b) & (st < c)] = w
    return ids, wt

def sample(w, tok, L, task=None, nq=None):
    if task is None: task = w.rng.choices(list(gen.MIX), list(gen.MIX.values()))[0]
    chars = int(L * CPT[task] * (0.9 if w.rng.random() < 0.7 else w.rng.uniform(0.25, 0.9)))
    q = nq or w.rng.randint(1, max(2, min(32, L // 48))); chars -= q * 110 if task != "text" else 0
    while True:
        ids, wt = encode(tok, gen.make(w, task, max(chars, 300), q))
        if len(ids) <= L + 1: return ids, wt, task
        chars = int(chars * 0.88); q = max(1, q - 1)

def worker(i, qs, lens_val):
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tok = Tokenizer.from_file(TOK); data = gen.load(a.corp); w = gen.World(data, "train", 1000 + i + int(time.time()) % 1000 * 97)
    while True:
        L = lens_val.value; n = max(1, 32768 // L)
        X = np.zeros((n, L + 1), dtype=np.int16); W = np.zeros((n, L + 1), dtype=np.float32)
        for r in range(n):
            ids, wt, _ = sample(w, tok, L); X[r, :len(ids)] = ids; W[r, :len(ids)] = wt
        qs.put((L, torch.from_numpy(X), torch.from_numpy(W).half()))

class RMS(nn.Module):
    def __init__(s, d): super().__init__(); s.weight = nn.Parameter(torch.ones(d))
    def forward(s, x): return F.rms_norm(x, (x.size(-1),), s.weight.to(x.dtype), EPS)
def rot(x, cos, sin):
    h = x.size(-1) // 2; x1, x2 = x[..., :h], x[..., h:]
    return torch.cat([x1 * cos - x2 * sin, x2 * cos + x1 * sin], -1)
class Block(nn.Module):
    def __init__(s):
        super().__init__(); d = a.d
        s.input_layernorm, s.post_attention_layernorm = RMS(d), RMS(d)
        s.q_proj, s.k_proj, s.v_proj, s.o_proj = (nn.Linear(d, d, bias=False) for _ in range(4))
        s.gate_proj, s.up_proj, s.down_proj = nn.Linear(d, a.ff, bias=False), nn.Linear(d, a.ff, bias=False), nn.Linear(a.ff, d, bias=False)
    def forward(s, x, cos, sin, mask=None):
        B, T, d = x.shape; h = s.input_layernorm(x)
        q, k, v = (p(h).view(B, T, a.heads, d // a.heads).transpose(1, 2) for p in (s.q_proj, s.k_proj, s.v_proj))
        q, k = rot(q, cos, sin), rot(k, cos, sin)
        o = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = x + s.o_proj(o.transpose(1, 2).reshape(B, T, d))
        h = s.post_attention_layernorm(x)
        return x + s.down_proj(F.silu(s.gate_proj(h)) * s.up_proj(h))
class LM(nn.Module):
    def __init__(s):
        super().__init__(); s.embed = nn.Embedding(V, a.d); s.layers = nn.ModuleList(Block() for _ in range(a.layers)); s.norm = RMS(a.d)
        for n, p in s.named_parameters():
            if p.ndim == 2: nn.init.normal_(p, std=0.02 if "embed" in n else (0.02 / math.sqrt(2 * a.layers) if ("o_proj" in n or "down_proj" in n) else 0.5 / math.sqrt(p.size(1))))
    def hidden(s, x, mask=None):
        T = x.size(1); hd = a.d // a.heads
        f = 1.0 / THETA ** (torch.arange(0, hd, 2, device=x.device).float() / hd); t = torch.arange(T, device=x.device).float()[:, None] * f
        cos, sin = t.cos().bfloat16(), t.sin().bfloat16()
        h = s.embed(x).bfloat16() * 1.0
        for l in s.layers: h = l(h, cos, sin, mask)
        return s.norm(h)
    def forward(s, x, y, w):
        lg = F.linear(s.hidden(x), s.embed.weight.bfloat16()).float()
        ce = F.cross_entropy(lg.view(-1, V), y.reshape(-1), reduction="none") * w.reshape(-1)
        return ce.sum() / w.sum().clamp(min=1)

def ns5(G):
    X = G.bfloat16(); tr = X.size(-2) > X.size(-1)
    if tr: X = X.mT
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        A = X @ X.mT; X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return X.mT if tr else X

def main():
    mp.set_start_method("spawn", force=True); lens = mp.Value("i", 1024); q = mp.Queue(64)
    ps = [mp.Process(target=worker, args=(i, q, lens), daemon=True) for i in range(a.workers)]; [p.start() for p in ps]
    torch.manual_seed(0); torch.set_float32_matmul_precision("high"); torch._dynamo.config.cache_size_limit = 64
    m = LM().cuda(); print("params", sum(p.numel() for p in m.parameters()) / 1e6, "M", flush=True)
    mats = [p for n, p in m.named_parameters() if p.ndim == 2 and "embed" not in n]; rest = [p for n, p in m.named_parameters() if not (p.ndim == 2 and "embed" not in n)]
    groups = {}
    for p in mats: groups.setdefault(tuple(p.shape), []).append(p)
    mom = {s: torch.zeros(len(v), *s, device="cuda") for s, v in groups.items()}
    adam = torch.optim.AdamW(rest, lr=a.alr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    stages = [(int(x.split(":")[0]), float(x.split(":")[1])) for x in a.stages.split(",")]
    cm = torch.compile(m, dynamic=False)
    t0 = time.time(); step = toks = 0; buf = {}; lastt, lasttok = t0, 0; losses = []
    while True:
        fr = (time.time() - t0) / a.seconds
        if fr >= 1: break
        L = next(l for l, f in stages if fr < f); lens.value = L
        tps = a.tokens if L > 2048 else a.tokens // 2
        need = tps // L; xs, ws = [], []; got = 0
        while got < need:
            l, X, W = q.get()
            if l != L: continue
            xs.append(X); ws.append(W); got += len(X)
        X = torch.cat(xs)[:need].pin_memory().cuda(non_blocking=True).long(); W = torch.cat(ws)[:need].pin_memory().cuda(non_blocking=True).float()
        with torch.autocast("cuda", dtype=torch.bfloat16): loss = cm(X[:, :-1].contiguous(), X[:, 1:].contiguous(), W[:, 1:].contiguous())
        loss.backward()
        sc = min(1, (step + 1) / 60) * (1 if fr < 0.55 else max(0.02, (1 - fr) / 0.45))
        with torch.no_grad():
            torch.nn.utils.clip_grad_norm_(rest, 1.0)
            for s, v in groups.items():
                g = torch.stack([p.grad for p in v]); mu = mom[s]; mu.lerp_(g, 0.05); u = ns5(g.lerp(mu, 0.95)).float() * max(1, s[0] / s[1]) ** 0.5
                for p, uu in zip(v, u): p.mul_(1 - a.lr * sc * 0.01).add_(uu, alpha=-a.lr * sc)
        for gr in adam.param_groups: gr["lr"] = a.alr * sc
        adam.step(); m.zero_grad(set_to_none=True)
        step += 1; toks += tps; losses.append(loss.detach())
        if step % 100 == 0:
            now = time.time(); print(f"{now-t0:6.0f}s step {step} L {L} loss {torch.stack(losses).mean().item():.4f} lr {sc:.3f} {(toks-lasttok)/(now-lastt)/1e6:.2f} Mtok/s q {q.qsize()}", flush=True); lastt, lasttok = now, toks; losses = []
        if step % 800 == 0: print('   ', {t: probe(m, t, L) for t in ('lines', 'needle', 'multi_qa', 'fewshot', 'summary', 'passage', 'vartrack', 'code')}, flush=True)
    [p.terminate() for p in ps]
    print("steps", step, "tokens", toks / 1e9, "B", flush=True); save(m); evaluate(m)

def save(m):
    from safetensors.torch import save_file
    sd, tot = {}, 0
    for n, p in m.named_parameters():
        n = n.replace("embed.weight", "embed_tokens.weight") if n.startswith("embed") else n
        for k in ("q_proj", "k_proj", "v_proj", "o_proj"): n = n.replace(f".{k}", f".self_attn.{k}")
        for k in ("gate_proj", "up_proj", "down_proj"): n = n.replace(f".{k}", f".mlp.{k}")
        sd["model." + n] = p.detach().bfloat16().cpu().contiguous()
    ks = list(sd); sizes = {k: sd[k].numel() * 2 for k in ks}; shards, cur, n = [], {}, 0
    for k in ks:
        if n + sizes[k] > 14e6: shards.append(cur); cur, n = {}, 0
        cur[k] = sd[k]; n += sizes[k]
    shards.append(cur); wm = {}
    for i, s in enumerate(shards):
        f = f"model-{i+1:05d}-of-{len(shards):05d}.safetensors" if len(shards) > 1 else "model.safetensors"
        save_file(s, f"{a.out}/{f}", metadata={"format": "pt"}); wm.update({k: f for k in s})
    if len(shards) > 1: json.dump({"metadata": {"total_size": sum(sizes.values())}, "weight_map": wm}, open(f"{a.out}/model.safetensors.index.json", "w"), indent=1)
    json.dump({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": a.d, "intermediate_size": a.ff, "num_hidden_layers": a.layers, "num_attention_heads": a.heads, "num_key_value_heads": a.heads, "head_dim": a.d // a.heads, "vocab_size": V, "rms_norm_eps": EPS, "rope_theta": THETA, "max_position_embeddings": 16384, "tie_word_embeddings": True, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "torch_dtype": "bfloat16"}, open(f"{a.out}/config.json", "w"), indent=1)

_P = {}
def probe(m, task, L): return acc(m, task, L, 24)
@torch.no_grad()
def acc(m, task, L, n, win=None):
    if not _P: _P["tok"] = Tokenizer.from_file(TOK); _P["data"] = gen.load(a.corp)
    w = gen.World(_P["data"], "held", 99); ok = tot = 0; B = max(1, min(n, 65536 // L) if win is None else 4)
    rows = [sample(w, _P["tok"], L, task, 1) for _ in range(n)]
    for i in range(0, n, B):
        ch = rows[i:i + B]; T = max(len(r[0]) for r in ch); X = torch.zeros(len(ch), T, dtype=torch.long); W = torch.zeros(len(ch), T)
        for j, (ids, wt, _) in enumerate(ch): X[j, :len(ids)] = torch.from_numpy(ids.astype(np.int64)); W[j, :len(ids)] = torch.from_numpy(wt)
        X, W = X.cuda(), W.cuda(); mask = None
        if win:
            p = torch.arange(T - 1, device="cuda"); mask = ((p[:, None] - p[None] < win - 64) | (p[None] < 64)) & (p[None] <= p[:, None])
        with torch.autocast("cuda", dtype=torch.bfloat16): lg = F.linear(m.hidden(X[:, :-1], mask), m.embed.weight.bfloat16())
        good = (lg.argmax(-1) == X[:, 1:]) | (W[:, 1:] == 0)
        ok += good.all(1).sum().item(); tot += len(ch)
    return round(ok / tot, 3)
def evaluate(m):
    m.eval(); res = {}
    for task in gen.TASKS:
        if task == "text": continue
        res[task] = {L: acc(m, task, L, a.eval) for L in (1024, 2048, 4096, 8192, 12288)}
        print(task, res[task], flush=True)
    for win in (512, 1024, 2048):
        res[f"lines/streaming{win}"] = {L: acc(m, "lines", L, 24, win) for L in (1024, 2048, 4096, 8192)}; print(f"lines streaming window {win}", res[f"lines/streaming{win}"], flush=True)
    json.dump(res, open(f"{a.out}/eval.json", "w"), indent=1)
if __name__ == "__main__": main()
