import type { ReactNode } from 'react'
import { inFull } from '../kit/Time'

/** Says that a figure could not be computed, and from when its value is. */
export function Stale(props: { asOf: string | null }): ReactNode {
  return (
    <span className="badge warn figure-stale">
      {props.asOf === null ? 'could not be computed' : `as of ${inFull(props.asOf)}`}
    </span>
  )
}
