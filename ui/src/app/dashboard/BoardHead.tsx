import type { UseDashboard } from 'belfry-client/dashboard'
import { type ReactNode, useId } from 'react'
import { allRanges, daysOf, nameOfRange } from './ranges'
import { Status } from './Status'

/** What is shown, of which time, and how fresh it is. */
export function BoardHead(props: {
  board: UseDashboard<unknown>
  title: string
  /** A way to other dashboards. */
  others?: ReactNode
}): ReactNode {
  const { board, title } = props
  const { info, range } = board
  const select = useId()
  const ranges = info?.ranges.length ? info.ranges : allRanges
  const days = info === null ? '' : daysOf(info.start, info.end, info.timezone)
  return (
    <>
      <header className="page-head board-head">
        <h1>{title}</h1>
        {props.others}
        <Status board={board} />
        <div className="board-controls">
          <label htmlFor={select} className="offscreen">
            Range
          </label>
          <select
            id={select}
            className="plain"
            value={range}
            onChange={event => board.setRange(event.target.value)}
          >
            {!ranges.includes(range) && <option value={range}>{range}</option>}
            {ranges.map(name => (
              <option key={name} value={name}>
                {nameOfRange(name)}
              </option>
            ))}
          </select>
          <button
            type="button"
            className="quiet"
            aria-disabled={board.loading}
            onClick={() => board.loading || void board.refresh()}
          >
            Refresh
          </button>
        </div>
      </header>
      <p className="board-days">
        {days !== '' && (
          <>
            {days} <span>({info?.timezone})</span>
          </>
        )}
      </p>
    </>
  )
}
