import { type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import { usePageTitle } from '../../kit/title'
import { part } from '../api'
import type { Queue, Worker } from '../model'
import { Confirm } from '../parts/Confirm'
import { Answered, Nothing } from '../parts/ListOf'
import { useSay } from '../parts/Said'
import { type Column, Table } from '../parts/Table'
import { count, lasting, many } from '../parts/words'
import { useAct, useAnswer } from '../queries'
import { Workers } from './Workers'

type Asked = { readonly what: 'clear'; readonly queue: Queue } | { readonly what: 'restart' }

/** Queues with what waits in them, and who works on it. */
export function QueuesPage(): ReactNode {
  usePageTitle('Queues')
  const answer = useAnswer<{ queues: readonly Queue[]; workers: readonly Worker[] }>(
    'queues',
    {},
    2000,
  )
  const [asked, setAsked] = useState<Asked>()
  const columns = useColumns(queue => setAsked({ what: 'clear', queue }))
  return (
    <>
      <header className="page-head">
        <h1>Queues</h1>
        <button type="button" className="quiet" onClick={() => setAsked({ what: 'restart' })}>
          Restart the workers
        </button>
      </header>
      <Answered answer={answer}>
        {({ queues, workers }) => (
          <>
            <section className="card c-section">
              {queues.length === 0 ? (
                <Nothing title="No queue is in use">
                  A queue shows here once a job was put into it, or a worker takes its jobs.
                </Nothing>
              ) : (
                <Table label="Queues" columns={columns} rows={queues} keyOf={queue => queue.name} />
              )}
            </section>
            <Workers workers={workers} />
          </>
        )}
      </Answered>
      {asked && <Ask asked={asked} onClose={() => setAsked(undefined)} />}
    </>
  )
}

function useColumns(clear: (queue: Queue) => void): readonly Column<Queue>[] {
  return [
    {
      name: 'Queue',
      of: queue => (
        <>
          <strong>{queue.name}</strong> {queue.paused && <span className="badge warn">paused</span>}{' '}
          {queue.workers === 0 && queue.waiting > 0 && (
            <span className="badge fault">no worker takes its jobs</span>
          )}
        </>
      ),
    },
    { name: 'Waiting', number: true, of: ({ waiting }) => count(waiting) },
    { name: 'Later', number: true, of: ({ delayed }) => count(delayed) },
    { name: 'Running', number: true, of: ({ running }) => count(running) },
    {
      name: 'Oldest waits',
      number: true,
      of: ({ oldest_s }) => (oldest_s > 0 ? lasting(oldest_s) : '–'),
    },
    {
      name: 'Failed',
      number: true,
      of: ({ name, failed }) =>
        failed > 0 ? (
          <Link href={`/failed?queue=${part(name)}`}>{count(failed)}</Link>
        ) : (
          count(failed)
        ),
    },
    { name: 'Workers', number: true, of: ({ workers }) => count(workers) },
    { name: 'Actions', silent: true, of: queue => <Actions queue={queue} clear={clear} /> },
  ]
}

function Actions(props: { queue: Queue; clear: (queue: Queue) => void }): ReactNode {
  const { name, paused, waiting, delayed } = props.queue
  const act = useAct()
  const say = useSay()
  const toggle = async () => {
    if (act.isPending) return
    try {
      await act.mutateAsync({ name: `queues/${part(name)}/${paused ? 'continue' : 'pause'}` })
      say(paused ? `Queue ${name} goes on.` : `Queue ${name} is paused.`)
    } catch (cause) {
      say(cause instanceof Error ? cause.message : 'It could not be done.')
    }
  }
  return (
    <div className="c-actions">
      <button
        type="button"
        className="quiet"
        aria-label={`${paused ? 'Continue' : 'Pause'} ${name}`}
        aria-disabled={act.isPending}
        onClick={() => void toggle()}
      >
        {paused ? 'Continue' : 'Pause'}
      </button>
      {waiting + delayed > 0 && (
        <button
          type="button"
          className="quiet"
          aria-label={`Clear ${name}`}
          onClick={() => props.clear(props.queue)}
        >
          Clear
        </button>
      )}
    </div>
  )
}

function Ask(props: { asked: Asked; onClose: () => void }): ReactNode {
  const { asked, onClose } = props
  const act = useAct<{ removed?: number }>()
  const say = useSay()
  if (asked.what === 'restart') {
    return (
      <Confirm
        title="Restart the workers?"
        act="Restart"
        onClose={onClose}
        onConfirm={async () => {
          await act.mutateAsync({ name: 'queues/restart' })
          say('The workers finish what they do and start anew.')
        }}
      >
        <p>Each worker finishes its jobs and ends; what supervises it starts it anew.</p>
      </Confirm>
    )
  }
  const { name, waiting, delayed } = asked.queue
  return (
    <Confirm
      title={`Clear queue ${name}?`}
      act="Remove the jobs"
      danger
      onClose={onClose}
      onConfirm={async () => {
        const { removed } = await act.mutateAsync({ name: `queues/${part(name)}/clear` })
        say(`${many(removed ?? 0, 'job')} of queue ${name} removed.`)
      }}
    >
      <p>
        {many(waiting + delayed, 'job')} that wait are removed for good: their events are never
        sent. Jobs that run are not touched.
      </p>
    </Confirm>
  )
}
