import { useNotifications } from 'belfry-client/react'
import { type ReactNode, useState } from 'react'
import { Dialog } from '../kit/Dialog'
import { Switch } from '../kit/Switch'
import { usePush } from './usePush'

/** How one is told of notifications. All of it is kept in this browser. */
export function SettingsDialog(props: { open: boolean; close: () => void }): ReactNode {
  const { muted, setMuted } = useNotifications()
  return (
    <Dialog
      title="Settings"
      open={props.open}
      onClose={props.close}
      actions={
        <button type="button" onClick={props.close}>
          Done
        </button>
      }
    >
      <div className="n-settings">
        <Switch
          label="Play a sound"
          on={!muted}
          onChange={on => setMuted(!on)}
          note="A short tone when something arrives, once for all tabs."
        />
        <Outside />
        {props.open && <Closed />}
        <section className="n-keys">
          <h3>Keys</h3>
          <p>
            Arrow keys go from one notification to the next. <kbd>Enter</kbd> opens it, <kbd>r</kbd>{' '}
            marks it as read or unread, <kbd>e</kbd> archives, <kbd>d</kbd> dismisses and{' '}
            <kbd>x</kbd> picks it.
          </p>
        </section>
      </div>
    </Dialog>
  )
}

/** Notifications that the browser shows while the page is open behind others. */
function Outside(): ReactNode {
  const { permission, browserNotifications, setBrowserNotifications, askPermission } =
    useNotifications()
  const [asking, setAsking] = useState(false)
  const change = (on: boolean) => {
    if (!on || permission === 'granted') {
      setBrowserNotifications(on)
      return
    }
    setAsking(true)
    askPermission().finally(() => setAsking(false))
  }
  return (
    <Switch
      label="Show them outside of this page"
      on={browserNotifications}
      disabled={asking || permission === 'denied' || permission === 'unsupported'}
      onChange={change}
      note={notes[permission]}
    />
  )
}

const notes = {
  unsupported: 'This browser has no notifications, or none at an address without TLS.',
  default: 'The browser asks whether it may, while this page is open in another tab or window.',
  denied: 'The browser was told not to. Its settings for this address can change that.',
  granted: 'While this page is open in another tab or window.',
}

/** Web Push: what arrives while no page is open. */
function Closed(): ReactNode {
  const push = usePush()
  return (
    <Switch
      label="Reach this browser when no page is open"
      on={push.on}
      disabled={!push.able}
      onChange={push.set}
      note={push.problem || push.note}
    />
  )
}
