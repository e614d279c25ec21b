import type { DashboardInfo } from 'belfry-client/dashboard'

const hour = 3_600_000
const day = 24 * hour

/**
 * The beginnings of all buckets of a range in the dashboard's zone, ascending, in
 * Unix milliseconds. known are those that have values; they are all among them.
 */
export function bucketsOf(info: DashboardInfo, bucket: string, known: readonly number[]): number[] {
  const start = Date.parse(info.start)
  const end = Date.parse(info.end)
  const found = new Map<string, number>()
  const clock = clockOf(info.timezone)
  const key = (time: number) =>
    bucket === 'hour' ? String(Math.floor(time / hour)) : dateOf(clock(time))
  if (end - start < 400 * day) {
    for (let at = first(start, bucket, info, clock); at < end; at = next(at, bucket, clock)) {
      found.set(key(at), at)
    }
  }
  // The server knows days that begin at another hour than midnight.
  for (const time of known) found.set(key(time), time)
  return [...found.values()].sort((a, b) => a - b)
}

/** Gives a time as its zone's clock shows it, as if that were UTC. */
type Clock = (time: number) => number

function first(start: number, bucket: string, info: DashboardInfo, clock: Clock): number {
  if (bucket !== 'week') return start
  const begins = { sunday: 0, saturday: 6 }[info.weekStarts] ?? 1
  const past = (new Date(clock(start)).getUTCDay() - begins + 7) % 7
  return shifted(start, -past, clock)
}

function next(at: number, bucket: string, clock: Clock): number {
  if (bucket === 'hour') return at + hour
  return shifted(at, bucket === 'week' ? 7 : 1, clock)
}

/** The beginning of the day that lies so many days after that of a time. */
function shifted(time: number, days: number, clock: Clock): number {
  const midnight = Math.floor(clock(time) / day) * day + days * day
  const guess = midnight - (clock(time) - time)
  return midnight - (clock(guess) - guess) // the clocks may have changed between
}

function clockOf(timeZone: string): Clock {
  const format = formatOf(timeZone)
  return time => {
    const part: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(time)) part[type] = Number(value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part
    return Date.UTC(year, month - 1, day, hour, minute, second)
  }
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    hourCycle: 'h23',
  }
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone })
  } catch {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' })
  }
}

function dateOf(clock: number): string {
  return new Date(clock).toISOString().slice(0, 10)
}
