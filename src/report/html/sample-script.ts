/**
 * The sample browser's script. It lists the questions (JSON in #samples-data) that the filters let through, eight at a time. It puts text from records into the
 * page only as text of elements.
 */
export const SAMPLE_SCRIPT = `
(() => {
  'use strict';
  const source = document.getElementById('samples-data');
  if (source === null) return;
  const { methods, baseline, questions } = JSON.parse(source.textContent);
  const PAGE = 8;
  const list = document.querySelector('.answers');
  const found = document.querySelector('.found');
  const more = document.querySelector('button.more');
  const fields = Object.fromEntries([...document.querySelectorAll('[data-filter]')].map((field) => [field.dataset.filter, field]));
  let matches = [];

  const element = (name, className, ...content) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...content);
    return made;
  };
  const count = (value) => value.toLocaleString('en-US');
  const percent = (share) => (100 * share).toFixed(0) + '%';
  const isRight = ({ right, score }) => (right === null ? score >= 1 : right);

  const hasOutcome = (answer, outcome) =>
    outcome === 'right' ? isRight(answer) : outcome === 'wrong' ? !isRight(answer) : outcome === '' || answer.change === outcome;
  const hasText = ({ id, prompt, expected, answers }, text) =>
    text === '' || [id, prompt, expected, ...answers.map(({ output }) => output)].some((part) => part.toLowerCase().includes(text));
  const isMatch = (question, { method, outcome, task, length, text }) =>
    (task === '' || question.task === task) &&
    (length === '' || String(question.length) === length) &&
    question.answers.some((answer) => (method === '' || methods[answer.method].label === method) && hasOutcome(answer, outcome)) &&
    hasText(question, text);

  const verdict = (answer) => {
    if (answer.right === null) return element('span', 'score', answer.score.toFixed(2));
    return element('span', answer.right ? 'right' : 'wrong', answer.right ? 'right' : 'wrong');
  };
  const row = (answer) => {
    const { label, index } = methods[answer.method];
    const swatch = element('span', 'swatch');
    swatch.style.setProperty('--c', 'var(--m' + (index % 8) + ')');
    const change = answer.change === undefined ? '' : element('b', answer.change, answer.change);
    const output = element('dd', '', answer.output === '' ? element('i', '', '(nothing)') : answer.output);
    if (answer.stopped) output.append(' ', element('i', '', '(stopped at the limit of new tokens)'));
    return [element('dt', '', swatch, label), element('dd', 'verdict', verdict(answer), ' ', change), output];
  };
  const article = (question) => {
    const depth = question.depth === null ? [] : ['evidence at ' + percent(question.depth) + ' of the context'];
    const about = [...depth, 'prompt of ' + count(question.promptTokens) + ' tokens', question.id].join(' \\u00b7 ');
    const expected = element('p', 'expected', element('span', 'label', 'Expected'), ' ', question.expected);
    const prompt = element('details', '', element('summary', '', "The prompt's end (what the record keeps of it)"), element('pre', '', '\\u2026' + question.prompt));
    const answers = element('dl', '', ...question.answers.flatMap(row));
    return element('article', 'sample', element('h3', '', question.task + ', ' + count(question.length) + ' tokens'), element('p', 'about', about), prompt, expected, answers);
  };

  const showMore = () => {
    const from = list.childElementCount;
    list.append(...matches.slice(from, from + PAGE).map(article));
    more.hidden = list.childElementCount >= matches.length;
  };
  const filter = () => {
    const wanted = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value]));
    wanted.text = wanted.text.trim().toLowerCase();
    matches = questions.filter((question) => isMatch(question, wanted));
    found.textContent = count(matches.length) + ' of ' + count(questions.length) + ' questions';
    list.replaceChildren();
    showMore();
  };

  for (const field of Object.values(fields)) field.addEventListener(field.type === 'search' ? 'input' : 'change', filter);
  more.addEventListener('click', showMore);
  for (const button of document.querySelectorAll('button.pick')) {
    button.addEventListener('click', () => {
      for (const field of Object.values(fields)) field.value = '';
      fields.method.value = button.dataset.method;
      fields.outcome.value = button.dataset.outcome;
      filter();
      document.querySelector('.filters').scrollIntoView();
    });
  }
  filter();
})();
`;
