import type { ReactNode } from 'react'
import { Dialog } from '../../kit/Dialog'
import { inFull, Time } from '../../kit/Time'
import type { Call, CallTry } from '../model'
import { Facts } from '../parts/Facts'
import { type Column, Table } from '../parts/Table'
import { ms } from '../parts/words'
import { SendAgain } from './SendAgain'
import { eventsOf, outcomeOf, whyNot } from './words'

const columns: readonly Column<CallTry>[] = [
  { name: 'At', of: ({ at }) => <Time at={at} /> },
  { name: 'Answer', of: ({ status }) => status || 'none' },
  {
    name: 'Error',
    of: ({ error }) => (error ? <span className="c-error">{error}</span> : 'none'),
  },
  { name: 'Took', number: true, of: ({ took_ms }) => ms(took_ms) },
]

/** One request with its tries. */
export function CallDialog(props: { call: Call; onClose: () => void }): ReactNode {
  const { call, onClose } = props
  const { name, tone } = outcomeOf(call.outcome)
  return (
    <Dialog
      title="Webhook"
      open
      wide
      onClose={onClose}
      actions={<SendAgain call={call} onSent={onClose} />}
    >
      <div className="c-stack">
        {call.error && <p className="c-error c-code">{call.error}</p>}
        <Facts
          of={[
            [
              'Outcome',
              <span key="outcome" className={`badge ${tone}`}>
                {name}
              </span>,
            ],
            ['Events', eventsOf(call)],
            ['Channels', call.channels.join(', ')],
            ['To', call.url],
            ['App', call.app],
            ['Happened', inFull(call.accepted_at)],
            ['Sent again', call.resent_at && inFull(call.resent_at)],
            ['As', call.resent_as && <code key="as">{call.resent_as}</code>],
            ['Body', call.body ? kept(call) : whyNot(call)],
            ['Id', <code key="id">{call.id}</code>],
          ]}
        />
        <section aria-labelledby="tries">
          <h3 id="tries">Tries</h3>
          {call.tries.length === 0 ? (
            <p className="muted">There was none: it was given up before its turn came.</p>
          ) : (
            <Table label="Tries" columns={columns} rows={call.tries} keyOf={({ at }) => at} />
          )}
        </section>
      </div>
    </Dialog>
  )
}

function kept({ body_until }: Call): ReactNode {
  if (!body_until) return 'kept while it is among the last'
  return <>kept until {inFull(body_until)}</>
}
