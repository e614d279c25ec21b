import { type ReactNode, useId, useState } from 'react'
import { part } from '../api'
import { Confirm } from '../parts/Confirm'
import { useSay } from '../parts/Said'
import { useAct } from '../queries'

const codes = [
  ['4009', 'It stays away until its page is loaded anew (4009)'],
  ['4100', 'It comes back after a while (4100)'],
  ['4200', 'It comes back at once (4200)'],
] as const

/** Closes one connection, and says what its client does then. */
export function CloseForm(props: { socket: string; onClose: () => void }): ReactNode {
  const { socket } = props
  const act = useAct()
  const say = useSay()
  const id = useId()
  const [code, setCode] = useState<string>('4009')
  const [reason, setReason] = useState('')
  return (
    <Confirm
      title="Close this connection?"
      act="Close it"
      danger
      onClose={props.onClose}
      onConfirm={async () => {
        await act.mutateAsync({
          name: `connections/${part(socket)}/close`,
          body: { code: Number(code), ...(reason.trim() && { reason: reason.trim() }) },
        })
        say(`Connection ${socket} is closed.`)
      }}
    >
      <p>
        Connection <code>{socket}</code> gets nothing more.
      </p>
      <div>
        <label htmlFor={`${id}code`}>What its client does</label>
        <span className="field">
          <select id={`${id}code`} value={code} onChange={event => setCode(event.target.value)}>
            {codes.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </span>
      </div>
      <div>
        <label htmlFor={`${id}reason`}>Reason, which the client is told</label>
        <span className="field">
          <input
            id={`${id}reason`}
            value={reason}
            maxLength={100}
            onChange={event => setReason(event.target.value)}
          />
        </span>
      </div>
    </Confirm>
  )
}
