import type { ReactNode } from 'react'

/** Names and their values; those with nothing are left out. */
export function Facts(props: { of: readonly (readonly [string, ReactNode])[] }): ReactNode {
  return (
    <dl className="c-facts">
      {props.of
        .filter(
          ([, value]) => value !== undefined && value !== '' && value !== null && value !== false,
        )
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}
