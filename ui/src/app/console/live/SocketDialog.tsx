import { type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import { Dialog } from '../../kit/Dialog'
import { inFull, Time } from '../../kit/Time'
import { part } from '../api'
import type { Connection, History, PageSaid } from '../model'
import { Facts } from '../parts/Facts'
import { Answered } from '../parts/ListOf'
import { place } from '../parts/place'
import { appWords, bytes, count, lasting, many } from '../parts/words'
import { useAnswer } from '../queries'
import { CloseForm } from './CloseForm'
import { PageOf } from './PageOf'

interface Answer {
  readonly connection: Connection | null
  readonly history: History | null
  readonly page: PageSaid | null
}

/** One connection, open or remembered, which can be closed. */
export function SocketDialog(props: { socket: string; onClose: () => void }): ReactNode {
  const { socket } = props
  const [closing, setClosing] = useState(false)
  const answer = useAnswer<Answer>(`connections/${part(socket)}`, {}, 2000)
  const open = answer.data?.connection ?? null
  if (closing) return <CloseForm socket={socket} onClose={props.onClose} />
  return (
    <Dialog
      title={`Connection ${socket}`}
      open
      wide
      onClose={props.onClose}
      actions={
        open && (
          <button type="button" className="danger" onClick={() => setClosing(true)}>
            Close this connection
          </button>
        )
      }
    >
      <Answered answer={answer}>
        {({ connection, history, page }) => (
          <div className="c-stack">
            {connection ? <Open of={connection} /> : history && <Past of={history} />}
            <PageOf of={page} />
            {history?.subscriptions && history.subscriptions.length > 0 && (
              <Seats of={history.subscriptions} />
            )}
          </div>
        )}
      </Answered>
    </Dialog>
  )
}

function Open(props: { of: Connection }): ReactNode {
  const { of } = props
  return (
    <Facts
      of={[
        [
          'State',
          <span key="state" className="badge good">
            open
          </span>,
        ],
        ['App', appWords(of.app)],
        ['User', of.user_id || 'nobody known'],
        ['Address', of.address],
        ['Opened', inFull(of.opened_at)],
        ['Silent for', lasting(of.idle_s)],
        ['Received', bytes(of.bytes_in)],
        ['Sent', bytes(of.bytes_out)],
        ['Waiting', bytes(of.waiting_bytes)],
        ['Library', of.library],
        ['User agent', of.user_agent],
        ['Channels', <Channels key="channels" of={of} />],
      ]}
    />
  )
}

function Channels(props: { of: Connection }): ReactNode {
  const { app, channels, channel_count } = props.of
  if (channels.length === 0) return 'none'
  return (
    <>
      {channels.map((name, n) => (
        <span key={name}>
          {n > 0 && ', '}
          <Link href={`/channels/${part(app.id)}/${part(name)}`}>{name}</Link>
        </span>
      ))}
      {channel_count > channels.length && ` and ${count(channel_count - channels.length)} more`}
    </>
  )
}

function Past(props: { of: History }): ReactNode {
  const { of } = props
  return (
    <Facts
      of={[
        [
          'State',
          <span key="state" className="badge">
            {of.closed ? 'closed' : 'not here'}
          </span>,
        ],
        ['App', of.app],
        ['User', of.user_id],
        ['Address', of.address],
        ['Opened', of.opened && inFull(of.opened)],
        ['Closed', of.closed && inFull(of.closed)],
        ['Code', of.code || (of.closed ? 'lost without a word' : '')],
        ['Reason', of.reason],
      ]}
    />
  )
}

function Seats(props: { of: NonNullable<History['subscriptions']> }): ReactNode {
  return (
    <section aria-labelledby="seats">
      <h3 id="seats">{many(props.of.length, 'subscription')} of the last hour</h3>
      <ul className="c-plain">
        {props.of.slice(0, 200).map(({ channel, user_id, from, to }, n) => (
          <li key={place(channel, n)}>
            <code>{channel}</code> {user_id && `as ${user_id} `}
            <span className="muted">
              {from && (
                <>
                  since <Time at={from} />
                </>
              )}
              {to && (
                <>
                  {' '}
                  until <Time at={to} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}
