/** A word of a POSIX shell. */
export function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** A string literal of Go and Python, and any double-quoted JSON string. */
export function double(text: string): string {
  return JSON.stringify(text)
}

/** A string literal of JavaScript and PHP. */
export function single(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** A value of an .env file: bare where that is safe. */
export function env(text: string): string {
  if (/^[A-Za-z0-9_.:/-]*$/.test(text)) return text
  return `"${text.replace(/[\\"$]/g, '\\$&')}"`
}
