import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { z } from 'zod';
import { MoaError } from '../core/errors.ts';
import { readJsonAs, readText } from '../core/json-file.ts';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

const specialToken = z.union([z.string(), z.looseObject({ content: z.string() }).transform((t) => t.content)]).nullish();
const configSchema = z.looseObject({
  chat_template: z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]).nullish(),
  bos_token: specialToken,
  eos_token: specialToken,
  pad_token: specialToken,
  unk_token: specialToken,
});

/**
 * A model folder's chat template: chat_template.jinja, else `chat_template` of tokenizer_config.json (of several, the one named
 * default). Null when it has none. Tokens are the template's variables bos_token, eos_token, ...
 * @throws MoaError INVALID_FILE.
 */
export class ChatTemplate {
  readonly #template: Template;
  readonly #tokens: Readonly<Record<string, string>>;
  readonly #source: string;

  private constructor(text: string, tokens: Readonly<Record<string, string>>, source: string) {
    this.#tokens = tokens;
    this.#source = source;
    this.#template = guarded(source, () => new Template(text));
  }

  static read(folder: string): ChatTemplate | null {
    const configPath = join(folder, 'tokenizer_config.json');
    const config = existsSync(configPath) ? readJsonAs(configSchema, configPath, { what: 'a tokenizer configuration' }) : {};
    const filePath = join(folder, 'chat_template.jinja');
    const fromConfig =
      typeof config.chat_template === 'string' ? config.chat_template : config.chat_template?.find((t) => t.name === 'default')?.template;
    const isFile = existsSync(filePath);
    const text = isFile ? readText(filePath) : fromConfig;
    if (text === undefined) return null;
    const tokens: Record<string, string> = {};
    for (const name of ['bos_token', 'eos_token', 'pad_token', 'unk_token'] as const) {
      const token = config[name];
      if (typeof token === 'string') tokens[name] = token;
    }
    return new ChatTemplate(text, tokens, isFile ? filePath : configPath);
  }

  /** The conversation as text, special tokens included. @throws MoaError INVALID_ARGUMENT when the template rejects the messages. */
  render(messages: readonly ChatMessage[], options: { readonly addGenerationPrompt: boolean }): string {
    try {
      const variables = { ...this.#tokens, messages: messages.map((m) => ({ ...m })), add_generation_prompt: options.addGenerationPrompt };
      return this.#template.render(variables);
    } catch (cause) {
      throw new MoaError(
        `Expected messages that the chat template of ${this.#source} accepts, but it failed: ${(cause as Error).message}`,
        {
          code: 'INVALID_ARGUMENT',
          cause,
        },
      );
    }
  }
}

/** A conversation in the model's own format. @throws MoaError UNSUPPORTED when the model has no chat template. */
export function renderChat(
  model: { readonly name: string; readonly chatTemplate: ChatTemplate | null },
  messages: readonly ChatMessage[],
  options: { readonly addGenerationPrompt: boolean },
): string {
  if (model.chatTemplate === null) {
    throw new MoaError(`Expected a chat template for the model ${model.name} but its folder has none`, {
      code: 'UNSUPPORTED',
      hint: 'Add chat_template.jinja beside config.json, or use prompts that need no template.',
    });
  }
  return model.chatTemplate.render(messages, options);
}

/** A function that puts a user's text into the model's conversation, up to where the answer begins. Errors as `renderChat`. */
export function userTurn(model: Parameters<typeof renderChat>[0]): (content: string) => string {
  return (content) => renderChat(model, [{ role: 'user', content }], { addGenerationPrompt: true });
}

function guarded<T>(source: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new MoaError(`Expected a Jinja chat template in ${source} but it failed: ${(cause as Error).message}`, {
      code: 'INVALID_FILE',
      cause,
    });
  }
}
