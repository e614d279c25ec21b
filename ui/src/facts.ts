import { copyButton } from './copy'
import { byId, make } from './dom'
import { authorityOf, schemeOf } from './snippets/snippet'
import type { Start } from './start'

/** Shows where the server is and the app's credentials. */
export function paintFacts(start: Start): void {
  const note = byId('secret-note', HTMLElement)
  note.hidden = start.app.secret !== undefined
  note.textContent =
    'The secret is left out here, and YOUR_APP_SECRET stands in its place: it is shown only to a browser on the server’s own machine, with no proxy between.'
  const address = `${authorityOf(start)}${start.pathPrefix}`
  const facts: [string, string][] = [
    ['HTTP API', `${schemeOf(start)}://${address}`],
    ['WebSocket', `${start.tls ? 'wss' : 'ws'}://${address}/app/${start.app.key}`],
    ['App id', start.app.id],
    ['Key', start.app.key],
  ]
  if (start.app.secret !== undefined) facts.push(['Secret', start.app.secret])
  byId('facts', HTMLDListElement).replaceChildren(
    ...facts.map(([name, value]) =>
      make(
        'div',
        {},
        make('dt', {}, name),
        make(
          'dd',
          {},
          make('code', {}, value),
          copyButton(`Copy ${name}`, () => value),
        ),
      ),
    ),
  )
}
