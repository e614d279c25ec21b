/** The time of a datetime-local input, which is in the browser's zone, in UTC. */
export function fromInput(value: string): string {
  const at = value === '' ? Number.NaN : new Date(value).getTime()
  return Number.isNaN(at) ? '' : new Date(at).toISOString()
}

/** A time in UTC as a datetime-local input of the browser's zone shows it. */
export function toInput(time: string): string {
  const at = new Date(time)
  if (time === '' || Number.isNaN(at.getTime())) return ''
  const two = (value: number, size = 2) => String(value).padStart(size, '0')
  const date = `${two(at.getFullYear(), 4)}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  const minutes = `${two(at.getHours())}:${two(at.getMinutes())}`
  return `${date}T${minutes}${at.getSeconds() === 0 ? '' : `:${two(at.getSeconds())}`}`
}

/** The browser's zone, as "Europe/Berlin". */
export function zone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
}

/** A time some minutes from now, at a whole minute, as an input shows it. */
export function inMinutes(minutes: number, now = Date.now()): string {
  const at = Math.ceil(now / 60_000) * 60_000 + minutes * 60_000
  return toInput(new Date(at).toISOString())
}

/** The next beginning of an hour of the day, as an input shows it. */
export function nextHour(hour: number, now = Date.now()): string {
  const at = new Date(now)
  at.setHours(hour, 0, 0, 0)
  if (at.getTime() <= now) at.setDate(at.getDate() + 1)
  return toInput(at.toISOString())
}
