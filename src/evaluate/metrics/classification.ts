/**
 * LongBench `classification_score`: 1 / (number of classes named) if the reference is among them, else 0. Classes are found as case-sensitive
 * substrings; those that are proper substrings of the reference are taken out by a walk that skips the element after each removal, as the official one does.
 */
export function classificationScore(prediction: string, reference: string, allClasses: readonly string[]): number {
  const named = allClasses.filter((name) => prediction.includes(name));
  for (let i = 0; i < named.length; i++) {
    const name = named[i] as string;
    // The first equal element goes, which is not always the i-th: classes may repeat.
    if (name !== reference && reference.includes(name)) named.splice(named.indexOf(name), 1);
  }
  return named.includes(reference) ? 1 / named.length : 0;
}
