const numbers = new Intl.NumberFormat()
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })

/** A number in full; a dash where there is none. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : numbers.format(value)
}

/** A rate, with a decimal where it is small. */
export function rate(value: number): string {
  if (value >= 10_000) return short.format(value)
  return numbers.format(value >= 100 ? Math.round(value) : Math.round(value * 10) / 10)
}

/** Bytes as people read them. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let rest = value
  let unit = 0
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000
    unit++
  }
  return `${rest < 10 && unit > 0 ? rest.toFixed(1) : Math.round(rest)} ${units[unit]}`
}

/** Milliseconds, exact where they are few. */
export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  if (value >= 10_000) return `${Math.round(value / 1000)} s`
  return `${value < 10 ? Math.round(value * 100) / 100 : Math.round(value)} ms`
}

/** A length of time in its two largest units. */
export function lasting(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const units: readonly [number, string][] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ]
  const first = units.findIndex(([size]) => whole >= size)
  if (first < 0) return '0 s'
  const [large, name] = units[first] as [number, string]
  const [small, next] = units[first + 1] ?? [0, '']
  const rest = small > 0 ? Math.floor((whole % large) / small) : 0
  const head = `${Math.floor(whole / large)} ${name}`
  return rest > 0 ? `${head} ${rest} ${next}` : head
}

/** "1 job", "2 jobs". */
export function many(n: number, one: string, more = `${one}s`): string {
  return `${numbers.format(n)} ${n === 1 ? one : more}`
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
})

/** The time of day to the millisecond, in the browser's zone. */
export function clockOf(at: string): string {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? '' : clock.format(date)
}

/** An app by its name and id. */
export function appWords({ id, name }: { readonly id: string; readonly name: string }): string {
  return name === '' || name === id ? id : `${name} (${id})`
}
