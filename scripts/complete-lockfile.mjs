// Completes package-lock.json, so that `npm ci` works and is verified on every platform:
//   node scripts/complete-lockfile.mjs           adds what npm left out; run it after every npm install
//   node scripts/complete-lockfile.mjs --check   fails when something is missing; asks no registry
// npm leaves out optional packages of platforms that the registry did not offer when it installed, and never asks for their hashes again.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8'));
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const cpus = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

/** On which platforms a package installs, as its name says: `@oxc-parser/binding-linux-arm-musleabihf`, for example. */
function platformOf(name) {
  const words = name.split('/').pop().split('-');
  const os = systems.find((s) => words.includes(s));
  const cpu = cpus.find((c) => words.includes(c));
  const libc = words.some((w) => w.startsWith('musl')) ? 'musl' : words.some((w) => w.startsWith('gnu')) ? 'glibc' : undefined;
  return { ...(cpu && { cpu: [cpu] }), ...(os === 'linux' && libc && { libc: [libc] }), ...(os && { os: [os] }) };
}

/** Optional dependencies without an entry, as [name, entry]. */
function missingPackages() {
  const missing = new Map();
  for (const [owner, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const places = [`${owner}/node_modules/${name}`, `node_modules/${name}`];
      if (places.some((place) => lock.packages[place] !== undefined)) continue;
      const { cpu, os, libc } = platformOf(name);
      missing.set(`node_modules/${name}`, {
        version: version.replace(/^[\^~]/, ''),
        ...(cpu && { cpu }),
        ...(entry.dev && { dev: true }),
        ...(libc && { libc }),
        optional: true,
        ...(os && { os }),
      });
    }
  }
  return [...missing];
}

/** Entries without a hash: `npm ci` could not verify their tarballs. */
function unverified() {
  return Object.entries(lock.packages).filter(([place, entry]) => place !== '' && !entry.link && entry.integrity === undefined);
}

/** The hash that the registry states for a package's tarball. */
function integrityOf(place, { version }) {
  const name = place.split('node_modules/').pop();
  const { status, stdout, stderr } = spawnSync('npm', ['view', `${name}@${version}`, 'dist.integrity'], { encoding: 'utf8' });
  const hash = stdout?.trim() ?? '';
  if (status === 0 && hash.startsWith('sha')) return hash;
  process.stderr.write(`Expected the registry's integrity of ${name}@${version} but received ${hash || stderr.trim()}\n`);
  return process.exit(1);
}

function complete() {
  const added = missingPackages();
  for (const [place, entry] of added) lock.packages[place] = entry;
  const hashed = unverified();
  for (const [place, entry] of hashed) {
    const { version, ...rest } = entry;
    lock.packages[place] = { version, integrity: integrityOf(place, entry), ...rest };
  }
  const [root, ...others] = Object.entries(lock.packages);
  others.sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = Object.fromEntries([root, ...others]);
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: added ${added.length} optional platform packages and ${hashed.length} hashes`);
}

function check() {
  const faults = [
    ...missingPackages().map(([place]) => `${place} is missing`),
    ...unverified().map(([place]) => `${place} has no integrity hash`),
  ];
  if (faults.length === 0) return;
  console.error(`package-lock.json: ${faults.join('\n  ')}\nRun \`node scripts/complete-lockfile.mjs\`.`);
  process.exit(1);
}

if (parseArgs({ options: { check: { type: 'boolean', default: false } } }).values.check) check();
else complete();
