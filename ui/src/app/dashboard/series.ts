import type { DashboardRow } from 'belfry-client/dashboard'
import type { Series } from '../kit/Chart'

/** How many series have a colour of their own. */
const most = 9

/**
 * Brings points into columns for a chart: a value for each time and name, zero
 * where there is none. What is beyond the ninth name is summed up. Names that are
 * known keep their places, and so their colours.
 */
export function seriesOf(
  points: readonly DashboardRow[],
  times: readonly number[],
  known: readonly string[],
  title: string,
): Series[] {
  const names = [...known]
  const sums = new Map<string, Map<number, number>>()
  for (const point of points) {
    const name = nameOf(point, title)
    if (!names.includes(name)) names.push(name)
    const at = Date.parse(String(point.time))
    const of = sums.get(name) ?? new Map<number, number>()
    sums.set(name, of)
    of.set(at, (of.get(at) ?? 0) + (Number(point.value) || 0))
  }
  const own = names.length > most ? names.slice(0, most - 1) : names
  const columns = own.map(name => ({
    name,
    values: times.map(time => sums.get(name)?.get(time) ?? 0),
  }))
  if (own.length === names.length) return columns
  const rest = names.slice(own.length)
  const values = times.map(time =>
    rest.reduce((sum, name) => sum + (sums.get(name)?.get(time) ?? 0), 0),
  )
  return [...columns, { name: `${rest.length} others`, values }]
}

/** The names of the series among points, by the alphabet. */
export function namesOf(points: readonly DashboardRow[], title: string): string[] {
  return [...new Set(points.map(point => nameOf(point, title)))].sort()
}

function nameOf(point: DashboardRow, title: string): string {
  return typeof point.series === 'string' && point.series !== '' ? point.series : title
}
