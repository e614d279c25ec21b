import { type ReactNode, useState } from 'react'
import { usePageTitle } from '../../kit/title'
import { EventDialog } from '../live/EventDialog'
import { SocketDialog } from '../live/SocketDialog'
import type { Entry, Sampled } from '../model'
import { AppChoice } from '../parts/AppChoice'
import { Typed, useFilters } from '../parts/Filters'
import { Stale } from '../parts/ListOf'
import { count } from '../parts/words'
import { usePayloads, useStreamState } from '../useStream'
import { EntryDialog } from './EntryDialog'
import { LogRows } from './LogRows'
import { PayloadDialog } from './PayloadDialog'
import { PayloadsDialog } from './PayloadsDialog'
import { useLog } from './useLog'
import { kinds as known, payloadKind } from './words'

/** What happens on the server, as it happens. */
export function LogPage(): ReactNode {
  usePageTitle('Live log')
  const [filter, change] = useFilters(['app', 'kinds', 'q'])
  const { book, pages, problem } = useLog(filter)
  const [opened, setOpened] = useState<Entry>()
  const [asking, setAsking] = useState(false)
  const payloads = usePayloads()
  const narrowed = Object.values(filter).some(value => value !== '')
  return (
    <>
      <header className="page-head">
        <h1>Live log</h1>
        <Controls
          paused={pages.paused}
          held={pages.held}
          toggle={() => (pages.paused ? book.resume() : book.pause())}
          clear={() => book.clear()}
          payloads={
            payloads.allowed && !payloads.views.some(({ own }) => own)
              ? () => setAsking(true)
              : undefined
          }
        />
      </header>
      <search className="c-filters">
        <Typed label="Search" value={filter.q} change={q => change({ q })} />
        <AppChoice value={filter.app} change={app => change({ app })} />
      </search>
      <Kinds
        value={filter.kinds}
        payloads={payloads.allowed}
        change={value => change({ kinds: value })}
      />
      {problem !== undefined && <Stale problem={problem} />}
      <State sampled={pages.sampled} paused={pages.paused} shown={pages.rows.length} />
      <LogRows
        pages={pages}
        narrowed={narrowed}
        onOpen={setOpened}
        onScrollAway={() => book.pause()}
      />
      {asking && <PayloadsDialog app={filter.app} onClose={() => setAsking(false)} />}
      {opened && <Opened entry={opened} onClose={() => setOpened(undefined)} />}
    </>
  )
}

function Controls(props: {
  paused: boolean
  held: number
  toggle: () => void
  clear: () => void
  /** Asks for the data of events; undefined where that cannot be, or is so. */
  payloads: (() => void) | undefined
}): ReactNode {
  return (
    <div className="c-controls">
      {props.paused && props.held > 0 && (
        <span className="muted">{count(props.held)} more came</span>
      )}
      {props.payloads && (
        <button type="button" className="quiet" onClick={props.payloads}>
          Show payloads
        </button>
      )}
      <button type="button" className="quiet" onClick={props.clear}>
        Clear
      </button>
      <button type="button" aria-pressed={props.paused} onClick={props.toggle}>
        {props.paused ? 'Continue' : 'Pause'}
      </button>
    </div>
  )
}

/** Which kinds of entries are shown: none chosen stands for all. */
function Kinds(props: {
  value: string
  payloads: boolean
  change: (value: string) => void
}): ReactNode {
  const kinds = props.payloads ? [...known, payloadKind] : known
  const chosen = new Set(props.value === '' ? [] : props.value.split(','))
  const toggle = (kind: string) => {
    const next = new Set(chosen)
    if (!next.delete(kind)) next.add(kind)
    props.change(next.size === kinds.length ? '' : [...next].join(','))
  }
  return (
    <fieldset className="c-kinds">
      <legend className="offscreen">Kinds of entries</legend>
      {kinds.map(([kind, name]) => (
        <button
          key={kind}
          type="button"
          className="quiet"
          aria-pressed={chosen.has(kind)}
          onClick={() => toggle(kind)}
        >
          {name}
        </button>
      ))}
    </fieldset>
  )
}

/** Says whether what is shown is all there is. */
function State(props: { sampled: Sampled | undefined; paused: boolean; shown: number }): ReactNode {
  const { sampled, paused, shown } = props
  const stream = useStreamState()
  const traced = sampled?.trace_one_in ?? 1
  return (
    <p className="c-log-state" data-sampled={sampled !== undefined}>
      {paused ? 'Paused.' : stream === 'open' ? 'Live.' : 'Connecting.'}{' '}
      {sampled !== undefined && sampled.seen > sampled.shown ? (
        <strong>
          Sampled: {count(sampled.shown)} of {count(sampled.seen)} entries in the last second are
          shown, failures first.
        </strong>
      ) : (
        shown > 0 && `The last ${count(shown)}.`
      )}
      {traced > 1 && ` At this rate one event in ${count(traced)} is traced.`}
    </p>
  )
}

/** What an entry leads to: its event's timeline, its connection, or itself. */
function Opened(props: { entry: Entry; onClose: () => void }): ReactNode {
  const { entry, onClose } = props
  if (entry.payload) {
    return <PayloadDialog entry={entry} payload={entry.payload} onClose={onClose} />
  }
  if (entry.id) return <EventDialog id={entry.id} onClose={onClose} />
  if (entry.socket_id) return <SocketDialog socket={entry.socket_id} onClose={onClose} />
  return <EntryDialog entry={entry} onClose={onClose} />
}
