import { join } from 'node:path';
import { invalidArgument, MoaError } from '../../../core/errors.ts';
import { contentHash } from '../../../core/hash.ts';
import { modelFile, readModelText } from '../model-files.ts';
import { withinTime } from '../time-limit.ts';
import { readTokenizerConfig, specialTokens, type TokenizerConfig } from '../tokenizer/special-tokens.ts';
import { renderTemplate } from './interpreter.ts';
import { strftime } from './strftime.ts';
import { type ParsedTemplate, parseTemplate } from './tree.ts';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** What a caller gives to a template beside the messages. */
export interface TemplateSettings {
  /** The date of `strftime_now`, one for a whole run: YYYY-MM-DD, or with a time, YYYY-MM-DDTHH:MM:SS. */
  readonly date?: string;
  /** Further variables, such as `enable_thinking: false`. */
  readonly variables?: Readonly<Record<string, TemplateVariable>>;
  /** Maximum number of milliseconds that parsing or one rendering may take. Default: 20,000. */
  readonly renderMs?: number;
}
type TemplateVariable = string | number | boolean | null;

/** Everything that decides what a template makes of messages. */
export interface TemplateFacts {
  /** Hash of the template's text and of the special tokens that it sees. */
  readonly hash: string;
  readonly usesDate: boolean;
  /** The date given, null where the template asks for none. */
  readonly date: string | null;
  readonly variables: Readonly<Record<string, TemplateVariable>>;
}

/** Default time limit; a real template runs in a millisecond. */
const RENDER_MS = 20_000;
const MAX_REASON_CHARS = 200;
const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?$/;
/** Names that this file defines for every template. */
const OWN_NAMES = ['messages', 'add_generation_prompt', 'raise_exception', 'strftime_now', 'range', 'namespace'];

/**
 * A model folder's chat template: chat_template.jinja, else `chat_template` of tokenizer_config.json (of several, the one named default).
 * The special tokens are variables of the template: bos_token, eos_token, ...
 */
export class ChatTemplate {
  readonly facts: TemplateFacts;
  readonly #parsed: ParsedTemplate;
  readonly #variables: Readonly<Record<string, unknown>>;
  readonly #source: string;
  readonly #renderMs: number;

  private constructor(text: string, source: string, given: { readonly tokens: Readonly<Record<string, string>> } & TemplateSettings) {
    const { tokens, date, variables = {} } = given;
    this.#source = source;
    this.#renderMs = given.renderMs ?? RENDER_MS;
    this.#parsed = parsed(text, source, this.#renderMs);
    checkVariables(this.#parsed, Object.keys(variables), { source, taken: [...OWN_NAMES, ...Object.keys(tokens)] });
    if (date !== undefined && (!DATE.test(date) || Number.isNaN(Date.parse(date)))) {
      throw invalidArgument('a date (YYYY-MM-DD)', 'the date of the chat template', date);
    }
    const usesDate = this.#parsed.names.has('strftime_now');
    this.#variables = { ...tokens, ...variables };
    this.facts = { hash: contentHash({ text, tokens }), usesDate, date: usesDate ? (date ?? null) : null, variables };
  }

  /**
   * The template of a folder, or null when it has none.
   * @throws MoaError INVALID_FILE; INVALID_ARGUMENT for a variable that the template does not read.
   */
  static read(folder: string, settings: TemplateSettings = {}): ChatTemplate | null {
    const config = readTokenizerConfig(folder);
    const isFile = modelFile(folder, 'chat_template.jinja') !== null;
    const text = isFile ? readModelText(folder, 'chat_template.jinja') : templateOf(config);
    if (text === undefined) return null;
    const source = join(folder, isFile ? 'chat_template.jinja' : 'tokenizer_config.json');
    return new ChatTemplate(text, source, { ...settings, tokens: specialTokens(folder, config) });
  }

  /** The conversation as text, special tokens included. @throws MoaError INVALID_ARGUMENT when the template rejects the messages. */
  render(messages: readonly ChatMessage[], options: { readonly addGenerationPrompt: boolean }): string {
    const variables = { ...this.#variables, messages: messages.map((m) => ({ ...m })), add_generation_prompt: options.addGenerationPrompt };
    try {
      return withinTime({ milliseconds: this.#renderMs, what: `the chat template of ${this.#source}` }, () =>
        renderTemplate(this.#parsed, variables, (format) => strftime(this.#date(), String(format))),
      );
    } catch (cause) {
      if (cause instanceof MoaError) throw cause;
      throw new MoaError(`Expected messages that the chat template of ${this.#source} accepts, but it failed: ${reasonOf(cause)}`, {
        code: 'INVALID_ARGUMENT',
        cause,
      });
    }
  }

  #date(): Date {
    const { date } = this.facts;
    if (date !== null) return new Date(date.includes('T') ? `${date}Z` : date);
    throw new MoaError(`Expected a date for the chat template of ${this.#source}, which asks for one, but received none`, {
      code: 'INVALID_ARGUMENT',
    });
  }
}

function templateOf({ chat_template: template }: TokenizerConfig): string | undefined {
  return typeof template === 'string' ? template : template?.find((t) => t.name === 'default')?.template;
}

function parsed(text: string, source: string, milliseconds: number): ParsedTemplate {
  try {
    return withinTime({ milliseconds, what: `the chat template of ${source}` }, () => parseTemplate(text));
  } catch (cause) {
    if (cause instanceof MoaError) throw cause;
    throw new MoaError(`Expected a Jinja chat template in ${source} but it failed: ${reasonOf(cause)}`, { code: 'INVALID_FILE', cause });
  }
}

/** Refuses a variable that the template does not read: it is misspelt, or meant for another model. */
function checkVariables(
  { names }: ParsedTemplate,
  given: readonly string[],
  { source, taken }: { readonly source: string; readonly taken: readonly string[] },
): void {
  for (const name of given) {
    if (names.has(name) && !taken.includes(name)) continue;
    throw new MoaError(`Expected variables that the chat template of ${source} reads but received ${JSON.stringify(name)}`, {
      code: 'INVALID_ARGUMENT',
      hint: 'Look into the template for the names that it knows; messages and special tokens are set by the harness.',
    });
  }
}

function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.length <= MAX_REASON_CHARS ? text : `${text.slice(0, MAX_REASON_CHARS)}...`;
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
