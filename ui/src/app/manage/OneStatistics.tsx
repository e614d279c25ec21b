import { type ReactNode, useMemo } from 'react'
import { Chart } from '../kit/Chart'
import { Failed, Loading } from '../kit/States'
import { byHour } from './course'
import type { Managed } from './model'
import { Numbers } from './Numbers'
import { useStatistics } from './queries'

/** What became of one notification, and when. */
export function OneStatistics(props: { one: Managed }): ReactNode {
  const statistics = useStatistics(props.one)
  const course = useMemo(() => byHour(statistics.data?.course ?? []), [statistics.data])
  if (statistics.isPending) return <Loading />
  if (statistics.isError) {
    return <Failed problem={statistics.error} again={() => void statistics.refetch()} />
  }
  return (
    <>
      <Numbers counts={statistics.data} />
      <div className="card stats-chart">
        <Chart
          title="By hour"
          kind={course.times.length > 48 ? 'line' : 'bars'}
          times={course.times}
          series={course.series}
          unit="people"
          bucket="hour"
        />
      </div>
    </>
  )
}
