import type { ReactNode } from 'react'
import { wordsOf } from '../../kit/States'
import { part } from '../api'
import type { Call } from '../model'
import { useSay } from '../parts/Said'
import { useAct } from '../queries'
import { whyNot } from './words'

/** Sends one request again. */
export function SendAgain(props: { call: Call; onSent?: () => void }): ReactNode {
  const { call, onSent } = props
  const act = useAct()
  const say = useSay()
  const reason = whyNot(call)
  const send = async () => {
    if (act.isPending || reason !== '') return
    try {
      await act.mutateAsync({ name: `webhooks/out/${part(call.id)}/resend` })
      say('It is sent again; the new request shows on top.')
    } catch (cause) {
      say(wordsOf(cause))
    }
    onSent?.()
  }
  return (
    <button
      type="button"
      className="quiet"
      aria-disabled={act.isPending || reason !== ''}
      title={reason || undefined}
      onClick={() => void send()}
    >
      Send again
    </button>
  )
}
