"""Makes test/golden/longbench/{items,chinese-words}.json: prompts, cuts and scores of the official LongBench code.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install jieba==0.42.1 rouge==1.0.1 fuzzywuzzy==0.18.0 numpy six
    git clone https://github.com/THUDM/LongBench /tmp/LongBench && git -C /tmp/LongBench checkout 8ae23fd444b0ed5837e993fb8d764f70b388c568
    /tmp/venv/bin/python scripts/golden/make_longbench_goldens.py /tmp/LongBench

items.json.gz has one item for each of the 21 data sets, the prompt that pred.py makes of it before truncation, and the scores that eval.py gives to
some outputs. chinese-words.json.gz has cuts of jieba and scores over them. All texts are written here or drawn from jieba's dictionary (MIT).
"""
import gzip
import json
import os
import platform
import random
import sys

LONGBENCH = sys.argv[1]
sys.path.insert(0, LONGBENCH)
import jieba  # noqa: E402 (the clone is on the path only now)

jieba.setLogLevel(60)
import eval as official  # noqa: E402
import metrics  # noqa: E402

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
OUT = os.path.join(ROOT, "test", "golden", "longbench")
ABOUT = {
    "command": "scripts/golden/make_longbench_goldens.py",
    "source": "https://github.com/THUDM/LongBench at 8ae23fd444b0ed5837e993fb8d764f70b388c568",
    "versions": {"python": platform.python_version(), "jieba": "0.42.1", "rouge": "1.0.1", "fuzzywuzzy": "0.18.0"},
}
PROMPTS = json.load(open(os.path.join(LONGBENCH, "config", "dataset2prompt.json"), encoding="utf8"))
LIMITS = json.load(open(os.path.join(LONGBENCH, "config", "dataset2maxlen.json"), encoding="utf8"))

ENGLISH = dict(
    input="Who repaired the {old} ferry?",
    context="The ferry of Harbor Row was old. In 1987 the engineer Mara Lind repaired its pump. The council then paid for a new hull.",
    answers=["Mara Lind", "the engineer Mara Lind"],
    outputs=["Mara Lind", "It was repaired by Mara Lind, the engineer.", "The council.", "\nMara Lind\nQuestion: Who paid?", ""],
)
CHINESE = dict(
    input="谁修理了{旧}渡轮？",
    context="北岸码头的渡轮很旧。1987年，工程师林马拉修理了水泵。委员会后来批准了新船体的预算。",
    answers=["工程师林马拉", "林马拉"],
    outputs=["林马拉", "渡轮由工程师林马拉修理。", "委员会批准了预算。", "\n林马拉\n问题：谁付了钱？", ""],
)
# How the items of some data sets differ from the two above.
SPECIAL = {
    "trec": dict(input="Question: Where is Harbor Row?\nType:", answers=["Location"], all_classes=["Location", "Human", "Human group"],
                 outputs=["Location", " Human group", "\nLocation or Human\nQuestion: x", ""]),
    "lsht": dict(input="新闻内容：水泵已修好\n类别：", answers=["水上运动"], all_classes=["运动", "水上运动", "财经"],
                 outputs=["水上运动", "运动", "\n水上运动，财经\n新闻内容：x", ""]),
    "passage_count": dict(input="", answers=["7"], outputs=["7", "There are 7 of 9.", "17", ""]),
    "passage_retrieval_en": dict(answers=["Paragraph 15"], outputs=["Paragraph 15", "15 or 16", "Paragraph 1", ""]),
    "passage_retrieval_zh": dict(answers=["段落15"], outputs=["段落15", "15或16", "段落1", ""]),
    "lcc": dict(input="", context="def load(self, name):\n    value = self.index[name]\n", answers=["    return value"],
                outputs=["    return value", "    return values\n", "# comment\n    return name", "```python\nreturn value", ""]),
    "repobench-p": dict(input="value = store.", context="class Store:\n    def find_key(self, key):\n        return self.keys[key]\n",
                        answers=["find_key(name)"], outputs=["find_key(name)", "find_keys(names)", "// x\nkeys[name]", ""]),
}


def items():
    for dataset, template in PROMPTS.items():
        base = CHINESE if dataset in ("multifieldqa_zh", "dureader", "vcsum", "lsht", "passage_retrieval_zh") else ENGLISH
        item = {**base, **SPECIAL.get(dataset, {})}
        outputs = item.pop("outputs")
        row = {**{"all_classes": None}, **item, "length": 40, "dataset": dataset, "language": "zh" if base is CHINESE else "en", "_id": f"{dataset}-0"}
        scores = [official.scorer(dataset, [text], [row["answers"]], row["all_classes"]) for text in outputs]
        yield {"dataset": dataset, "row": row, "prompt": template.format(**row), "maxNewTokens": LIMITS[dataset],
               "outputs": [{"text": text, "score": float(score)} for text, score in zip(outputs, scores, strict=True)]}


def chinese_words():
    rng = random.Random(5)
    with open(os.path.join(os.path.dirname(jieba.__file__), "dict.txt"), encoding="utf8") as f:
        words = [line.split()[0] for line in f]
    common = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之进着等部度家"
    marks = "，。！？：；“”《》（）、…—·％．,.!?:;-_+#&%'\"/@ \n\t\r　"
    latin = ["A12", "3.5", "GPU", "foo_bar", "c++", "B超", "T恤", "2023", "AT&T",
             "http://x.y", "３", "é", "π", "50%", "x-y", "１２", "𠮷", "😀", "한글", "ひら", "々", "〇", "㐀"]

    def text(pieces):
        out = []
        for _ in range(pieces):
            kind = rng.random()
            out.append(rng.choice(words if kind < 0.45 else common if kind < 0.75 else marks if kind < 0.87 else latin))
        return "".join(out)

    cuts = []
    for _ in range(300):
        sentence = text(rng.randint(1, 14))
        cuts.append({"text": sentence, "words": list(jieba.cut(sentence, cut_all=False))})
    pairs = []
    for _ in range(60):
        reference = text(rng.randint(1, 10))
        prediction = text(rng.randint(1, 4)) + reference[: rng.randint(0, len(reference))] + text(rng.randint(0, 3))
        pairs.append({"prediction": prediction, "reference": reference, "f1": float(metrics.qa_f1_zh_score(prediction, reference)),
                      "rouge": float(metrics.rouge_zh_score(prediction, reference))})
    return {"about": ABOUT, "cuts": cuts, "pairs": pairs}


def write(name, value):
    os.makedirs(OUT, exist_ok=True)
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    with open(os.path.join(OUT, name + ".gz"), "wb") as f:
        f.write(gzip.compress(text.encode(), 9, mtime=0))


write("items.json", {"about": ABOUT, "items": list(items())})
write("chinese-words.json", chinese_words())
