import type { DashboardFigure, DashboardRow, StaleFigure } from 'belfry-client/dashboard'
import { type ReactNode, useId } from 'react'
import { Cell, headingOf } from './Cell'
import { Stale } from './Stale'
import { useArrivals } from './useArrivals'

/** A figure that is a list of rows, such as the latest alerts. */
export function RowsFigure(props: {
  figure: DashboardFigure
  rows: readonly DashboardRow[] | null
  stale: StaleFigure | undefined
  range: string
}): ReactNode {
  const { figure, rows, stale, range } = props
  const heading = useId()
  const keys = keysOf(rows ?? [])
  const fresh = useArrivals(keys, range, rows !== null)
  // What tells rows apart is not for people.
  const columns = [...new Set(rows?.flatMap(row => Object.keys(row)))]
  const shown = columns.length > 1 ? columns.filter(name => name !== 'id') : columns
  return (
    <section className="card figure-rows" data-figure={figure.name} aria-labelledby={heading}>
      <header>
        <h2 id={heading}>{figure.title}</h2>
        {stale?.stale && <Stale asOf={stale.as_of} />}
      </header>
      {rows === null || rows.length === 0 ? (
        <p className="figure-none">{rows === null ? '–' : 'None in this time.'}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keys too
        <div className="table-box" tabIndex={0}>
          <table className="plain">
            <thead>
              <tr>
                {shown.map(name => (
                  <th key={name} scope="col">
                    {headingOf(name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, index) => {
                const key = keys[index] ?? ''
                return (
                  <tr key={key} data-changed={fresh.has(key) || undefined}>
                    {shown.map(name => (
                      <td key={name} data-label={headingOf(name)}>
                        <Cell name={name} value={row[name]} />
                      </td>
                    ))}
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

/** A key for each row: its id where it has one, and each only once. */
function keysOf(rows: readonly DashboardRow[]): string[] {
  const seen = new Map<string, number>()
  return rows.map(row => {
    const key = JSON.stringify(row.id ?? row)
    const times = (seen.get(key) ?? 0) + 1
    seen.set(key, times)
    return times === 1 ? key : `${key} ${times}`
  })
}
