import type { Bucket } from './spec'

/** How a chart names times and values. */
export interface Labels {
  /** Short, for the axis. */
  readonly tick: (time: number) => string
  /** In full, for the tooltip and the table. */
  readonly whole: (time: number) => string
}

const hour = 3_600_000

/** Names for times that lie a bucket apart. */
export function labelsOf(
  times: readonly number[],
  bucket: Bucket | undefined,
  timeZone: string | undefined,
): Labels {
  const width = bucket ?? guess(times)
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0)
  const format = (options: Intl.DateTimeFormatOptions) => {
    const made = formatter(options, timeZone)
    return (time: number) => made.format(time)
  }
  if (width === 'minute' || width === 'hour') {
    const clock = { hour: '2-digit', minute: '2-digit' } as const
    return {
      tick: format(span > 36 * hour ? { weekday: 'short', ...clock } : clock),
      whole: format({ weekday: 'short', day: 'numeric', month: 'short', ...clock }),
    }
  }
  const day = { day: 'numeric', month: 'short' } as const
  const whole = format({ weekday: 'short', ...day, year: 'numeric' })
  return {
    tick: format(width === 'day' && span < 8 * 24 * hour ? { weekday: 'short', ...day } : day),
    whole: width === 'week' ? time => `Week of ${whole(time)}` : whole,
  }
}

const numbers = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 })
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })

/** A value in full, with its unit; a dash where there is none. */
export function inWords(value: number | null | undefined, unit = ''): string {
  if (value === null || value === undefined) return '–'
  return unit === '' ? numbers.format(value) : `${numbers.format(value)} ${unit}`
}

/** A value for the axis: 12, 1.2K. */
export function shortOf(value: number): string {
  return Math.abs(value) < 1000 ? numbers.format(value) : short.format(value)
}

function guess(times: readonly number[]): Bucket {
  let least = Number.POSITIVE_INFINITY
  for (let n = 1; n < times.length; n++) {
    least = Math.min(least, (times[n] ?? 0) - (times[n - 1] ?? 0))
  }
  // A day in which the clocks change has 23 hours.
  if (least < hour) return 'minute'
  if (least < 22 * hour) return 'hour'
  return least < 6 * 24 * hour || !Number.isFinite(least) ? 'day' : 'week'
}

function formatter(options: Intl.DateTimeFormatOptions, timeZone: string | undefined) {
  try {
    return new Intl.DateTimeFormat(undefined, timeZone ? { ...options, timeZone } : options)
  } catch {
    return new Intl.DateTimeFormat(undefined, options) // a zone that this browser does not know
  }
}
