import { type ReactNode, useMemo } from 'react'
import { Chart } from '../../kit/Chart'
import type { Overview, Point } from '../model'

type Key = Exclude<keyof Point, 'at'>

interface Plan {
  readonly title: string
  readonly unit: string
  readonly kind?: 'line' | 'area'
  readonly lines: readonly { readonly name: string; readonly key: Key; readonly per?: number }[]
}

const plans: readonly Plan[] = [
  {
    title: 'Events and deliveries',
    unit: 'a second',
    lines: [
      { name: 'Deliveries', key: 'deliveries' },
      { name: 'Events', key: 'events' },
    ],
  },
  {
    title: 'Connections',
    unit: '',
    kind: 'area',
    lines: [{ name: 'Connections', key: 'connections' }],
  },
  {
    title: 'Broadcasting latency',
    unit: 'ms',
    lines: [{ name: 'Probe', key: 'probe_ms' }],
  },
  {
    title: 'Jobs',
    unit: '',
    lines: [
      { name: 'Waiting', key: 'waiting_jobs' },
      { name: 'Failed', key: 'failed_jobs' },
    ],
  },
  {
    title: 'Processor',
    unit: '% of one core',
    kind: 'area',
    lines: [{ name: 'Processor', key: 'cpu_percent' }],
  },
  {
    title: 'Memory',
    unit: 'MB',
    kind: 'area',
    lines: [{ name: 'Memory', key: 'memory_bytes', per: 1_000_000 }],
  },
]

/** The last quarter of an hour. */
export function Charts(props: { series: Overview['series'] }): ReactNode {
  const { points } = props.series
  // The overview comes more often than a new point.
  const last = `${points.length} ${points.at(-1)?.at}`
  // biome-ignore lint/correctness/useExhaustiveDependencies: the last tells them apart
  const charts = useMemo(() => {
    const times = points.map(({ at }) => Date.parse(at))
    return plans.map(plan => ({
      ...plan,
      times,
      series: plan.lines.map(({ name, key, per = 1 }) => ({
        name,
        values: points.map(point => {
          const value = point[key]
          return value === null ? null : value / per
        }),
      })),
    }))
  }, [last])
  return (
    <section className="c-charts" aria-label="The last 15 minutes">
      {charts.map(({ title, unit, kind = 'line', times, series }) => (
        <div key={title} className="card">
          <Chart
            title={title}
            kind={kind}
            unit={unit}
            times={times}
            series={series}
            bucket="minute"
            height={150}
          />
        </div>
      ))}
    </section>
  )
}
