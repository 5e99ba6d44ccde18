/**
 * Version of the record lines that are written. Versions 1 and 2 are still read: version 1 had neither stretches nor content hashes of samples, and version 2
 * had other names (older-names.ts). Newer versions are refused.
 */
export const RECORD_VERSION = 3;
