import { type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import { Time } from '../../kit/Time'
import { usePageTitle } from '../../kit/title'
import { part } from '../api'
import type { Channel } from '../model'
import { AppChoice } from '../parts/AppChoice'
import { Choice, Typed, useFilters } from '../parts/Filters'
import { ListOf, Nothing } from '../parts/ListOf'
import type { Column } from '../parts/Table'
import { count, many } from '../parts/words'
import { useList } from '../queries'
import { SendDialog } from './SendDialog'

const prefixes = [
  { value: 'private-', label: 'Private' },
  { value: 'presence-', label: 'Presence' },
  { value: 'private-encrypted-', label: 'Encrypted' },
  { value: 'cache-', label: 'Cache' },
]

const columns: readonly Column<Channel>[] = [
  {
    name: 'Channel',
    of: ({ app, name }) => (
      <Link className="c-open" href={`/channels/${part(app)}/${part(name)}`}>
        {name}
      </Link>
    ),
  },
  { name: 'Kind', of: ({ kind }) => kind },
  { name: 'App', of: ({ app }) => app },
  { name: 'Subscribers', number: true, of: ({ subscribers }) => count(subscribers) },
  { name: 'Members', number: true, of: ({ members }) => count(members) },
  {
    name: 'Last event',
    of: ({ last_event }) =>
      last_event ? (
        <>
          {last_event.name}{' '}
          <span className="c-small">
            <Time at={last_event.at} />
          </span>
        </>
      ) : (
        <span className="muted">none remembered</span>
      ),
  },
]

/** What is occupied. */
export function ChannelsPage(): ReactNode {
  usePageTitle('Channels')
  const [filter, change] = useFilters(['q', 'app', 'prefix'])
  const list = useList<Channel>('channels', 'channels', filter, 3000)
  const [sending, setSending] = useState(false)
  const total = list.first?.['total']
  return (
    <>
      <header className="page-head">
        <h1>Channels</h1>
        {typeof total === 'number' && (
          <span className="muted">{many(total, 'channel')} with subscribers</span>
        )}
        <button type="button" onClick={() => setSending(true)}>
          Send a test event
        </button>
      </header>
      <search className="c-filters">
        <Typed label="Search" value={filter.q} change={q => change({ q })} />
        <AppChoice value={filter.app} change={app => change({ app })} />
        <Choice
          label="Kind"
          any="All"
          value={filter.prefix}
          from={prefixes}
          change={prefix => change({ prefix })}
        />
      </search>
      <section className="card">
        <ListOf
          label="Channels"
          list={list}
          columns={columns}
          keyOf={({ app, name }) => `${app} ${name}`}
          empty={
            <Nothing title="Nobody is subscribed">
              No channel that fits has a subscriber at the moment.
            </Nothing>
          }
        />
      </section>
      {sending && <SendDialog app={filter.app} onClose={() => setSending(false)} />}
    </>
  )
}
