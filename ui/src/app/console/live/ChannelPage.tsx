import { type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import { Time } from '../../kit/Time'
import { usePageTitle } from '../../kit/title'
import { part } from '../api'
import { receiptOf, wordOf } from '../log/words'
import type { Channel, Member, Recent } from '../model'
import { Facts } from '../parts/Facts'
import { Typed } from '../parts/Filters'
import { Answered, ListOf } from '../parts/ListOf'
import { type Column, Table } from '../parts/Table'
import { bytes, count } from '../parts/words'
import { useAnswer, useList } from '../queries'
import { EventDialog } from './EventDialog'
import { SendDialog } from './SendDialog'

interface Answer {
  readonly channel: Channel
  readonly events: readonly Recent[]
}

/** One channel: who is on it, and what went over it lately. */
export function ChannelPage(props: { app: string; name: string }): ReactNode {
  const { app, name } = props
  usePageTitle(name)
  const answer = useAnswer<Answer>(`channels/${part(app)}/${part(name)}`, {}, 2000)
  const [opened, setOpened] = useState('')
  const [sending, setSending] = useState(false)
  return (
    <>
      <p>
        <Link href="/channels">Channels</Link>
      </p>
      <header className="page-head">
        <h1 className="c-break">{name}</h1>
        <button type="button" onClick={() => setSending(true)}>
          Send a test event
        </button>
      </header>
      <Answered answer={answer}>
        {({ channel, events }) => (
          <>
            <section className="card c-section">
              <Facts
                of={[
                  ['App', channel.app],
                  ['Kind', channel.kind],
                  ['Subscribers', count(channel.subscribers)],
                  ['Members', channel.members === undefined ? '' : count(channel.members)],
                  [
                    'Connections',
                    <Link
                      key="connections"
                      href={`/connections?app=${part(app)}&channel=${part(name)}`}
                    >
                      Show them
                    </Link>,
                  ],
                ]}
              />
            </section>
            {channel.members !== undefined && (
              <Members app={app} name={name} total={channel.members} />
            )}
            <section className="card" aria-labelledby="events">
              <header className="c-card-head">
                <h2 id="events">Events of the last hour</h2>
              </header>
              {events.length === 0 ? (
                <p className="muted">None.</p>
              ) : (
                <Table
                  label="Events"
                  columns={columnsOf(setOpened)}
                  rows={events}
                  keyOf={({ id }) => id}
                />
              )}
            </section>
          </>
        )}
      </Answered>
      {opened !== '' && <EventDialog id={opened} onClose={() => setOpened('')} />}
      {sending && <SendDialog app={app} channel={name} onClose={() => setSending(false)} />}
    </>
  )
}

function Members(props: { app: string; name: string; total: number }): ReactNode {
  const [q, setQ] = useState('')
  const path = `channels/${part(props.app)}/${part(props.name)}/members`
  const list = useList<Member>(path, 'members', { q })
  return (
    <section className="card c-section" aria-labelledby="members">
      <header className="c-card-head">
        <h2 id="members">Members</h2>
        <span className="c-small">{count(props.total)}</span>
      </header>
      {(props.total > 10 || q !== '') && (
        <search className="c-filters">
          <Typed label="Search members" value={q} change={setQ} />
        </search>
      )}
      <ListOf
        label="Members"
        list={list}
        columns={memberColumns}
        keyOf={({ user_id }) => user_id}
        empty={<p className="muted">{q === '' ? 'None.' : 'None that fits.'}</p>}
      />
    </section>
  )
}

const memberColumns: readonly Column<Member>[] = [
  { name: 'User', of: ({ user_id }) => <code>{user_id}</code> },
  {
    name: 'user_info',
    of: ({ user_info, user_info_bytes }) =>
      user_info ? (
        <>
          <code className="c-info">{user_info}</code>
          {user_info.endsWith('…') && (
            <div className="c-small">The beginning of {bytes(user_info_bytes)}.</div>
          )}
        </>
      ) : (
        <span className="muted">none</span>
      ),
  },
]

function columnsOf(open: (id: string) => void): readonly Column<Recent>[] {
  return [
    {
      name: 'Event',
      of: ({ id, event }) => (
        <button type="button" className="c-open" onClick={() => open(id)}>
          {event}
        </button>
      ),
    },
    { name: 'Status', of: ({ status }) => wordOf(status) },
    { name: 'Receipt', of: ({ receipt }) => (receipt ? receiptOf(receipt) : '–') },
    { name: 'By', of: ({ by }) => by || '–' },
    { name: 'Size', number: true, of: ({ size }) => bytes(size) },
    { name: 'At', of: ({ at }) => <Time at={at} /> },
  ]
}
