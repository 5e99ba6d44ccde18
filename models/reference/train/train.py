import os, sys, time, json, math, random, argparse, pickle
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F, torch.multiprocessing as mp
from tokenizers import Tokenizer
from torch.nn.attention import sdpa_kernel, SDPBackend
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__))); import tasks as gen
ap = argparse.ArgumentParser()
ap.add_argument("--seconds", type=float, default=150); ap.add_argument("--out", default="out"); ap.add_argument("--corp", default="corp")
ap.add_argument("--d", type=int, default=256); ap.add_argument("--layers", type=int, default=8); ap.add_argument("--heads", type=int, default=8); ap.add_argument("--ff", type=int, default=704)
ap.add_argument("--tokens", type=int, default=262144); ap.add_argument("--lr", type=float, default=0.012); ap.add_argument("--alr", type=float, default=3e-3)
# stages: end of the stage as a fraction of the time, then the chance of each length per step
ap.add_argument("--stages", default="0.05:512=1|0.15:512=.2,1024=.8|0.32:512=.05,1024=.25,2048=.7|0.58:1024=.2,2048=.25,4096=.55|1.0:1024=.2,2048=.15,4096=.15,8192=.5")
ap.add_argument("--save_every", type=float, default=240); ap.add_argument("--workers", type=int, default=13); ap.add_argument("--eval", type=int, default=48)
a = ap.parse_args(); os.makedirs(a.out, exist_ok=True)
V, THETA, EPS = 2048, 100000.0, 1e-5
DEV = "cuda" if torch.cuda.is_available() else "cpu"
HERE = os.path.dirname(os.path.abspath(__file__)); TOK = os.path.join(HERE, "..", "tokenizer.json")
CPT = {"lines": 2.5, "needle": 3.45, "single_qa": 3.3, "multi_qa": 3.2, "fewshot": 2.95, "summary": 3.3, "passage": 3.2, "vartrack": 3.3, "code": 2.6, "text": 3.3}

# loss weight of an answer token (few-token answers count more), and characters a further question takes
TW = {"passage": 3.0, "multi_qa": 3.0, "vartrack": 2.0, "single_qa": 1.5, "text": 0.3}
QC = {"lines": 150, "needle": 190, "single_qa": 75, "multi_qa": 95, "vartrack": 65, "code": 70, "fewshot": 75, "passage": 300, "summary": 0, "text": 0}
STAGES = [(float(x.split(":")[0]), {int(y.split("=")[0]): float(y.split("=")[1]) for y in x.split(":")[1].split(",")}) for x in a.stages.split("|")]
LENS = sorted({L for _, p in STAGES for L in p}); UNIT = 32768
def step_tokens(L): return a.tokens if L > 2048 else a.tokens // 2

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
    chars = int(L * CPT[task] * ((0.9 if nq else w.rng.choice([0.9, 0.97])) if w.rng.random() < 0.7 else w.rng.uniform(0.25, 0.9)))
    q = nq or (1 if w.rng.random() < 0.2 else w.rng.randint(1, max(2, min(32, L // (256 if task == "passage" else 96)))))
    chars -= q * (110 if nq else QC[task]) if task != "text" else 0
    while True:
        ids, wt = encode(tok, gen.make(w, task, max(chars, 300), q))
        if len(ids) <= L + 1: return ids, wt * (1.0 if nq else TW.get(task, 1.0)), task
        chars = int(chars * 0.88); q = max(1, q - 1)

def worker(i, qs, stage):
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tok = Tokenizer.from_file(TOK); data = gen.load(a.corp); w = gen.World(data, "train", 1000 + i + int(time.time()) % 1000 * 97)
    while True:
        pr = STAGES[stage.value][1]; free = [L for L in pr if qs[L].qsize() < max(16, 2 * step_tokens(L) // UNIT)]
        if not free: time.sleep(0.01); continue
        L = w.rng.choices(free, [pr[L] * step_tokens(L) for L in free])[0]; n = max(1, UNIT // L)
        X = np.zeros((n, L + 1), dtype=np.int16); W = np.zeros((n, L + 1), dtype=np.float16)
        for r in range(n):
            ids, wt, _ = sample(w, tok, L); X[r, :len(ids)] = ids; W[r, :len(ids)] = wt
        qs[L].put((X, W))

def eval_rows(path):
    """Writes the evaluation samples of every (task, length): the same as one World("held", 99) per cell gives."""
    tok = Tokenizer.from_file(TOK); w = gen.World(gen.load(a.corp), "held", 99); rows = {}
    for L in (1024, 2048, 4096, 8192, 12288):
        for task in gen.TASKS:
            if task == "text": continue
            w.rng = random.Random(99); rows[task, L] = [sample(w, tok, L, task, 1)[:2] for _ in range(a.eval)]
    with open(path + ".tmp", "wb") as f: pickle.dump(rows, f)
    os.replace(path + ".tmp", path)

class RMS(nn.Module):
    def __init__(s, d): super().__init__(); s.weight = nn.Parameter(torch.ones(d))
    def forward(s, x): return F.rms_norm(x, (x.size(-1),), s.weight.to(x.dtype), EPS)
def rot(x, cos, sin):
    h = x.size(-1) // 2; x1, x2 = x[..., :h], x[..., h:]
    return torch.cat([x1 * cos - x2 * sin, x2 * cos + x1 * sin], -1)
def pre(h, cos, sin, wn, wq, wk, wv):
    x = F.rms_norm(h, (h.size(-1),), wn.to(h.dtype), EPS)
    q, k, v = (F.linear(x, torch.cat([wq, wk, wv]).bfloat16())).view(-1, 3, a.heads, a.d // a.heads).unbind(1)
    return rot(q, cos, sin).contiguous(), rot(k, cos, sin).contiguous(), v.contiguous()
def post(h, o, wn, wo, wg, wu, wd):
    h = h + F.linear(o, wo.bfloat16()); x = F.rms_norm(h, (h.size(-1),), wn.to(h.dtype), EPS)
    g, u = F.linear(x, torch.cat([wg, wu]).bfloat16()).chunk(2, -1)
    return h + F.linear(F.silu(g) * u, wd.bfloat16())
def head(h, wn, we, y, w):
    lg = F.linear(F.rms_norm(h, (h.size(-1),), wn.to(h.dtype), EPS), we.bfloat16()).float()
    return (F.cross_entropy(lg, y, reduction="none") * w).sum() / w.sum().clamp(min=1)
COMP = torch.compile if os.environ.get("NOCOMPILE") is None else (lambda f, **k: f)
PRE, POST, HEAD = (COMP(f, dynamic=False) for f in (pre, post, head))
BACKENDS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]; ATTN = {}
def pick_attention():
    """Times flash against cuDNN attention, forward and backward, at each length and keeps the faster where the results agree."""
    for L in LENS:
        B = step_tokens(L) // L; ts, ref = {}, None; torch.manual_seed(1)
        x = [torch.randn(B, L, a.heads, a.d // a.heads, device=DEV, dtype=torch.bfloat16).transpose(1, 2).requires_grad_() for _ in range(4)]
        for b in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):
            try:
                with sdpa_kernel(b):
                    run = lambda: (lambda o: (o, *torch.autograd.grad(o, x[:3], x[3])))(F.scaled_dot_product_attention(*x[:3], is_causal=True))
                    r = run(); torch.cuda.synchronize(); t = time.time(); run(); run(); torch.cuda.synchronize(); ts[b] = (time.time() - t) / 2
                if ref is None: ref = r
                else:
                    err = max(((p.float() - q.float()).norm() / q.float().norm()).item() for p, q in zip(r, ref))
                    if not err < 1e-2: ts.pop(b); print("cudnn disagrees", L, err, flush=True)
            except Exception as e: print("attention", b, L, repr(e)[:200], flush=True)
        if ts: ATTN[L] = min(ts, key=ts.get)
        print("attention", L, {str(b).split(".")[-1]: round(t * 1e3, 1) for b, t in ts.items()}, "ms", flush=True)
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
        """The training path: the same arithmetic as hidden(), in three compiled pieces over flat tokens with attention between them."""
        B, T = x.shape; hd = a.d // a.heads
        f = 1.0 / THETA ** (torch.arange(0, hd, 2, device=x.device).float() / hd); t = torch.arange(T, device=x.device).float()[:, None] * f
        cos, sin = (c.bfloat16().repeat(B, 1)[:, None] for c in (t.cos(), t.sin()))
        h = s.embed(x.reshape(-1)).bfloat16()
        for l in s.layers:
            q, k, v = PRE(h, cos, sin, l.input_layernorm.weight, l.q_proj.weight, l.k_proj.weight, l.v_proj.weight)
            with sdpa_kernel(ATTN.get(T, BACKENDS)): o = F.scaled_dot_product_attention(*(z.view(B, T, a.heads, hd).transpose(1, 2) for z in (q, k, v)), is_causal=True)
            h = POST(h, o.transpose(1, 2).reshape(B * T, a.d), l.post_attention_layernorm.weight, l.o_proj.weight, l.gate_proj.weight, l.up_proj.weight, l.down_proj.weight)
        return HEAD(h, s.norm.weight, s.embed.weight, y.reshape(-1), w.reshape(-1))

def ns5(G):
    X = G.bfloat16(); tr = X.size(-2) > X.size(-1)
    if tr: X = X.mT
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        A = X @ X.mT; X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return X.mT if tr else X

def main():
    mp.set_start_method("spawn", force=True); stage = mp.Value("i", 0); qs = {L: mp.Queue() for L in LENS}; rows = f"{a.out}/rows.pkl"
    ps = [mp.Process(target=worker, args=(i, qs, stage), daemon=True) for i in range(a.workers)]; [p.start() for p in ps]
    ev = mp.Process(target=eval_rows, args=(rows,), daemon=True); ev.start()
    torch.manual_seed(0); torch.set_float32_matmul_precision("high"); torch._dynamo.config.cache_size_limit = 64
    m = LM().to(DEV); print("params", sum(p.numel() for p in m.parameters()) / 1e6, "M", flush=True)
    mats = [p for n, p in m.named_parameters() if p.ndim == 2 and "embed" not in n]; rest = [p for n, p in m.named_parameters() if not (p.ndim == 2 and "embed" not in n)]
    groups = {}
    for p in mats: groups.setdefault(tuple(p.shape), []).append(p)
    mom = {s: torch.zeros(len(v), *s, device=DEV) for s, v in groups.items()}
    adam = torch.optim.AdamW(rest, lr=a.alr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    if DEV == "cuda": pick_attention()
    torch.manual_seed(2); rng = random.Random(3)
    t0 = time.time(); step = toks = 0; lastt, lasttok, nextsave = t0, 0, a.save_every; losses = {}; wait = 0.0; left = {L: [] for L in LENS}; cnt = {}
    while True:
        fr = (time.time() - t0) / a.seconds
        if fr >= 1: break
        stage.value = next(i for i, (f, _) in enumerate(STAGES) if fr < f); pr = STAGES[stage.value][1]
        L = rng.choices(list(pr), list(pr.values()))[0]; tps = step_tokens(L); need = tps // L; tw = time.time()
        while sum(len(x) for x, _ in left[L]) < need: left[L].append(qs[L].get())
        wait += time.time() - tw; X, W = (np.concatenate(z) for z in zip(*left[L])); left[L] = [(X[need:], W[need:])] if len(X) > need else []
        X, W = torch.from_numpy(X[:need]), torch.from_numpy(W[:need])
        if DEV == "cuda": X, W = X.pin_memory().cuda(non_blocking=True), W.pin_memory().cuda(non_blocking=True)
        X, W = X.long(), W.float()
        loss = m(X[:, :-1].contiguous(), X[:, 1:].contiguous(), W[:, 1:].contiguous())
        loss.backward()
        sc = min(1, (step + 1) / 60) * (1 if fr < 0.55 else max(0.02, (1 - fr) / 0.45))
        with torch.no_grad():
            torch.nn.utils.clip_grad_norm_(rest, 1.0)
            for s, v in groups.items():
                g = torch.stack([p.grad for p in v]); mu = mom[s]; mu.lerp_(g, 0.05); u = ns5(g.lerp(mu, 0.95)).float() * max(1, s[0] / s[1]) ** 0.5
                for p, uu in zip(v, u): p.mul_(1 - a.lr * sc * 0.01).add_(uu, alpha=-a.lr * sc)
        for gr in adam.param_groups: gr["lr"] = a.alr * sc
        adam.step(); m.zero_grad(set_to_none=True)
        step += 1; toks += tps; losses.setdefault(L, []).append(loss.detach()); cnt[L] = cnt.get(L, 0) + 1
        if step % 50 == 0 and os.path.exists(f"{a.out}/seconds"): a.seconds = float(open(f"{a.out}/seconds").read())  # the lease's end may move the end
        if step % 100 == 0 or step in (1, 5, 20):
            ls = {l: round(torch.stack(v).mean().item(), 4) for l, v in sorted(losses.items())}; now = time.time()
            print(f"{now-t0:6.0f}s step {step} loss {ls} lr {sc:.3f} {(toks-lasttok)/(now-lastt)/1e6:.2f} Mtok/s wait {wait:.1f}s q { {l: qs[l].qsize() for l in pr} }", flush=True); lastt, lasttok = now, toks; losses = {}; wait = 0.0
        if time.time() - t0 > nextsave:
            nextsave += a.save_every; save(m, f"{a.out}/ckpt"); t = time.time()
            if os.path.exists(rows): print(f"    {toks/1e9:.3f} B tokens", {t: [acc(m, t, l, min(24, a.eval)) for l in PROBE] for t in gen.TASKS if t != "text"}, f"probe {time.time()-t:.1f}s", flush=True)
    [p.terminate() for p in ps]
    print("steps", step, cnt, "tokens", toks / 1e9, "B", f"{time.time()-t0:.0f}s", flush=True); save(m, a.out); ev.join(60); t = time.time(); evaluate(m); print(f"evaluated in {time.time()-t:.0f}s", flush=True)

def save(m, out):
    os.makedirs(out, exist_ok=True)
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
        save_file(s, f"{out}/{f}.tmp", metadata={"format": "pt"}); os.replace(f"{out}/{f}.tmp", f"{out}/{f}"); wm.update({k: f for k in s})
    if len(shards) > 1: json.dump({"metadata": {"total_size": sum(sizes.values())}, "weight_map": wm}, open(f"{out}/model.safetensors.index.json", "w"), indent=1)
    json.dump({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": a.d, "intermediate_size": a.ff, "num_hidden_layers": a.layers, "num_attention_heads": a.heads, "num_key_value_heads": a.heads, "head_dim": a.d // a.heads, "vocab_size": V, "rms_norm_eps": EPS, "rope_theta": THETA, "max_position_embeddings": 16384, "tie_word_embeddings": True, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "torch_dtype": "bfloat16"}, open(f"{out}/config.json", "w"), indent=1)

_P = {}; PROBE = [L for L in LENS if L >= 1024]
@torch.no_grad()
def acc(m, task, L, n, win=None):
    if not _P: _P.update(pickle.load(open(f"{a.out}/rows.pkl", "rb")))
    ok = tot = 0; B = max(1, min(n, 65536 // L) if win is None else 4)
    rows = _P[task, L][:n]; n = len(rows)
    for i in range(0, n, B):
        ch = rows[i:i + B]; T = max(len(r[0]) for r in ch); X = torch.zeros(len(ch), T, dtype=torch.long); W = torch.zeros(len(ch), T)
        for j, (ids, wt) in enumerate(ch): X[j, :len(ids)] = torch.from_numpy(ids.astype(np.int64)); W[j, :len(ids)] = torch.from_numpy(wt)
        X, W = X.to(DEV), W.to(DEV); mask = None
        if win:
            p = torch.arange(T - 1, device=DEV); mask = ((p[:, None] - p[None] < win - 64) | (p[None] < 64)) & (p[None] <= p[:, None])
        with torch.autocast(DEV, dtype=torch.bfloat16): lg = F.linear(m.hidden(X[:, :-1], mask), m.embed.weight.bfloat16())
        good = (lg.argmax(-1) == X[:, 1:]) | (W[:, 1:] == 0)
        ok += good.all(1).sum().item(); tot += len(ch)
    return round(ok / tot, 3)
def evaluate(m):
    m.eval(); res = {}
    for task in gen.TASKS:
        if task == "text": continue
        res[task] = {L: acc(m, task, L, a.eval) for L in (1024, 2048, 4096, 8192, 12288)}
        print(task, res[task], flush=True)
    json.dump(res, open(f"{a.out}/eval.json", "w"), indent=1)
    for win in (512, 1024, 2048):
        res[f"lines/streaming{win}"] = {L: acc(m, "lines", L, 24, win) for L in (1024, 2048, 4096, 8192)}; print(f"lines streaming window {win}", res[f"lines/streaming{win}"], flush=True)
    json.dump(res, open(f"{a.out}/eval.json", "w"), indent=1)
if __name__ == "__main__": main()
