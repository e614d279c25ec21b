import { showAccount } from './account'
import { whyNot } from './channel'
import { paintChannels } from './channels'
import { byId } from './dom'
import { paintFacts } from './facts'
import { Feed } from './feed'
import { Live, type Subscription } from './live'
import { Publish } from './publish'
import { loadStart, type Start } from './start'
import { Status } from './status'

const input = byId('channel', HTMLInputElement)
const note = byId('channel-note', HTMLElement)

function run(start: Start): void {
  byId('version', HTMLElement).textContent = start.version
  paintFacts(start)
  const feed = new Feed()
  const publish = new Publish({ start, channel: input.value, event: 'my-event' })
  const status = new Status(() => live.connect())
  let picked = input.value
  let list: readonly Subscription[] = []

  const paint = () => {
    paintChannels(list, picked, {
      pick,
      unsubscribe: name => live.unsubscribe(name),
    })
    feed.expect(waitingFor(list))
  }
  const pick = (name: string) => {
    picked = name
    publish.aim(name)
    paint()
  }

  const live: Live = new Live(start, {
    state: state => status.state(state),
    fault: fault => status.fault(fault),
    event: event => {
      feed.add(event)
      ring()
    },
    subscriptions: next => {
      list = next
      const last = list.at(-1)
      if (last !== undefined && !list.some(one => one.name === picked)) pick(last.name)
      else paint()
    },
  })

  byId('subscribe', HTMLFormElement).addEventListener('submit', event => {
    event.preventDefault()
    const name = input.value.trim()
    const problem = whyNot(name, start.app.secret !== undefined)
    note.textContent = problem ?? ''
    input.setAttribute('aria-invalid', String(problem !== undefined))
    if (problem !== undefined) return
    live.subscribe(name)
    pick(name)
  })
  live.subscribe(picked)
}

function waitingFor(list: readonly Subscription[]): string {
  const names = list.filter(one => one.state === 'subscribed').map(one => one.name)
  if (names.length > 0)
    return `Listening on ${names.join(' and ')}. Publish something and it appears here.`
  return list.length > 0 ? 'Waiting for the subscription.' : 'Not subscribed to a channel.'
}

/** Swings the bell once. */
function ring(): void {
  const bell = document.querySelector('.bell')
  if (bell === null || bell.classList.contains('ring')) return
  bell.classList.add('ring')
  bell.addEventListener('animationend', () => bell.classList.remove('ring'), { once: true })
}

showAccount()
loadStart().then(run, (cause: unknown) => {
  new Status(() => location.reload()).banner(
    cause instanceof Error ? cause.message : 'The server did not answer. Reload the page.',
  )
})
