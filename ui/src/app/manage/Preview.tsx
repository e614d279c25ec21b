import type { ReactNode } from 'react'
import { inFull } from '../kit/Time'
import type { Draft } from './draft'
import { capital } from './words'

/** What receivers will see, as text only: in the bell, as a toast, in the list. */
export function Preview(props: { draft: Draft; now: number }): ReactNode {
  const { draft, now } = props
  const title = draft.title.trim() || 'Title'
  const message = draft.message || 'Message'
  return (
    <section className="card preview" aria-labelledby="preview-head">
      <h2 id="preview-head">How it looks</h2>
      <h3>In the bell</h3>
      <div className="belfry-bell preview-bell">
        <div
          className="belfry-row"
          data-unread="true"
          data-priority={draft.priority}
          data-type={draft.type}
        >
          <div className="belfry-item">
            <span className="belfry-item-title">{title}</span>
            <span className="belfry-item-message">{message}</span>
            <Action draft={draft} />
            <span className="belfry-item-time">{inFull(now)}</span>
          </div>
          {draft.dismissible && <Cross />}
        </div>
      </div>
      <h3>As a toast</h3>
      <div className="belfry-toasts preview-toasts">
        <div className="belfry-toast" data-priority={draft.priority} data-type={draft.type}>
          <span className="belfry-item-title">{title}</span>
          <span className="belfry-item-message">{message}</span>
          <Action draft={draft} />
          <Cross />
        </div>
      </div>
      <h3>In the list</h3>
      <div className="preview-row" data-priority={draft.priority}>
        <p className="row-title">
          {draft.color !== '' && <Dot color={draft.color} />}
          {title}
        </p>
        <p className="row-message">{message}</p>
        <p className="row-facts">
          <span className={draft.priority === 'high' ? 'badge fault' : 'badge'}>
            {capital(draft.type)}
            {draft.priority !== 'medium' && `, ${draft.priority}`}
          </span>
          {draft.category !== '' && <span className="badge">{draft.category}</span>}
          <span>now</span>
          <Action draft={draft} />
        </p>
      </div>
    </section>
  )
}

function Action(props: { draft: Draft }): ReactNode {
  const { actionUrl, actionText } = props.draft
  if (actionUrl === '' && actionText === '') return null
  return <span className="belfry-item-action preview-action">{actionText || actionUrl}</span>
}

function Cross(): ReactNode {
  return (
    <span className="belfry-dismiss preview-cross" aria-hidden="true">
      ×
    </span>
  )
}

function Dot(props: { color: string }): ReactNode {
  return /^#[0-9a-f]{6}$/i.test(props.color) ? (
    <span className="dot" style={{ background: props.color }} aria-hidden="true" />
  ) : null
}
