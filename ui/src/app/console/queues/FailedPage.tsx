import { type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import { Time } from '../../kit/Time'
import { usePageTitle } from '../../kit/title'
import type { FailedJob } from '../model'
import { Choice, Typed, useFilters } from '../parts/Filters'
import { ListOf, Nothing } from '../parts/ListOf'
import type { Column } from '../parts/Table'
import { useAnswer, useList } from '../queries'
import { ChangeDialog, type Chosen } from './ChangeDialog'
import { FailedDialog } from './FailedDialog'
import { Groups } from './Groups'

/** Jobs that failed for good: by their errors, and one by one. */
export function FailedPage(): ReactNode {
  usePageTitle('Failed jobs')
  const [filter, change] = useFilters(['queue', 'error', 'q'])
  const list = useList<FailedJob>('failed', 'failed', filter)
  const queues = useAnswer<{ queues: readonly { name: string }[] }>('queues', {}, 10_000)
  const [opened, setOpened] = useState('')
  const [chosen, setChosen] = useState<Chosen>()
  const narrowed = Object.values(filter).some(value => value !== '')
  return (
    <>
      <header className="page-head">
        <h1>Failed jobs</h1>
        {(list.rows?.length ?? 0) > 0 && (
          <div className="c-actions">
            <button
              type="button"
              className="quiet"
              onClick={() => setChosen({ what: 'retry', filter })}
            >
              {narrowed ? 'Retry all that fit' : 'Retry all'}
            </button>
            <button
              type="button"
              className="quiet"
              onClick={() => setChosen({ what: 'forget', filter })}
            >
              {narrowed ? 'Forget all that fit' : 'Forget all'}
            </button>
          </div>
        )}
      </header>
      <Groups
        queue={filter.queue}
        q={filter.q}
        error={filter.error}
        pick={(queue, error) => change({ queue, error })}
        choose={setChosen}
      />
      <search className="c-filters">
        <Typed label="Search" value={filter.q} change={q => change({ q })} />
        <Typed label="Error" value={filter.error} change={error => change({ error })} />
        <Choice
          label="Queue"
          any="All"
          value={filter.queue}
          from={(queues.data?.queues ?? []).map(({ name }) => ({ value: name, label: name }))}
          change={queue => change({ queue })}
        />
      </search>
      <section className="card">
        <ListOf
          label="Failed jobs"
          list={list}
          columns={columnsOf(setOpened, setChosen)}
          keyOf={({ id }) => id}
          empty={
            narrowed ? (
              <Nothing title="Nothing fits">
                No failed job fits these filters. <Link href="/failed">Show all</Link>
              </Nothing>
            ) : (
              <Nothing title="No job has failed">
                A job that fails after its last try is kept here, with its error.
              </Nothing>
            )
          }
        />
      </section>
      {opened !== '' && (
        <FailedDialog id={opened} onClose={() => setOpened('')} choose={setChosen} />
      )}
      {chosen && (
        <ChangeDialog
          chosen={chosen}
          onClose={() => setChosen(undefined)}
          onDone={() => setOpened('')}
        />
      )}
    </>
  )
}

function columnsOf(
  open: (id: string) => void,
  choose: (chosen: Chosen) => void,
): readonly Column<FailedJob>[] {
  return [
    {
      name: 'Job',
      of: job => (
        <>
          <button type="button" className="c-open" onClick={() => open(job.id)}>
            {job.event || job.kind}
          </button>
          <div className="c-small">{job.channels?.join(', ')}</div>
        </>
      ),
    },
    { name: 'Error', of: ({ error }) => <span className="c-error">{error}</span> },
    { name: 'Queue', of: ({ queue }) => queue },
    { name: 'Tries', number: true, of: ({ attempts }) => attempts },
    { name: 'Failed', of: ({ failed_at }) => <Time at={failed_at} /> },
    {
      name: 'Actions',
      silent: true,
      of: job => (
        <div className="c-actions">
          <button
            type="button"
            className="quiet"
            aria-disabled={job.payload_until === null}
            title={job.payload_until === null ? 'Its payload is gone' : undefined}
            onClick={() => job.payload_until !== null && choose({ what: 'retry', job })}
          >
            Retry
          </button>
          <button type="button" className="quiet" onClick={() => choose({ what: 'forget', job })}>
            Forget
          </button>
        </div>
      ),
    },
  ]
}
