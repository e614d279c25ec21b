import { type ReactNode, useState } from 'react'
import { Switch } from '../../kit/Switch'
import { part } from '../api'
import type { AppLine, Created } from '../model'
import { Confirm } from '../parts/Confirm'
import { useSay } from '../parts/Said'
import { appWords, count } from '../parts/words'
import { useAct } from '../queries'

/** What can be done with an app. */
export type AppAction = 'rotate' | 'retire' | 'remove'

/** Asks before an app is changed. */
export function AppDialog(props: {
  action: AppAction
  app: AppLine
  onClose: () => void
  onCreated: (created: Created) => void
}): ReactNode {
  const { action, app, onClose } = props
  const act = useAct<Created>()
  const say = useSay()
  const [keep, setKeep] = useState(true)
  const at = `apps/${part(app.id)}`
  const name = appWords(app)
  if (action === 'rotate') {
    return (
      <Confirm
        title="Rotate the secret?"
        act="Make a new secret"
        onClose={onClose}
        onConfirm={async () => {
          props.onCreated(await act.mutateAsync({ name: `${at}/rotate`, body: { keep } }))
          act.reset()
        }}
      >
        <p>
          App <strong>{name}</strong> gets a new secret, which is shown once.
        </p>
        <Switch
          label="The old one stays valid for now"
          on={keep}
          onChange={setKeep}
          note={
            keep
              ? 'Put the new one into the application, then drop the old one here.'
              : 'What signs with the old one is refused from now on.'
          }
        />
      </Confirm>
    )
  }
  if (action === 'retire') {
    return (
      <Confirm
        title="Drop the old secret?"
        act="Drop it"
        danger
        onClose={onClose}
        onConfirm={async () => {
          await act.mutateAsync({ name: `${at}/retire` })
          say(`The old secret of ${name} is no longer valid.`)
        }}
      >
        <p>
          What still signs with the old secret of <strong>{name}</strong> is refused from now on.
        </p>
      </Confirm>
    )
  }
  return (
    <Confirm
      title={`Remove ${name}?`}
      act="Remove the app"
      danger
      onClose={onClose}
      onConfirm={async () => {
        await act.mutateAsync({ name: at, method: 'DELETE' })
        say(`App ${name} is removed.`)
      }}
    >
      <p>
        Its {count(app.connections)} connections are closed and its key is refused from now on. This
        cannot be taken back.
      </p>
    </Confirm>
  )
}
