import { type ReactNode, useEffect, useState } from 'react'

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' })

/** A time as people say it, "3 min ago", in the browser's zone; whole on hover. */
export function Time(props: { at: string | number | Date }): ReactNode {
  const at = new Date(props.at)
  const now = useNow(Math.abs(Date.now() - at.getTime()) < 60_000 ? 1000 : 30_000)
  if (Number.isNaN(at.getTime())) return null
  return (
    <time dateTime={at.toISOString()} title={whole.format(at)}>
      {ago(at, now)}
    </time>
  )
}

/** Says how long ago, or how soon, a time is. */
export function ago(at: Date, now: number): string {
  const seconds = Math.round((at.getTime() - now) / 1000)
  const size = Math.abs(seconds)
  if (size < 3) return 'now'
  if (size < 60) return relative.format(seconds, 'second')
  if (size < 3600) return relative.format(Math.trunc(seconds / 60), 'minute')
  if (size < 86_400) return relative.format(Math.trunc(seconds / 3600), 'hour')
  if (size < 7 * 86_400) return relative.format(Math.trunc(seconds / 86_400), 'day')
  return day.format(at)
}

/** A time in full, in the browser's zone. */
export function inFull(at: string | number | Date): string {
  return whole.format(new Date(at))
}

/** The time of day, told anew every so many milliseconds. */
export function useNow(every: number): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), every)
    return () => window.clearInterval(timer)
  }, [every])
  return now
}
