import { type ReactNode, useMemo } from 'react'
import { useSearchParams } from 'wouter'
import { Chart } from '../kit/Chart'
import { Failed, Loading } from '../kit/States'
import { usePageTitle } from '../kit/title'
import { byDay } from './course'
import { Numbers } from './Numbers'
import { useTotals } from './queries'
import { zone } from './times'

const spans = [7, 30, 90, 365]

/** What became of all that was sent lately. */
export function TotalsPage(): ReactNode {
  usePageTitle('Statistics of notifications')
  const [params, setParams] = useSearchParams()
  const asked = Number(params.get('days'))
  const days = spans.includes(asked) ? asked : 30
  const totals = useTotals(days)
  const course = useMemo(() => byDay(totals.data?.course ?? []), [totals.data])
  return (
    <>
      <header className="page-head">
        <h1>Statistics</h1>
        <label className="span-choice">
          <span>Sent in the last</span>
          <select
            className="plain"
            value={days}
            onChange={event => setParams({ days: event.target.value }, { replace: true })}
          >
            {spans.map(span => (
              <option key={span} value={span}>
                {span} days
              </option>
            ))}
          </select>
        </label>
      </header>
      {totals.isPending && <Loading />}
      {totals.isError && <Failed problem={totals.error} again={() => void totals.refetch()} />}
      {totals.data && (
        <div aria-busy={totals.isPlaceholderData}>
          <Numbers counts={totals.data} sent={totals.data.sent} />
          <div className="card stats-chart">
            <Chart
              title="By day"
              kind={days > 31 ? 'line' : 'bars'}
              times={course.times}
              series={course.series}
              unit="people"
              bucket="day"
            />
            <p className="muted">Days of your zone, {zone()}.</p>
          </div>
        </div>
      )}
    </>
  )
}
