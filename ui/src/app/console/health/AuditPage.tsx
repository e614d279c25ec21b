import type { ReactNode } from 'react'
import { inFull } from '../../kit/Time'
import { usePageTitle } from '../../kit/title'
import type { Deed } from '../model'
import { Typed, useFilters } from '../parts/Filters'
import { ListOf, Nothing } from '../parts/ListOf'
import type { Column } from '../parts/Table'
import { useList } from '../queries'

const columns: readonly Column<Deed>[] = [
  { name: 'At', of: ({ at }) => inFull(at) },
  {
    name: 'Who',
    of: ({ user, by, address }) => (
      <>
        {user.name ? `${user.name} (${user.id})` : user.id || 'a token of nobody'}
        <div className="c-small">
          {by}, {address}
        </div>
      </>
    ),
  },
  {
    name: 'Did',
    of: ({ action, error }) => (
      <>
        <strong>{action}</strong> {error && <span className="badge fault">not done: {error}</span>}
      </>
    ),
  },
  { name: 'With', of: ({ subject }) => <span className="c-break">{subject || '–'}</span> },
  {
    name: 'Details',
    of: ({ details }) =>
      details
        ? Object.entries(details)
            .map(([name, value]) => `${name}: ${value}`)
            .join(', ')
        : '–',
  },
]

/** What administrators did in the console. */
export function AuditPage(): ReactNode {
  usePageTitle('Audit')
  const [filter, change] = useFilters(['user', 'action'])
  const list = useList<Deed>('audit', 'audit', filter)
  return (
    <>
      <header className="page-head">
        <h1>Audit log</h1>
      </header>
      <search className="c-filters">
        <Typed label="User id" value={filter.user} change={user => change({ user })} />
        <Typed label="Action" value={filter.action} change={action => change({ action })} />
      </search>
      <section className="card">
        <ListOf
          label="What administrators did"
          list={list}
          columns={columns}
          keyOf={({ id }) => id}
          empty={
            <Nothing title="Nothing was done">
              What administrators change here is written down, and kept for 90 days.
            </Nothing>
          }
        />
      </section>
    </>
  )
}
