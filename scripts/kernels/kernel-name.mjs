// Makes two names of a kernel from its mangled symbol (Itanium C++ ABI, section 5.1): one that is the same on every machine, and one that is easy to
// read.

const BUILTIN = {
  v: 'void',
  b: 'bool',
  c: 'char',
  a: 'signed char',
  h: 'unsigned char',
  s: 'short',
  t: 'unsigned short',
  i: 'int',
  j: 'unsigned',
  l: 'long',
  m: 'unsigned long',
  x: 'long long',
  y: 'unsigned long long',
  f: 'float',
  d: 'double',
};
// The names that native/cuda/device/element.cuh has for these types.
const ALIAS = { __half: 'Half', __nv_bfloat16: 'BFloat16' };

const UNNAMED_NAMESPACE = /(\d+)_GLOBAL__N__[0-9a-f]{8}_(\d+)_/;
const HASH_SUFFIX = '_01234567'.length;

/**
 * The symbol without the parts that depend on where it was compiled. nvcc puts hashes of the file's path and content into the name of
 * an unnamed namespace, as in `39_GLOBAL__N__47e4d027_7_anon_cu_07edabd1`; here that becomes `19_GLOBAL__N__anon_cu`.
 */
export function stableSymbol(symbol) {
  const match = UNNAMED_NAMESPACE.exec(symbol);
  if (match === null) return symbol;
  const [start, digits, fileLength] = match;
  const fileAt = match.index + start.length;
  const fileEnd = fileAt + Number(fileLength);
  const length = start.length - digits.length + Number(fileLength) + HASH_SUFFIX;
  const name = `_GLOBAL__N__${symbol.slice(fileAt, fileEnd)}`;
  // Digits before the length are part of the name in front of it.
  const before = symbol.slice(0, match.index + digits.length - String(length).length);
  return `${before}${name.length}${name}${stableSymbol(symbol.slice(fileEnd + HASH_SUFFIX))}`;
}

/**
 * The name of a kernel with its template arguments, without namespaces: `gemm_mma_kernel<Half, 64>`. For a symbol of a form that is unknown
 * here, the symbol itself.
 */
export function displayName(symbol) {
  try {
    return new Demangler(symbol).kernelName();
  } catch (error) {
    if (error instanceof UnknownForm) return symbol;
    throw error;
  }
}

class UnknownForm extends Error {}

/** Reads names, types and literals of the grammar. It does not know expressions, function types and abbreviations for the standard library. */
class Demangler {
  #text;
  #at = 0;
  #substitutions = [];

  constructor(symbol) {
    this.#text = symbol;
  }

  kernelName() {
    this.#expect('_Z');
    return this.#name(false);
  }

  #skip(token) {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #expect(token) {
    if (!this.#skip(token)) throw new UnknownForm();
  }

  #match(pattern) {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) throw new UnknownForm();
    this.#at = pattern.lastIndex;
    return match;
  }

  #remember(name) {
    this.#substitutions.push(name);
    return name;
  }

  /**
   * Reads a name. Later parts of a symbol may refer back to the whole name of a type, but of a function only to the prefix before its
   * template arguments.
   */
  #name(isType) {
    const nested = this.#skip('N');
    let name;
    let remembered = false;
    do {
      if (name !== undefined && !remembered) this.#remember(name);
      if (name !== undefined && this.#skip('I')) name += this.#templateArguments();
      else if (this.#text[this.#at] === 'S') {
        name = this.#substitution();
        remembered = true;
        continue;
      } else name = this.#sourceName();
      remembered = false;
    } while (nested ? !this.#skip('E') : this.#text[this.#at] === 'I');
    return isType && !remembered ? this.#remember(name) : name;
  }

  #sourceName() {
    this.#skip('L');
    const length = Number(this.#match(/\d+/y)[0]);
    const name = this.#text.slice(this.#at, this.#at + length);
    this.#at += length;
    return ALIAS[name] ?? name;
  }

  #substitution() {
    const digits = this.#match(/S([0-9A-Z]*)_/y)[1];
    const name = this.#substitutions[digits === '' ? 0 : Number.parseInt(digits, 36) + 1];
    if (name === undefined) throw new UnknownForm();
    return name;
  }

  #templateArguments() {
    const list = [];
    while (!this.#skip('E')) {
      // The arguments of a pack are read as part of the list, which then ends at the E of the pack.
      if (this.#skip('J')) continue;
      list.push(this.#skip('L') ? this.#literal() : this.#type());
    }
    return `<${list.join(', ')}>`;
  }

  #literal() {
    const type = this.#type();
    const [, negative, digits] = this.#match(/(n?)(\d+)E/y);
    return type === 'bool' ? String(digits !== '0') : `${negative && '-'}${digits}`;
  }

  #type() {
    if (this.#skip('P')) return this.#remember(`${this.#type()}*`);
    if (this.#skip('R')) return this.#remember(`${this.#type()}&`);
    if (this.#skip('K')) return this.#remember(`const ${this.#type()}`);
    const builtin = BUILTIN[this.#text[this.#at]];
    if (builtin === undefined) return this.#name(true);
    this.#at++;
    return builtin;
  }
}
