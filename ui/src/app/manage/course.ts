import type { Series } from '../kit/Chart'
import type { Bucket } from './api'

const hour = 3_600_000

/** What a chart of a course needs. */
export interface Course {
  readonly times: readonly number[]
  readonly series: readonly Series[]
}

const nothing: Course = { times: [], series: [] }

/** Days, which begin in the browser's zone. */
export function byDay(course: readonly Bucket[]): Course {
  if (!course.some(holds)) return nothing
  return { times: course.map(({ at }) => Date.parse(`${at}T00:00`)), series: seriesOf(course) }
}

/** Hours without gaps up to the last in which something was, a dozen at least. */
export function byHour(course: readonly Bucket[]): Course {
  if (!course.some(holds)) return nothing
  const known = new Map(course.map(bucket => [Date.parse(bucket.at), bucket]))
  const last = Math.max(...known.keys())
  const first = Math.min(last - 11 * hour, ...known.keys())
  const times: number[] = []
  for (let time = first; time <= last; time += hour) times.push(time)
  return { times, series: seriesOf(times.map(time => known.get(time))) }
}

function seriesOf(course: readonly (Bucket | undefined)[]): readonly Series[] {
  return [
    { name: 'Delivered live', values: course.map(bucket => bucket?.live ?? 0) },
    { name: 'Read', values: course.map(bucket => bucket?.read ?? 0) },
    { name: 'Dismissed', values: course.map(bucket => bucket?.dismissed ?? 0) },
  ]
}

function holds({ live, read, dismissed }: Bucket): boolean {
  return live + read + dismissed > 0
}
