import { beforeAll, describe, expect, test } from 'vitest';
import { generateSamples, referenceChat } from '../../src/data/generate.ts';
import { loadProse } from '../../src/data/prose.ts';
import { type Sample, sampleSchema } from '../../src/data/sample.ts';
import { TASK_NAMES, TASKS, type TaskName, taskNamed } from '../../src/data/tasks.ts';
import { scoreOutput } from '../../src/evaluate/score.ts';
import { referenceTokenizer as tokenizer } from './reference-tokenizer.ts';

const generate = (task: TaskName, targetTokens: number, count: number, more = {}): Sample[] => [
  ...generateSamples({ task, targetTokens, count, seed: 7, tokenizer, ...more }),
];
const evidenceOf = (sample: Sample): string => sample.prompt.slice(...(sample.evidence ?? [0, 0]));

/** One user turn and the opened answer, as in training (tasks.py): head and tail of each task, to the letter. */
const FORMATS: Readonly<Record<TaskName, RegExp>> = {
  lines:
    /^Below is a record of lines I want you to remember\. Each line begins with 'line <line index>' and contains a '<REGISTER_CONTENT>' at the end of the line as a numerical value\. For each line index, memorize its corresponding <REGISTER_CONTENT>\. At the end of the record, I will ask you to retrieve the corresponding <REGISTER_CONTENT> of a certain line index\. Now the record start:\n\n(?:line [a-z]{4,11}-[a-z]{4,11}: REGISTER_CONTENT is <\d{1,5}>\n)+\nNow the record is over\. Tell me what is the <REGISTER_CONTENT> in line [a-z]+-[a-z]+\? I need the number\.\n$/,
  needle:
    /^Some special magic numbers are hidden within the following text\. Make sure to memorize them\. I will quiz you about the numbers afterwards\.\n[^\n]*One of the special magic numbers for [a-z]+-[a-z]+ is: \d{7}\.[^\n]*\nWhat is the special magic number for [a-z]+-[a-z]+ mentioned in the provided text\?\n$/,
  single_qa:
    /^You are given a document\. Answer the question based only on the document, and do not output any other words\.\n\nDocument: [^\n]+\n\nQuestion: W[^\n]+\?\nAnswer:$/,
  multi_qa:
    /^Answer the question based on the given passages\. Only give me the answer and do not output any other words\.\n\nThe following are given passages\.\n(?:Passage \d+:\n[^\n]+\n)+\nQuestion: W[^\n]+ the (?:mentor|neighbour|cousin|tutor|partner|rival) of [^\n]+\?\nAnswer:$/,
  fewshot:
    /^Please determine the type of the question below\. Here are some examples of questions\.\n\n(?:Question: [^\n]+\?\nType: [^\n]+\n)+Question: [^\n]+\?\nType:$/,
  summary:
    /^You are given a report\. Write a one-page summary of the report that lists its key points in order\.\n\nReport:\n[^\n]*KEY POINT: [^\n]*\n\nNow, write the summary of the report\.\n\nSummary:$/,
  passage:
    /^Here are some paragraphs, along with a sentence taken from one of them\. Please determine which paragraph the sentence is from\.\n\n(?:Paragraph \d+: [^\n]+\n\n){4,30}The following is a sentence\.\n\n[^\n]+\n\nPlease enter the number of the paragraph that the sentence is from\.\n\nThe answer is:$/,
  vartrack:
    /^Memorize and track the chain of variable assignment hidden in the following text\.\n\n[^\n]*VAR [A-Z]{5} = \d{5}\.[^\n]*\n\nQuestion: What is the value of VAR [A-Z]{5}\?\nAnswer:$/,
  code: /^Please complete the code given below\.\n(?:class [A-Z][a-z]+(?:Store|Client|Cache|Reader|Index|Queue):\n(?: {4}def [a-z]+_[a-z]+\(self, [a-z]+\):\n {8}return self\.[a-z]+\[[a-z]+\]\n){1,3}\n)+[a-z]+ = [A-Z][A-Za-z]+\(\)\n# [a-z]+_[a-z]+\nvalue =$/,
};

// Reading and splitting the whole corpus takes a second or more on a busy machine; it happens once.
beforeAll(() => {
  loadProse('eval');
  loadProse('calibration');
});

describe.each(TASK_NAMES)('%s', (task) => {
  test.each([512, 1024, 4096])('%i tokens: never over, short by at most 2 in 100, in the format of training', (target) => {
    for (const sample of generate(task, target, 3)) {
      expect(sampleSchema.parse(sample)).toEqual(sample);
      expect(sample.promptTokens).toBe(tokenizer.encode(sample.prompt).length);
      expect(sample.promptTokens).toBeLessThanOrEqual(target);
      expect(sample.promptTokens).toBeGreaterThanOrEqual(0.98 * target);
      const [, user] = /^<\|bos\|><\|user\|>\n([\s\S]*)<\|end\|>\n<\|assistant\|>\n$/.exec(sample.prompt) ?? [];
      expect(user).toMatch(FORMATS[task]);
    }
  });

  test('prefix of a longer run, equal for equal seeds, other for other seeds and splits', () => {
    const samples = generate(task, 700, 3);
    expect(generate(task, 700, 2)).toEqual(samples.slice(0, 2));
    const prompts = [...samples, ...generate(task, 700, 3, { seed: 8 }), ...generate(task, 700, 3, { split: 'calibration' })].map(
      ({ prompt }) => prompt,
    );
    expect(new Set(prompts).size).toBe(9);
  });

  test('the reference answer scores 1, and fits into maxNewTokens with the end token', () => {
    for (const sample of generate(task, 1024, 10)) {
      const answer = sample.answers[0] as string;
      expect(scoreOutput(sample, answer.startsWith(' ') ? answer : ` ${answer}`).score).toBeGreaterThan(0.98);
      expect(tokenizer.encode(` ${answer}<|end|>`).length).toBeLessThanOrEqual(TASKS[task].maxNewTokens);
    }
  });
});

test('a sample does not depend on what its tokenizer counted before', () => {
  const fresh = { encode: (text: string) => tokenizer.encode(text) };
  generate('needle', 700, 4);
  for (const task of ['lines', 'needle'] as const) expect(generate(task, 640, 3, { tokenizer: fresh })).toEqual(generate(task, 640, 3));
});

test('a tokenizer that merges over words is counted by encoding', () => {
  // Two characters a token, over all boundaries: sums over words are wrong.
  const pairs = { encode: (text: string): { length: number } => ({ length: Math.ceil(text.length / 2) }) };
  for (const task of TASK_NAMES) {
    for (const { prompt, promptTokens } of generate(task, 3000, 8, { tokenizer: pairs })) {
      expect(promptTokens).toBe(Math.ceil(prompt.length / 2));
      expect(promptTokens <= 3000 && promptTokens >= 0.98 * 3000).toBe(true);
    }
  }
});

test.each(['lines', 'needle', 'single_qa'] as const)('%s: depths of any number of samples are spread evenly', (task) => {
  const deciles = generate(task, 3000, 20).map(({ depth }) => Math.min(9, Math.floor(10 * (depth as number))));
  const counts = (n: number, bins: number): number[] =>
    Array.from({ length: bins }, (_, bin) => deciles.slice(0, n).filter((decile) => Math.floor((decile * bins) / 10) === bin).length);
  const uneven = (n: number, bins: number): number => Math.max(...counts(n, bins)) - Math.min(...counts(n, bins));
  for (let n = 1; n <= 20; n++) expect([n, uneven(n, 10), uneven(n, 2)]).toEqual([n, n % 10 === 0 ? 0 : 1, n % 2]);
  for (const n of [5, 10, 15, 20]) expect([n, uneven(n, 5)]).toEqual([n, 0]);
});

test('the evidence is where it says, once', () => {
  for (const sample of [
    ...generate('lines', 1024, 10),
    ...generate('needle', 1024, 10),
    ...generate('single_qa', 1024, 10),
    ...generate('multi_qa', 1024, 10),
  ]) {
    expect(evidenceOf(sample)).toContain(sample.answers[0]);
    expect(sample.prompt.split(evidenceOf(sample)).length).toBe(2);
  }
  for (const sample of generate('passage', 2048, 10)) {
    const question = /The following is a sentence\.\n\n(.*)\n/.exec(sample.prompt)?.[1];
    expect(evidenceOf(sample)).toBe(question);
    const paragraphs = sample.prompt.split('\n\n').filter((text) => text.startsWith('Paragraph ') && text.includes(evidenceOf(sample)));
    expect(paragraphs.map((text) => text.split(':')[0])).toEqual([sample.answers[0]]);
  }
  for (const sample of generate('summary', 1024, 10)) {
    const points = [...sample.prompt.matchAll(/KEY POINT: /g)].map(({ index }) => sample.prompt.slice(index + 'KEY POINT: '.length));
    let rest = sample.answers[0] as string;
    for (const point of points) {
      const sentence = [...point.matchAll(/[.!?]/g)]
        .map(({ index }) => point.slice(0, index + 1))
        .findLast((text) => `${rest} `.startsWith(`${text} `));
      expect(sentence).toBeDefined();
      rest = rest.slice((sentence ?? '').length).trimStart();
    }
    expect(rest).toBe('');
  }
});

test('variables and calls are answered by what the text says', () => {
  for (const { prompt, answers } of generate('vartrack', 1024, 10)) {
    let name = /value of VAR (\w+)\?/.exec(prompt)?.[1];
    while (name !== undefined && !/^\d+$/.test(name)) name = new RegExp(`VAR ${name} = (?:VAR )?(\\w+)\\.`).exec(prompt)?.[1];
    expect(name).toBe(answers[0]);
  }
  for (const { prompt, answers } of generate('code', 1024, 10)) {
    const [, object, className, method] = /(\w+) = (\w+)\(\)\n# (\w+)\n/.exec(prompt) as unknown as [string, string, string, string];
    const argument = new RegExp(`class ${className}:\\n(?: {4}.*\\n {8}.*\\n)*? {4}def ${method}\\(self, (\\w+)\\)`).exec(prompt)?.[1];
    expect(answers).toEqual([` ${object}.${method}(${argument})`]);
  }
});

test('evaluation prose is none of the calibration prose', () => {
  const seen = new Set(loadProse('calibration').sentences);
  const held = loadProse('eval').sentences;
  expect(held.length).toBe(3136);
  // A few formulas ("Gentlemen of the Senate ...") recur in several documents.
  expect(held.filter((sentence) => seen.has(sentence)).length / held.length).toBeLessThan(0.01);
});

test('another conversation format keeps target and evidence', () => {
  const [sample] = generate('needle', 800, 1, { wrapUser: (user: string) => `[INST] ${user} [/INST]` }) as [Sample];
  expect(sample.prompt.startsWith('[INST] Some special')).toBe(true);
  expect(evidenceOf(sample)).toContain(sample.answers[0]);
  expect(sample.promptTokens).toBeLessThanOrEqual(800);
  expect(referenceChat('x')).toBe('<|bos|><|user|>\nx<|end|>\n<|assistant|>\n');
});

test('targets that are too short, bad counts and unknown tasks are typed errors', () => {
  for (const task of TASK_NAMES) {
    for (const target of [1, 30, 0, -5, 1.5, Number.NaN]) {
      expect(() => generate(task, target, 1)).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
    }
  }
  expect(() => generate('lines', 1024, -1)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  expect(() => taskNamed('toString')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
});
