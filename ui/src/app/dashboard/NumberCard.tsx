import type { DashboardFigure, StaleFigure } from 'belfry-client/dashboard'
import type { ReactNode } from 'react'
import { rangeBefore } from './ranges'
import { Stale } from './Stale'
import { useChanged } from './useChanged'

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 })
const percent = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 0 })

/** One number, and how it compares to the range before. */
export function NumberCard(props: {
  figure: DashboardFigure
  value: number | null
  previous: number | null | undefined
  stale: StaleFigure | undefined
  range: string
}): ReactNode {
  const { figure, value, previous, stale, range } = props
  const mark = useChanged(String(value), range)
  return (
    <div
      className="card figure-card"
      data-figure={figure.name}
      data-changed={mark > 0 || undefined}
    >
      <dt>{figure.title}</dt>
      <dd>
        <span key={mark} className="figure-value">
          {value === null ? <Dash /> : whole.format(value)}
          {value !== null && figure.unit !== '' && <small> {figure.unit}</small>}
        </span>
        {value !== null && typeof previous === 'number' && (
          <Change now={value} before={previous} better={figure.better} range={range} />
        )}
        {stale?.stale && <Stale asOf={stale.as_of} />}
      </dd>
    </div>
  )
}

function Dash(): ReactNode {
  return (
    <>
      <span aria-hidden="true">–</span>
      <span className="offscreen">not known</span>
    </>
  )
}

/** The difference to the range before: by sign, words and colour. */
function Change(props: {
  now: number
  before: number
  better: DashboardFigure['better']
  range: string
}): ReactNode {
  const { now, before, better, range } = props
  const difference = now - before
  const than = `${rangeBefore(range)}: ${whole.format(before)}`
  if (difference === 0) {
    return (
      <span className="figure-change">
        As many as before <span className="figure-before">{than}</span>
      </span>
    )
  }
  const rise = difference > 0
  const tone = better === '' ? undefined : (better === 'up') === rise ? 'good' : 'bad'
  return (
    <span className="figure-change" data-tone={tone}>
      <span aria-hidden="true">{rise ? '▲' : '▼'}</span>
      <span className="offscreen">{rise ? 'up by' : 'down by'}</span>{' '}
      {whole.format(Math.abs(difference))}
      {before !== 0 && ` (${percent.format(Math.abs(difference / before))})`}{' '}
      <span className="figure-before">{than}</span>
    </span>
  )
}
