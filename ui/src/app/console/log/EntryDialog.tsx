import type { ReactNode } from 'react'
import { Dialog } from '../../kit/Dialog'
import { inFull } from '../../kit/Time'
import type { Entry } from '../model'
import { Facts } from '../parts/Facts'
import { bytes } from '../parts/words'
import { wordOf } from './words'

/** All that an entry says, for those that lead nowhere else. */
export function EntryDialog(props: { entry: Entry; onClose: () => void }): ReactNode {
  const { entry } = props
  return (
    <Dialog title={`Entry: ${wordOf(entry.what)}`} open onClose={props.onClose}>
      <Facts
        of={[
          ['At', inFull(entry.at)],
          ['App', entry.app],
          ['Event', entry.event],
          ['Channel', entry.channel || entry.channels?.join(', ')],
          ['User', entry.user_id],
          ['By', entry.by],
          ['Address', entry.address],
          ['Reason', entry.text],
          ['Code', entry.code],
          ['Target', entry.target],
          ['Status', entry.status || ''],
          ['Size', entry.size ? bytes(entry.size) : ''],
        ]}
      />
    </Dialog>
  )
}
