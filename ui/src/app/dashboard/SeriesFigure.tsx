import type {
  DashboardFigure,
  DashboardInfo,
  DashboardRow,
  StaleFigure,
} from 'belfry-client/dashboard'
import { type ReactNode, useMemo, useState } from 'react'
import { type Bucket, Chart } from '../kit/Chart'
import { bucketsOf } from './buckets'
import { Stale } from './Stale'
import { namesOf, seriesOf } from './series'

/** A figure over time: bars for hours, days or weeks of the dashboard's zone. */
export function SeriesFigure(props: {
  figure: DashboardFigure
  info: DashboardInfo
  points: readonly DashboardRow[] | null
  stale: StaleFigure | undefined
}): ReactNode {
  const { figure, info, points, stale } = props
  const { title, bucket, unit } = figure
  const known = useNames(points, title)
  const times = useMemo(
    () =>
      bucketsOf(
        info,
        bucket,
        (points ?? []).map(({ time }) => Date.parse(String(time))),
      ),
    [info, bucket, points],
  )
  const series = useMemo(
    () => (points?.length ? seriesOf(points, times, known, title) : []),
    [points, times, known, title],
  )
  return (
    <div className="card figure-series" data-figure={figure.name}>
      <Chart
        title={title}
        kind="bars"
        stacked
        times={times}
        series={series}
        unit={unit}
        bucket={bucket as Bucket}
        timeZone={info.timezone}
      />
      {stale?.stale && <Stale asOf={stale.as_of} />}
    </div>
  )
}

/** All names that were seen so far, in the order in which they came. */
function useNames(points: readonly DashboardRow[] | null, title: string): readonly string[] {
  const [names, setNames] = useState<readonly string[]>([])
  const added = namesOf(points ?? [], title).filter(name => !names.includes(name))
  if (added.length === 0) return names
  const all = [...names, ...added]
  setNames(all)
  return all
}
