import random, sys
from tokenizers import Tokenizer, models, trainers, pre_tokenizers, decoders, Regex
sys.path.insert(0, "."); import tasks as gen
data = gen.load(sys.argv[1]); w = gen.World(data, "train", 1)
def it():
    for i in range(2500):
        t = w.rng.choice(list(gen.TASKS)); yield "".join(s for s, _ in gen.make(w, t, 3000, 4)).replace("<|bos|>","").replace(gen.U,"").replace(gen.A,"").replace(gen.E,"")
    for d in data["train"][::3]: yield d
tok = Tokenizer(models.BPE())
tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
tok.decoder = decoders.ByteLevel()
sp = ["<|pad|>", "<|bos|>", "<|end|>", "<|user|>", "<|assistant|>"]
tok.train_from_iterator(it(), trainers.BpeTrainer(vocab_size=2048, special_tokens=sp, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
tok.save("../tokenizer.json")
for t in gen.TASKS:
    s = "".join(x for x, _ in gen.make(w, t, 4000, 2)); n = len(tok.encode(s, add_special_tokens=False).ids); print(t, len(s), n, round(len(s)/n, 2))
print(gen.make(w, "lines", 900, 2)); print(gen.make(w,"code",600,2)); print(gen.make(w,"multi_qa",900,2))
e = tok.encode("<|bos|><|user|>\nline torpid-kid: REGISTER_CONTENT is <2416>\n", add_special_tokens=False); print(e.tokens)
