import { type ReactNode, Suspense, useId, useMemo, useState } from 'react'
import 'uplot/dist/uPlot.min.css'
import './chart/chart.css'
import { Legend } from './chart/Legend'
import { labelsOf } from './chart/labels'
import type { Bucket, ChartSpec, Series } from './chart/spec'
import { Values } from './chart/Values'
import { later } from './later'

export type { Bucket, Series } from './chart/spec'

// The plotting itself is loaded by the first chart that is shown.
const Plot = later(() => import('./chart/Plot'))

/** What a chart shows. */
export interface ChartProps {
  /** What it is about; heads it and names it to screen readers. */
  title: string
  /** Default: line. Bars stand for one bucket each, at equal distances. */
  kind?: 'line' | 'area' | 'bars'
  /** Whether bars or areas stand on each other and not side by side. */
  stacked?: boolean
  /** The times of the values, ascending, in Unix milliseconds. */
  times: readonly number[]
  /** Nine at most can be told apart. null: there is no value at that time. */
  series: readonly Series[]
  /** What is counted, such as "check-ins" or "ms". */
  unit?: string | undefined
  /** How far two times are apart, for their names. Default: guessed from times. */
  bucket?: Bucket | undefined
  /** The zone of the times' names. Default: the browser's. */
  timeZone?: string | undefined
  /** Of the plot, in pixels. Default: 240. */
  height?: number
  /** The level of its heading. Default: 2. */
  level?: 2 | 3
}

/**
 * Values over time with axes, a tooltip and a legend that hides single series.
 * The arrow keys go through the times and read them out, and the same values
 * are there as a table, for screen readers always.
 */
export function Chart(props: ChartProps): ReactNode {
  const { title, times, series, unit = '', kind = 'line', height = 240 } = props
  const { stacked = false, bucket, timeZone, level = 2 } = props
  const [off, setOff] = useState<ReadonlySet<string>>(new Set())
  const [asTable, setAsTable] = useState(false)
  const heading = useId()
  const spec = useMemo<ChartSpec>(
    () => ({
      title,
      kind,
      stacked: stacked && kind !== 'line',
      times,
      series: series.map((one, index) => ({ ...one, colour: (index % 9) + 1 })),
      unit,
      labels: labelsOf(times, bucket, timeZone),
      timeZone,
      height,
    }),
    [title, kind, stacked, times, series, unit, bucket, timeZone, height],
  )
  const shown = useMemo(() => spec.series.filter(({ name }) => !off.has(name)), [spec, off])
  const empty = times.length === 0 || series.every(({ values }) => values.every(v => v === null))
  const Heading = `h${level}` as const
  return (
    <section className="chart" aria-labelledby={heading}>
      <header>
        <Heading id={heading}>{title}</Heading>
        {unit !== '' && <span className="chart-unit">{unit}</span>}
        {!empty && (
          <button
            type="button"
            className="quiet chart-as-table"
            aria-pressed={asTable}
            onClick={() => setAsTable(!asTable)}
          >
            Table
          </button>
        )}
      </header>
      {empty ? (
        <p className="chart-empty" style={{ minHeight: height / 2 }}>
          Nothing in this time.
        </p>
      ) : (
        <>
          {!asTable && (
            <Suspense fallback={<div className="chart-plot" style={{ height }} />}>
              <Plot spec={spec} shown={shown} />
            </Suspense>
          )}
          {!asTable && series.length > 1 && (
            <Legend
              series={spec.series}
              off={off}
              toggle={name => {
                const next = new Set(off)
                if (!next.delete(name)) next.add(name)
                setOff(next)
              }}
            />
          )}
          <div className={asTable ? 'table-box' : 'offscreen'}>
            <Values spec={spec} />
          </div>
        </>
      )}
    </section>
  )
}
