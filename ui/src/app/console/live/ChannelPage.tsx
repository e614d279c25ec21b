import { type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import { Time } from '../../kit/Time'
import { usePageTitle } from '../../kit/title'
import { part } from '../api'
import { receiptOf, wordOf } from '../log/words'
import type { Channel, Recent } from '../model'
import { Facts } from '../parts/Facts'
import { Answered } from '../parts/ListOf'
import { type Column, Table } from '../parts/Table'
import { bytes, count } from '../parts/words'
import { useAnswer } from '../queries'
import { EventDialog } from './EventDialog'
import { SendDialog } from './SendDialog'

interface Answer {
  readonly channel: Channel
  readonly members: readonly { readonly user_id: string; readonly user_info?: unknown }[]
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
        {({ channel, members, events }) => (
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
            {channel.members !== undefined && <Members of={members} total={channel.members} />}
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

function Members(props: { of: Answer['members']; total: number }): ReactNode {
  const { of, total } = props
  return (
    <section className="card c-section" aria-labelledby="members">
      <header className="c-card-head">
        <h2 id="members">Members</h2>
        {total > of.length && <span className="c-small">The first {count(of.length)}.</span>}
      </header>
      {of.length === 0 ? (
        <p className="muted">None.</p>
      ) : (
        <ul className="c-plain c-members">
          {of.map(({ user_id, user_info }) => (
            <li key={user_id}>
              <code>{user_id}</code>{' '}
              {user_info !== undefined && user_info !== null && (
                <span className="c-small">{JSON.stringify(user_info)}</span>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

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
