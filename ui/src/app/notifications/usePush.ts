/** Web Push in this browser. */
export interface Push {
  readonly on: boolean
  readonly able: boolean
  readonly busy: boolean
  readonly note: string
  /** Why the last change failed, or "". */
  readonly problem: string
  readonly set: (on: boolean) => void
}

/** Web Push, undefined where the client has none. */
export function usePush(): Push | undefined {
  return undefined
}
