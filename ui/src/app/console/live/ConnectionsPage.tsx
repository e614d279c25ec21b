import { type ReactNode, useState } from 'react'
import { Time } from '../../kit/Time'
import { usePageTitle } from '../../kit/title'
import type { Connection } from '../model'
import { AppChoice } from '../parts/AppChoice'
import { agentWords } from '../parts/agent'
import { Choice, Typed, useFilters } from '../parts/Filters'
import { ListOf, Nothing } from '../parts/ListOf'
import type { Column } from '../parts/Table'
import { appWords, bytes, count, lasting, many } from '../parts/words'
import { useList } from '../queries'
import { CloseForm } from './CloseForm'
import { SocketDialog } from './SocketDialog'

const orders = [
  { value: 'received', label: 'Most received' },
  { value: 'sent', label: 'Most sent' },
  { value: 'waiting', label: 'Most waiting' },
  { value: 'silent', label: 'Longest silent' },
  { value: 'newest', label: 'Newest' },
  { value: 'oldest', label: 'Oldest' },
]

/** Who is connected. */
export function ConnectionsPage(): ReactNode {
  usePageTitle('Connections')
  const [filter, change] = useFilters(['q', 'app', 'user', 'channel', 'address', 'order'])
  const list = useList<Connection>('connections', 'connections', filter, 3000)
  const [opened, setOpened] = useState('')
  const [closing, setClosing] = useState('')
  const total = list.first?.['total']
  return (
    <>
      <header className="page-head">
        <h1>Connections</h1>
        {typeof total === 'number' && (
          <span className="muted">{many(total, 'connection')} open</span>
        )}
      </header>
      <search className="c-filters">
        <Typed label="Search" value={filter.q} change={q => change({ q })} />
        <AppChoice value={filter.app} change={app => change({ app })} />
        <Typed label="User" value={filter.user} change={user => change({ user })} />
        <Typed label="Channel" value={filter.channel} change={channel => change({ channel })} />
        <Typed label="Address" value={filter.address} change={address => change({ address })} />
        <Choice
          label="First"
          value={filter.order}
          from={orders}
          any="By app and id"
          change={order => change({ order })}
        />
      </search>
      <section className="card">
        <ListOf
          label="Connections"
          list={list}
          columns={columnsOf(setOpened, setClosing)}
          keyOf={({ socket_id }) => socket_id}
          empty={
            <Nothing title="No connection is open">
              None that fits. The live log says who was connected in the last hour.
            </Nothing>
          }
        />
        {filter.order !== '' && list.rows !== undefined && Number(total) > list.rows.length && (
          <p className="c-more c-small">The first {count(list.rows.length)} of them.</p>
        )}
      </section>
      {opened !== '' && <SocketDialog socket={opened} onClose={() => setOpened('')} />}
      {closing !== '' && <CloseForm socket={closing} onClose={() => setClosing('')} />}
    </>
  )
}

function columnsOf(
  open: (socket: string) => void,
  close: (socket: string) => void,
): readonly Column<Connection>[] {
  return [
    {
      name: 'Connection',
      of: ({ socket_id, address }) => (
        <>
          <button type="button" className="c-open" onClick={() => open(socket_id)}>
            {socket_id}
          </button>
          <div className="c-small">{address}</div>
        </>
      ),
    },
    {
      name: 'User',
      of: ({ user_id, user_agent, library }) => (
        <>
          {user_id || <span className="muted">unknown</span>}
          <div className="c-small">{agentWords(user_agent) || library}</div>
        </>
      ),
    },
    { name: 'App', of: ({ app }) => appWords(app) },
    {
      name: 'Channels',
      of: ({ channels, channel_count }) => (
        <>
          {channels.slice(0, 3).join(', ') || <span className="muted">none</span>}
          {channel_count > 3 && (
            <span className="muted">
              {' '}
              and {count(channel_count - Math.min(3, channels.length))} more
            </span>
          )}
        </>
      ),
    },
    { name: 'Opened', of: ({ opened_at }) => <Time at={opened_at} /> },
    { name: 'Silent', number: true, of: ({ idle_s }) => lasting(idle_s) },
    { name: 'Received', number: true, of: ({ bytes_in }) => bytes(bytes_in) },
    { name: 'Sent', number: true, of: ({ bytes_out }) => bytes(bytes_out) },
    { name: 'Waiting', number: true, of: ({ waiting_bytes }) => bytes(waiting_bytes) },
    {
      name: 'Actions',
      silent: true,
      of: ({ socket_id }) => (
        <div className="c-actions">
          <button
            type="button"
            className="quiet"
            aria-label={`Close ${socket_id}`}
            onClick={() => close(socket_id)}
          >
            Close
          </button>
        </div>
      ),
    },
  ]
}
