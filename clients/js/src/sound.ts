const gestures = ['pointerdown', 'keydown'] as const

/**
 * A short tone, made by WebAudio. A browser lets a page sound only once somebody
 * has used it: until then nothing is heard.
 */
export class Sound {
  private context: AudioContext | undefined

  constructor() {
    for (const name of gestures) globalThis.addEventListener?.(name, this.unlock, true)
  }

  /** Reports whether play would be heard. */
  get ready(): boolean {
    return this.context?.state === 'running'
  }

  play(): void {
    const { context } = this
    if (!context || !this.ready) return
    const start = context.currentTime
    const gain = context.createGain()
    gain.connect(context.destination)
    gain.gain.setValueAtTime(0.0001, start)
    gain.gain.exponentialRampToValueAtTime(0.15, start + 0.02)
    gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.5)
    for (const [frequency, delay] of [
      [659.25, 0],
      [880, 0.12],
    ] as const) {
      const tone = context.createOscillator()
      tone.frequency.value = frequency
      tone.connect(gain)
      tone.start(start + delay)
      tone.stop(start + 0.5)
    }
  }

  close(): void {
    for (const name of gestures) globalThis.removeEventListener?.(name, this.unlock, true)
    this.context?.close().catch(() => {})
    this.context = undefined
  }

  private readonly unlock = (): void => {
    if (typeof AudioContext === 'undefined') return
    this.context ??= new AudioContext()
    if (this.context.state === 'suspended') this.context.resume().catch(() => {})
  }
}
