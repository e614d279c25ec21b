import uPlot from 'uplot'
import { shortOf } from './labels'
import type { ChartSpec, ColouredSeries } from './spec'

/** The colours of a chart as the page has them at the moment. */
export interface Paint {
  ink: string
  line: string
  card: string
  font: string
  series: (colour: number) => string
}

/** Reads the custom properties in force at an element. */
export function paintOf(element: Element): Paint {
  const style = getComputedStyle(element)
  const of = (name: string) => style.getPropertyValue(name).trim()
  return {
    ink: of('--muted'),
    line: of('--line'),
    card: of('--card'),
    font: `12px ${style.fontFamily}`,
    series: colour => of(`--chart-${colour}`),
  }
}

/** What uPlot draws: the times, or the places of bars, and the values above them. */
export function dataOf(spec: ChartSpec, shown: readonly ColouredSeries[]): uPlot.AlignedData {
  const x = spec.kind === 'bars' ? spec.times.map((_, n) => n) : spec.times.map(t => t / 1000)
  if (!spec.stacked) return [x, ...shown.map(({ values }) => [...values])]
  const sums = x.map(() => 0)
  const stacked = shown.map(({ values }) =>
    values.map((value, n) => {
      sums[n] = (sums[n] ?? 0) + (value ?? 0)
      return sums[n] || null // nothing has no edge either
    }),
  )
  // The highest is drawn first, and the lower ones over it.
  return [x, ...stacked.reverse()]
}

/** Builds uPlot's options; latest gives the spec as it is when something is drawn. */
export function optionsOf(
  size: { width: number; height: number },
  shown: readonly ColouredSeries[],
  paint: Paint,
  latest: () => ChartSpec,
  hooks: uPlot.Hooks.Arrays,
): uPlot.Options {
  const { kind, stacked, timeZone } = latest()
  const bars = kind === 'bars'
  const order = stacked ? [...shown].reverse() : shown
  const axis = { stroke: paint.ink, font: paint.font, ticks: { show: false } }
  return {
    ...size,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: !bars && !stacked } },
    padding: [8, 24, 0, 0], // the last name reaches beyond its place
    tzDate: seconds => zoned(seconds, timeZone),
    scales: {
      x: bars ? { time: false, range: (_, min, max) => [min - 0.5, max + 0.5] } : { time: true },
      y: { range: (_, min, max) => rangeOf(min, max) },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 32,
        space: 84,
        values: (_, places) => places.map(place => tickOf(latest(), place)),
        ...(bars && {
          splits: (u, _, min, max) =>
            placesOf(min, max, u.bbox.width / devicePixelRatio, tickOf(latest(), 0).length),
        }),
      },
      {
        ...axis,
        grid: { stroke: paint.line, width: 1 },
        size: (_, values) => 16 + 7 * Math.max(1, ...(values ?? []).map(text => text.length)),
        space: 36,
        incrs: () => (isWhole(latest()) ? steps.filter(Number.isInteger) : steps),
        values: (_, values) => values.map(shortOf),
      },
    ],
    series: [
      {},
      ...order.map(({ name, colour }, index) => ({
        label: name,
        ...styleOf(paint.series(colour), paint.card, kind, stacked, { index, of: order.length }),
      })),
    ],
    hooks,
  }
}

function styleOf(
  colour: string,
  ground: string,
  kind: ChartSpec['kind'],
  stacked: boolean,
  place: { index: number; of: number },
): uPlot.Series {
  if (kind === 'line') return { stroke: colour, width: 2, points: { show: false } }
  if (kind === 'area') {
    const fill = stacked ? colour : `${colour}33`
    return {
      stroke: stacked ? ground : colour,
      width: stacked ? 1 : 2,
      fill,
      points: { show: false },
    }
  }
  return {
    fill: colour,
    stroke: ground, // parts of a stack stay apart, however alike their colours
    width: stacked ? 1 : 0,
    points: { show: false },
    ...pathsOf(stacked, place),
  }
}

/** Bars over their places; side by side when they are not stacked. */
function pathsOf(stacked: boolean, place: { index: number; of: number }): Partial<uPlot.Series> {
  const share = 0.76 / place.of
  const paths = stacked
    ? uPlot.paths.bars?.({ size: [0.76, 56] })
    : uPlot.paths.bars?.({
        align: 1,
        disp: {
          x0: {
            unit: 1,
            values: u => (u.data[0] as number[]).map(x => x - 0.38 + place.index * share),
          },
          size: { unit: 1, values: u => (u.data[0] as number[]).map(() => share * 0.94) },
        },
      })
  return paths === undefined ? {} : { paths }
}

/** How far apart the values of an axis may be. */
const steps = Array.from({ length: 18 }, (_, n) => n - 6).flatMap(power =>
  [1, 2, 5].map(digit => Number(`${digit}e${power}`)),
)

/** Whether all values are counts, between which nothing is. */
function isWhole({ series }: ChartSpec): boolean {
  return series.every(({ values }) =>
    values.every(value => value === null || Number.isInteger(value)),
  )
}

/** From nothing to a little above the highest value. */
function rangeOf(min: number | null, max: number | null): [number, number] {
  const low = Math.min(0, min ?? 0)
  const high = Math.max(max ?? 0, low + 1)
  return [low < 0 ? low * 1.08 : 0, high <= 0 ? 0 : high * 1.08]
}

/** The bars that have room for a name below them, always at equal distances. */
function placesOf(min: number, max: number, width: number, letters: number): number[] {
  const first = Math.ceil(min)
  const last = Math.floor(max)
  const room = Math.max(1, Math.floor(width / (7 * letters + 16)))
  const step = Math.max(1, Math.ceil((last - first + 1) / room))
  const places: number[] = []
  for (let place = first; place <= last; place += step) places.push(place)
  return places
}

function tickOf(spec: ChartSpec, place: number): string {
  const time = spec.kind === 'bars' ? spec.times[place] : place * 1000
  return time === undefined ? '' : spec.labels.tick(time)
}

function zoned(seconds: number, timeZone: string | undefined): Date {
  const date = new Date(seconds * 1000)
  if (!timeZone) return date
  try {
    return uPlot.tzDate(date, timeZone)
  } catch {
    return date
  }
}
