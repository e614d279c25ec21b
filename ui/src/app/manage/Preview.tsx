import type { ReactNode } from 'react'
import { inFull } from '../kit/Time'
import { Badges } from '../notifications/Badges'
import '../notifications/notifications.css'
import { TypeIcon } from '../notifications/TypeIcon'
import type { Draft } from './draft'
import { fromInput } from './times'

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
      <div
        className="n-row preview-row"
        data-unread="true"
        data-priority={draft.priority}
        data-type={draft.type}
      >
        <TypeIcon type={draft.type} icon={draft.icon.trim()} color={goodColor(draft.color)} />
        <div className="n-body">
          <p className="n-title">{title}</p>
          <p className="n-message">{message}</p>
          <div className="n-facts">
            <span>now</span>
            <Badges row={{ ...draft, expires_at: fromInput(draft.expires) || null }} />
            <Action draft={draft} />
          </div>
        </div>
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

function goodColor(color: string): string {
  return /^#[0-9a-f]{6}$/i.test(color) ? color : ''
}
