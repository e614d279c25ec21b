import { type ReactNode, useId } from 'react'
import type { Managed } from './model'
import { useAudience } from './queries'
import { numeral } from './words'

/** How far the sending is. */
export function Progress(props: { one: Managed }): ReactNode {
  const { recipients } = props.one.stats
  const audience = useAudience(props.one.target)
  const all = Math.max(audience.data?.recipients ?? 0, recipients)
  const id = useId()
  return (
    <div className="card progress">
      <p id={id}>
        Going out to {numeral(recipients)}
        {all > 0 && ` of ${numeral(all)}`} people
      </p>
      <progress aria-labelledby={id} {...(all > 0 && { value: recipients, max: all })} />
    </div>
  )
}
