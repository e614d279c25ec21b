import type {
  DashboardFigure,
  DashboardInfo,
  DashboardRow,
  DashboardStats,
  UseDashboard,
} from 'belfry-client/dashboard'
import type { ReactNode } from 'react'
import { NumberCard } from './NumberCard'
import { RowsFigure } from './RowsFigure'
import { SeriesFigure } from './SeriesFigure'

/** All figures of a dashboard: numbers first, then what is drawn, then tables. */
export function Figures(props: {
  stats: DashboardStats
  info: DashboardInfo
  board: Pick<UseDashboard<unknown>, 'previous' | 'meta'>
}): ReactNode {
  const { stats, info, board } = props
  const of = (kind: DashboardFigure['kind']) => info.figures.filter(one => one.kind === kind)
  const numbers = of('number')
  return (
    <>
      {numbers.length > 0 && (
        <dl className="figure-cards">
          {numbers.map(figure => (
            <NumberCard
              key={figure.name}
              figure={figure}
              value={numberOf(stats[figure.name])}
              previous={board.previous[figure.name]}
              stale={board.meta[figure.name]}
              range={stats.range}
            />
          ))}
        </dl>
      )}
      {of('series').map(figure => (
        <SeriesFigure
          key={figure.name}
          figure={figure}
          info={info}
          points={listOf(stats[figure.name])}
          stale={board.meta[figure.name]}
        />
      ))}
      {of('rows').map(figure => (
        <RowsFigure
          key={figure.name}
          figure={figure}
          rows={listOf(stats[figure.name])}
          stale={board.meta[figure.name]}
          range={stats.range}
        />
      ))}
    </>
  )
}

function numberOf(value: DashboardStats[string] | undefined): number | null {
  return typeof value === 'number' ? value : null
}

function listOf(value: DashboardStats[string] | undefined): readonly DashboardRow[] | null {
  return Array.isArray(value) ? value : null
}
