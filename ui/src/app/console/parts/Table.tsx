import type { ReactNode } from 'react'

/** One column of a table. */
export interface Column<T> {
  readonly name: string
  readonly of: (row: T) => ReactNode
  /** Whether it holds numbers, which stand to the right. */
  readonly number?: boolean
  /** Whether its name is for screen readers only. */
  readonly silent?: boolean
}

// A phone shows rows as cards, and a table that is laid out otherwise is none to
// browsers unless it says so.
const roles = {
  table: { role: 'table' },
  group: { role: 'rowgroup' },
  row: { role: 'row' },
  head: { role: 'columnheader' },
  cell: { role: 'cell' },
} as const

/** Rows with the names of their columns; on a phone, a card for each. */
export function Table<T>(props: {
  label: string
  columns: readonly Column<T>[]
  rows: readonly T[]
  keyOf: (row: T) => string
}): ReactNode {
  const { columns, rows, keyOf } = props
  return (
    <table className="plain c-table" aria-label={props.label} {...roles.table}>
      <thead {...roles.group}>
        <tr {...roles.row}>
          {columns.map(({ name, number, silent }) => (
            <th key={name} scope="col" className={number ? 'number' : undefined} {...roles.head}>
              {silent ? <span className="offscreen">{name}</span> : name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody {...roles.group}>
        {rows.map(row => (
          <tr key={keyOf(row)} data-row={keyOf(row)} {...roles.row}>
            {columns.map(column => (
              <td
                key={column.name}
                className={column.number ? 'number' : undefined}
                data-label={column.silent ? undefined : column.name}
                {...roles.cell}
              >
                <div className="c-cell">{column.of(row)}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
