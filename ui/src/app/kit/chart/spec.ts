import type { Labels } from './labels'

/** How far two times of a chart are apart. */
export type Bucket = 'minute' | 'hour' | 'day' | 'week'

/** One line of a chart, or one part of each bar. */
export interface Series {
  readonly name: string
  readonly values: readonly (number | null)[]
}

/** A chart as its parts need it. */
export interface ChartSpec {
  readonly title: string
  readonly kind: 'line' | 'area' | 'bars'
  readonly stacked: boolean
  readonly times: readonly number[]
  readonly series: readonly ColouredSeries[]
  readonly unit: string
  readonly labels: Labels
  readonly timeZone: string | undefined
  readonly height: number
}

/** colour: the number of its custom property, 1 to 9. */
export interface ColouredSeries extends Series {
  readonly colour: number
}
