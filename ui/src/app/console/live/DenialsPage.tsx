import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { Time } from '../../kit/Time'
import { usePageTitle } from '../../kit/title'
import { part } from '../api'
import type { Denial } from '../model'
import { AppChoice } from '../parts/AppChoice'
import { Typed, useFilters } from '../parts/Filters'
import { ListOf, Nothing } from '../parts/ListOf'
import type { Column } from '../parts/Table'
import { useList } from '../queries'

const columns: readonly Column<Denial>[] = [
  { name: 'At', of: ({ at }) => <Time at={at} /> },
  {
    name: 'Who',
    of: ({ user_id, user_name, address }) => (
      <>
        {user_id ? `${user_name} (${user_id})` : <span className="muted">nobody signed in</span>}
        <div className="c-small">{address}</div>
      </>
    ),
  },
  {
    name: 'Channel',
    of: ({ channel, action, app }) => (
      <>
        <strong>{channel || action}</strong>
        <div className="c-small">{app && `app ${app}`}</div>
      </>
    ),
  },
  { name: 'Result', of: ({ result }) => <span className="badge fault">{result}</span> },
  {
    name: 'Why',
    of: ({ rule, reason }) => (
      <>
        {reason}
        {rule && (
          <div className="c-small">
            rule <code>{rule}</code>
          </div>
        )}
      </>
    ),
  },
  {
    name: 'Actions',
    silent: true,
    of: ({ user_id, channel, socket_id }) =>
      channel && (
        <Link
          href={`/explain?channel=${part(channel)}&${user_id ? `user=${part(user_id)}` : `socket=${part(socket_id)}`}`}
        >
          Explain
        </Link>
      ),
  },
]

/** Who asked for a channel and was told no. */
export function DenialsPage(): ReactNode {
  usePageTitle('Denials')
  const [filter, change] = useFilters(['user', 'channel', 'app'])
  const list = useList<Denial>('denials', 'denials', filter)
  return (
    <>
      <header className="page-head">
        <h1>Denials</h1>
      </header>
      <search className="c-filters">
        <Typed label="User" value={filter.user} change={user => change({ user })} />
        <Typed label="Channel" value={filter.channel} change={channel => change({ channel })} />
        <AppChoice value={filter.app} change={app => change({ app })} />
      </search>
      <section className="card">
        <ListOf
          label="Denials"
          list={list}
          columns={columns}
          keyOf={({ id }) => id}
          empty={
            <Nothing title="Nobody was told no">
              Authorizations that are refused show here, with the rule that decided.
            </Nothing>
          }
        />
      </section>
    </>
  )
}
