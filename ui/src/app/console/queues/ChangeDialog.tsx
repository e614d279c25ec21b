import type { ReactNode } from 'react'
import type { FailedJob } from '../model'
import { Confirm } from '../parts/Confirm'
import { useSay } from '../parts/Said'
import { many } from '../parts/words'
import { useAct } from '../queries'

/** What is to happen with one failed job, or with all that fit a filter. */
export interface Chosen {
  readonly what: 'retry' | 'forget'
  readonly job?: FailedJob
  readonly filter?: { readonly queue: string; readonly error: string; readonly q: string }
  readonly count?: number
}

/** Asks before failed jobs are retried or forgotten. */
export function ChangeDialog(props: {
  chosen: Chosen
  onClose: () => void
  onDone: () => void
}): ReactNode {
  const { what, job, filter, count } = props.chosen
  const act = useAct<{ changed: number; complete?: boolean }>()
  const say = useSay()
  const retry = what === 'retry'
  const all = filter !== undefined && count === undefined && !filter.queue && !filter.error
  const which = job
    ? `${job.event || job.kind} (${job.id})`
    : count !== undefined
      ? many(count, 'job')
      : all && filter?.q === ''
        ? 'All failed jobs'
        : 'All failed jobs that fit the filters'
  return (
    <Confirm
      title={retry ? 'Try again?' : 'Forget?'}
      act={retry ? 'Retry' : 'Forget'}
      danger={!retry}
      onClose={props.onClose}
      onConfirm={async () => {
        const { changed, complete = true } = await act.mutateAsync({
          name: `failed/${what}`,
          body: job ? { ids: [job.id] } : { ...filter, all: true },
        })
        const more = complete ? '' : ' There are more: do it again.'
        say(
          retry
            ? `${many(changed, 'job')} back in the queue.${more}`
            : `${many(changed, 'job')} forgotten.${more}`,
        )
        props.onDone()
      }}
    >
      <p>
        <strong>{which}</strong>
      </p>
      {filter?.error && <p className="c-error">{filter.error}</p>}
      <p>
        {retry
          ? 'It goes back into its queue, with all its tries before it. Events that reached somebody before may reach them again.'
          : 'It is removed with its payload, and cannot be retried any more.'}
      </p>
    </Confirm>
  )
}
