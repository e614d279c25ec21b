import type { ReactNode } from 'react'
import { Dialog } from '../../kit/Dialog'
import { part } from '../api'
import type { Timeline, Verdict } from '../model'
import { Answered } from '../parts/ListOf'
import { useAnswer } from '../queries'
import { TimelineOf } from './TimelineOf'
import { VerdictOf } from './VerdictOf'

/** What became of one event, step by step, and what is broken, if anything is. */
export function EventDialog(props: { id: string; onClose: () => void }): ReactNode {
  const { id } = props
  const event = useAnswer<Timeline>(`events/${part(id)}`, {}, 2000)
  const verdict = useAnswer<Verdict>('explain', { id }, 5000)
  return (
    <Dialog
      title={event.data ? `Event ${event.data.event || id}` : 'Event'}
      open
      wide
      onClose={props.onClose}
    >
      <div className="c-stack">
        {verdict.data && <VerdictOf verdict={verdict.data} brief />}
        <Answered answer={event}>{timeline => <TimelineOf of={timeline} />}</Answered>
      </div>
    </Dialog>
  )
}
