export function sumOf<T>(values: T[], amount: (value: T) => number): number {
  return values.reduce((total, value) => total + amount(value), 0);
}
