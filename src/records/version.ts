/**
 * Version of the record lines that are written. Version 1, which knew neither stretches nor what a sample holds, and version 2, which had other names
 * (older-names.ts), are still read; others are refused.
 */
export const RECORD_VERSION = 3;
