import type { ReactNode } from 'react'

/** The sign of the house, a link to the start page. */
export function Brand(props: { href: string; version?: string | undefined }): ReactNode {
  return (
    <a
      className="brand"
      href={props.href}
      aria-label={`Belfry${props.version ? ` ${props.version}` : ''}, start page`}
    >
      <svg className="bell" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
        <path
          className="bell-body"
          d="M12 3a1.4 1.4 0 0 1 1.4 1.4v.5c2.8.6 4.6 2.9 4.6 6 0 3.5 1 5 2.3 6.1H3.7C5 15.9 6 14.4 6 10.9c0-3.1 1.8-5.4 4.6-6v-.5A1.4 1.4 0 0 1 12 3z"
        />
        <circle className="bell-clapper" cx="12" cy="19.6" r="1.9" />
      </svg>
      <span>Belfry</span> {props.version && <small>{props.version}</small>}
    </a>
  )
}
