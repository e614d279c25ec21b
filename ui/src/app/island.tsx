import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { base } from '../base'
import type { User } from '../people'
import { loadStart } from '../start'
import { connect } from './connection'
import { hurry } from './hurry'
import { OwnBell } from './OwnBell'
import './style/bell.css'

/**
 * Puts the bell of who is signed in on a page that is not of the application,
 * with a connection of its own. Gives what takes it away again.
 */
export async function mountBell(place: HTMLElement, user: User): Promise<() => void> {
  const pusher = connect(await loadStart())
  const calm = hurry(pusher)
  const root = createRoot(place)
  root.render(
    <StrictMode>
      <OwnBell userId={user.id} pusher={pusher} goTo={address => location.assign(base + address)}>
        {bell => bell}
      </OwnBell>
    </StrictMode>,
  )
  return () => {
    root.unmount()
    calm()
    pusher.disconnect()
  }
}
