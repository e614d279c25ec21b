import { type ReactNode, useState } from 'react'
import { Dialog } from '../../kit/Dialog'
import type { Created } from '../model'

/** Shows an app's credentials, this once. */
export function SecretDialog(props: { created: Created; onClose: () => void }): ReactNode {
  const { id, key, secret } = props.created
  const [said, setSaid] = useState('')
  const text = `PUSHER_APP_ID=${id}\nPUSHER_APP_KEY=${key}\nPUSHER_APP_SECRET=${secret}`
  const copy = () =>
    navigator.clipboard
      ?.writeText(text)
      .then(() => setSaid('Copied.'))
      .catch(() => setSaid('The browser did not allow it: select the text.'))
  return (
    <Dialog
      title="The new secret"
      open
      onClose={props.onClose}
      actions={
        <>
          <span role="status">{said}</span>
          <button type="button" className="quiet" onClick={() => void copy()}>
            Copy
          </button>
          <button type="button" onClick={props.onClose}>
            I have it
          </button>
        </>
      }
    >
      <div className="c-stack">
        <p>It is shown this once, and cannot be read again.</p>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
        <pre className="c-code" tabIndex={0}>
          {text}
        </pre>
      </div>
    </Dialog>
  )
}
