/** A key for rows that only grow at their end, and may say the same twice. */
export function place(text: string, n: number): string {
  return `${text} ${n}`
}
