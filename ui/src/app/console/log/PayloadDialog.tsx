import { type ReactNode, useState } from 'react'
import { Dialog } from '../../kit/Dialog'
import { inFull } from '../../kit/Time'
import { EventDialog } from '../live/EventDialog'
import type { Entry, Payload } from '../model'
import { Facts } from '../parts/Facts'
import { bytes } from '../parts/words'

/** The data of one event. */
export function PayloadDialog(props: {
  entry: Entry
  payload: Payload
  onClose: () => void
}): ReactNode {
  const { entry, payload, onClose } = props
  const [timeline, setTimeline] = useState(false)
  if (timeline && entry.id) return <EventDialog id={entry.id} onClose={() => setTimeline(false)} />
  return (
    <Dialog
      title={`Data of ${entry.event ?? 'an event'}`}
      open
      wide
      onClose={onClose}
      actions={
        entry.id && (
          <button type="button" className="quiet" onClick={() => setTimeline(true)}>
            Timeline
          </button>
        )
      }
    >
      <div className="c-stack">
        <Facts
          of={[
            ['At', inFull(entry.at)],
            ['App', entry.app],
            ['Channel', entry.channel],
            ['By', entry.by],
            ['Size', bytes(entry.size ?? 0)],
          ]}
        />
        {payload.encrypted ? (
          <p className="note">It is encrypted: only its receivers can read it.</p>
        ) : (
          <>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
            <pre className="c-code" tabIndex={0}>
              {readable(payload)}
            </pre>
            {payload.cut && <p className="c-small">There is more: the first 4 KB are shown.</p>}
          </>
        )}
      </div>
    </Dialog>
  )
}

/** JSON with its lines, anything else as it is. */
function readable({ data, cut }: Payload): string {
  if (cut) return data
  try {
    return JSON.stringify(JSON.parse(data), null, 2)
  } catch {
    return data
  }
}
