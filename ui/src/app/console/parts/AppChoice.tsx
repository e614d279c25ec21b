import type { ReactNode } from 'react'
import type { AppLine } from '../model'
import { useAnswer } from '../queries'
import { Choice } from './Filters'
import { appWords } from './words'

/** The apps of the server, undefined before they are known. */
export function useApps(): readonly AppLine[] | undefined {
  return useAnswer<{ apps: readonly AppLine[] }>('apps', {}, 30_000).data?.apps
}

/** Chooses one app, or all. */
export function AppChoice(props: { value: string; change: (value: string) => void }): ReactNode {
  const apps = useApps() ?? []
  const from = apps.map(app => ({ value: app.id, label: appWords(app) }))
  return <Choice label="App" value={props.value} from={from} any="All" change={props.change} />
}
