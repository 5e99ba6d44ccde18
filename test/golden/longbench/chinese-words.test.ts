import { expect, test } from 'vitest';
import { chineseRougeL, chineseTokenF1 } from '../../../src/evaluate/metrics/chinese.ts';
import { chineseUnavailable, chineseWords, loadJieba } from '../../../src/evaluate/metrics/chinese-words.ts';
import { readGolden } from '../read-golden.ts';

const golden = readGolden('chinese-words.json', import.meta.url) as {
  cuts: { text: string; words: string[] }[];
  pairs: { prediction: string; reference: string; f1: number; rouge: number }[];
};

test('the segmenter of Chinese is installed', () => {
  expect(chineseUnavailable()).toBeNull();
});

test('without the segmenter the reason is said', () => {
  const missing = loadJieba(() => {
    throw new Error("Cannot find module '@node-rs/jieba-plan9-x64'\nRequire stack: here");
  });
  expect(missing).toEqual({
    failure: "the optional package @node-rs/jieba does not load here (Cannot find module '@node-rs/jieba-plan9-x64')",
  });
});

test('words are those of jieba 0.42.1', () => {
  expect(golden.cuts.length).toBe(300);
  expect(golden.cuts.map(({ text }) => chineseWords(text))).toEqual(golden.cuts.map(({ words }) => words));
});

test('what the package alone cuts in another way', () => {
  expect(chineseWords('喊成𠮷#少')).toEqual(['喊', '成', '𠮷', '#', '少']);
  expect(chineseWords('50%2023年c++3.5%')).toEqual(['50%', '2023', '年', 'c++', '3.5%']);
  expect(chineseWords('')).toEqual([]);
});

test('F1 and ROUGE-L over words equal the official ones', () => {
  for (const { prediction, reference, f1, rouge } of golden.pairs) {
    expect(chineseTokenF1(prediction, reference)).toBeCloseTo(f1, 14);
    expect(chineseRougeL(prediction, reference)).toBeCloseTo(rouge, 14);
  }
});
