import { type ReactNode, useState } from 'react'
import { useApps } from '../parts/AppChoice'
import { Confirm } from '../parts/Confirm'
import { Choice, Typed } from '../parts/Filters'
import { appWords } from '../parts/words'
import { useAct } from '../queries'

const times = [1, 5, 15].map(minutes => ({
  value: String(minutes * 60),
  label: minutes === 1 ? '1 minute' : `${minutes} minutes`,
}))

/** Asks what of the data of events is to be shown, and for how long. */
export function PayloadsDialog(props: { app: string; onClose: () => void }): ReactNode {
  const apps = useApps() ?? []
  const [app, setApp] = useState(props.app)
  const [channel, setChannel] = useState('')
  const [seconds, setSeconds] = useState('900')
  const act = useAct()
  const chosen = app || apps[0]?.id || ''
  return (
    <Confirm
      title="Show payloads?"
      act="Show"
      onClose={props.onClose}
      onConfirm={() =>
        act.mutateAsync({
          name: 'payloads',
          body: { app: chosen, channel: channel.trim(), seconds: Number(seconds) },
        })
      }
    >
      <p>
        The live log then shows the data of events, to you alone, in this session. It may be
        personal. Nothing of it is kept; that you looked is noted in the audit log, and all
        administrators see it.
      </p>
      <Choice
        label="App"
        value={chosen}
        from={apps.map(one => ({ value: one.id, label: appWords(one) }))}
        change={setApp}
      />
      <Typed label="Channel, or all" value={channel} change={setChannel} />
      <Choice label="For" value={seconds} from={times} change={setSeconds} />
    </Confirm>
  )
}
