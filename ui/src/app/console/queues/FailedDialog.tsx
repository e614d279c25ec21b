import { type ReactNode, useState } from 'react'
import { Dialog } from '../../kit/Dialog'
import { inFull, Time } from '../../kit/Time'
import { part } from '../api'
import { EventDialog } from '../live/EventDialog'
import type { FailedJob } from '../model'
import { Facts } from '../parts/Facts'
import { Answered } from '../parts/ListOf'
import { useAnswer } from '../queries'
import type { Chosen } from './ChangeDialog'

/** One failed job with its error in full and its payload. */
export function FailedDialog(props: {
  id: string
  onClose: () => void
  choose: (chosen: Chosen) => void
}): ReactNode {
  const { id, onClose, choose } = props
  const answer = useAnswer<FailedJob>(`failed/${part(id)}`, {}, 0)
  const [timeline, setTimeline] = useState(false)
  const job = answer.data
  if (timeline && job?.event_id) {
    return <EventDialog id={job.event_id} onClose={() => setTimeline(false)} />
  }
  return (
    <Dialog
      title="Failed job"
      open
      wide
      onClose={onClose}
      actions={
        job && (
          <>
            {job.event_id && (
              <button type="button" className="quiet" onClick={() => setTimeline(true)}>
                Timeline
              </button>
            )}
            <button
              type="button"
              className="danger"
              onClick={() => choose({ what: 'forget', job })}
            >
              Forget
            </button>
            <button
              type="button"
              disabled={job.payload_until === null}
              onClick={() => choose({ what: 'retry', job })}
            >
              Retry
            </button>
          </>
        )
      }
    >
      <Answered answer={answer}>{one => <Shown job={one} />}</Answered>
    </Dialog>
  )
}

function Shown(props: { job: FailedJob }): ReactNode {
  const { job } = props
  return (
    <div className="c-stack">
      <p className="c-error c-code" data-error>
        {job.error || 'No error was kept.'}
      </p>
      <Facts
        of={[
          ['Event', job.event],
          ['Channels', job.channels?.join(', ')],
          ['App', job.app],
          ['Kind', job.kind],
          ['Queue', job.queue],
          ['Tries', job.attempts],
          ['Put in', job.enqueued_at && inFull(job.enqueued_at)],
          ['Failed', inFull(job.failed_at)],
          ['Id', <code key="id">{job.id}</code>],
          [
            'Event id',
            job.event_id !== job.id && job.event_id && <code key="event">{job.event_id}</code>,
          ],
        ]}
      />
      <section aria-labelledby="payload">
        <h3 id="payload">Payload</h3>
        {job.payload === undefined ? (
          <p className="muted">
            It is gone: payloads are kept for a while only. This job can be forgotten, not retried.
          </p>
        ) : (
          <>
            {job.payload_until && (
              <p className="c-small">
                Kept until <Time at={job.payload_until} />.
              </p>
            )}
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
            <pre className="c-code" tabIndex={0}>
              {JSON.stringify(job.payload, null, 2)}
            </pre>
          </>
        )}
      </section>
    </div>
  )
}
