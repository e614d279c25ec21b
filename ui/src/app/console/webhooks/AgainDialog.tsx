import type { ReactNode } from 'react'
import { Confirm } from '../parts/Confirm'
import { useSay } from '../parts/Said'
import { many } from '../parts/words'
import { useAct } from '../queries'

/** Asks before all failed requests that fit are sent again. */
export function AgainDialog(props: {
  filter: { readonly q: string; readonly app: string }
  onClose: () => void
}): ReactNode {
  const { q, app } = props.filter
  const act = useAct<{ sent: number; complete: boolean; left: string }>()
  const say = useSay()
  return (
    <Confirm
      title="Send again?"
      act="Send again"
      onClose={props.onClose}
      onConfirm={async () => {
        const { sent, complete, left } = await act.mutateAsync({
          name: 'webhooks/out/resend',
          body: { q, app, all: true },
        })
        say(
          [
            `${many(sent, 'webhook')} sent again.`,
            left && `Some were not: ${left}.`,
            complete ? '' : 'There are more: do it again.',
          ]
            .filter(Boolean)
            .join(' '),
        )
      }}
    >
      <p>
        <strong>
          {q || app ? 'All failed webhooks that fit the filters' : 'All failed webhooks'}
        </strong>
      </p>
      <p>
        Those that were sent again already are left out. They go out in the order in which they
        failed, to the endpoints as they are set now; what an endpoint got before it failed, it gets
        twice.
      </p>
    </Confirm>
  )
}
