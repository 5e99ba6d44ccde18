// A chat template and a message: a text, or a refusal.
import { dirname } from 'node:path';
import { ChatTemplate } from '../../dist/model/format/template/chat-template.js';
import { fileOf, orRefused, textParts } from './only-moa-errors.mjs';

/** Bytes of a chat_template.jinja, a zero byte, what the user says. */
export function fuzz(data) {
  const [template, content] = textParts(data, 2);
  return orRefused(() => {
    const folder = dirname(fileOf('chat_template.jinja', template));
    const text = ChatTemplate.read(folder).render([{ role: 'user', content }], { addGenerationPrompt: true });
    if (typeof text !== 'string') throw new Error(`A ${typeof text} for a prompt`);
    return text;
  });
}
