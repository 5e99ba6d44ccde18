import { chineseWords } from './chinese-words.ts';
import { splitSpaces } from './python-text.ts';
import { rougeL } from './rouge-l.ts';
import { wordF1 } from './token-f1.ts';

/** ASCII punctuation and LongBench's list of Chinese punctuation (`normalize_zh_answer`). */
const PUNCTUATION =
  /[!-/:-@[-`{-~！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏]/gu;

/** F1 over the segmenter's words without punctuation and white space, 0..1 (LongBench `qa_f1_zh_score`). */
export function chineseTokenF1(prediction: string, reference: string): number {
  return wordF1(contentWords(prediction), contentWords(reference));
}

/** ROUGE-L over the segmenter's words, 0..1 (LongBench `rouge_zh_score`). */
export function chineseRougeL(prediction: string, reference: string): number {
  return rougeL(chineseWords(prediction).join(' '), chineseWords(reference).join(' '));
}

function contentWords(text: string): string[] {
  const words = chineseWords(text).map((word) => splitSpaces(word.toLowerCase().replace(PUNCTUATION, '')).join(''));
  return words.filter((word) => word !== '');
}
