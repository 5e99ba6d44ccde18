// Writes stock.jsonl: questions about the rows of stock.csv, as LongEval's line retrieval has them. Each line of the file is one sample, with the
// whole table in its prompt.
import { readFileSync, writeFileSync } from 'node:fs';

const QUESTIONS = 8;
const HEAD =
  "Below is a record of lines I want you to remember. Each line begins with 'line <line index>' and contains a '<REGISTER_CONTENT>' at the end of the " +
  'line as a numerical value. For each line index, memorize its corresponding <REGISTER_CONTENT>. At the end of the record, I will ask you to retrieve ' +
  'the corresponding <REGISTER_CONTENT> of a certain line index. Now the record start:\n\n';

const [, ...rows] = readFileSync('stock.csv', 'utf8').trim().split('\n');
const table = rows.map((row) => {
  const [item, count] = row.split(',');
  return { item, count: Number(count), text: `line ${item}: REGISTER_CONTENT is <${count}>\n` };
});

/** A question about the row at `index`. The fields are those of LongChat's files. */
function testCase(index) {
  const { item, count, text } = table[index];
  const question = `\nNow the record is over. Tell me what is the <REGISTER_CONTENT> in line ${item}? I need the number.\n`;
  return {
    random_idx: [item, index],
    expected_number: count,
    num_lines: table.length,
    correct_line: text,
    prompt: HEAD + table.map((row) => row.text).join('') + question,
  };
}

// Evenly over the table, so that each depth of the prompt is asked for.
const asked = Array.from({ length: QUESTIONS }, (_, i) => Math.floor(((i + 0.5) * table.length) / QUESTIONS));
writeFileSync('stock.jsonl', asked.map((index) => `${JSON.stringify(testCase(index))}\n`).join(''));
console.log(`stock.jsonl: ${asked.length} questions about ${table.length} rows`);
