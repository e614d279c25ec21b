import type { ReactNode } from 'react'

/** Stands where something is on its way. Nothing shows for the first moment. */
export function Loading(props: { label?: string }): ReactNode {
  return (
    <p className="state-box loading" role="status">
      <span className="spinner" aria-hidden="true" />
      {props.label ?? 'Loading'}
    </p>
  )
}

/** Stands where something did not load, with a way to try again. */
export function Failed(props: { problem: unknown; again?: (() => void) | undefined }): ReactNode {
  return (
    <div className="state-box failed" role="alert">
      <p>{wordsOf(props.problem)}</p>
      {props.again && (
        <button type="button" className="quiet" onClick={props.again}>
          Try again
        </button>
      )}
    </div>
  )
}

/** Stands where there is nothing to show, and says why. */
export function Empty(props: {
  title: string
  /** h1 where it is all that a page shows. Default: h2. */
  heading?: 'h1' | 'h2'
  children?: ReactNode
  action?: ReactNode
}): ReactNode {
  const Heading = props.heading ?? 'h2'
  return (
    <div className="state-box empty">
      <Heading>{props.title}</Heading>
      {props.children && <p>{props.children}</p>}
      {props.action}
    </div>
  )
}

/** A fault as a sentence for people. */
export function wordsOf(problem: unknown): string {
  return problem instanceof Error && problem.message !== ''
    ? problem.message
    : 'Something went wrong. Reload the page.'
}
